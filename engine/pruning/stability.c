/* How much two rankings agree (curve.h): Kendall's tau over the whole order, Jaccard over what is removed first. */
#include <string.h>

#include "pruning/curve.h"

/* Pairs i < j with rank[i] > rank[j]; sorts `rank` by merging, bottom up. */
static uint64_t inversions(size_t n, uint32_t rank[], uint32_t merged[])
{
    uint64_t count = 0;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            const size_t middle = begin + width < n ? begin + width : n;
            const size_t end = middle + width < n ? middle + width : n;
            size_t left = begin, right = middle;
            for (size_t to = begin; to < end; to++) {
                if (right == end || (left < middle && rank[left] <= rank[right])) {
                    merged[to] = rank[left++];
                } else {
                    merged[to] = rank[right++];
                    count += middle - left; /* it passes all that is left of the first run */
                }
            }
        }
        memcpy(rank, merged, n * sizeof *rank);
    }
    return count;
}

status ranking_kendall(arena *scratch, size_t n, const uint32_t a[], const uint32_t b[], double *tau)
{
    *tau = 1.0;
    if (n < 2) {
        return STATUS_OK;
    }
    uint32_t *place, *rank, *merged;
    TRY_ALLOC(place, scratch, n);
    TRY_ALLOC(rank, scratch, n);
    TRY_ALLOC(merged, scratch, n);
    for (size_t i = 0; i < n; i++) {
        place[b[i]] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++) {
        rank[i] = place[a[i]];
    }
    const double pairs = (double)n * ((double)n - 1.0) / 2.0;
    *tau = 1.0 - 2.0 * (double)inversions(n, rank, merged) / pairs;
    return STATUS_OK;
}

status ranking_jaccard(arena *scratch, size_t n, const uint32_t a[], const uint32_t b[], size_t count, double *jaccard)
{
    *jaccard = 1.0;
    if (count == 0) {
        return STATUS_OK;
    }
    uint8_t *in_a;
    TRY_ALLOC(in_a, scratch, n);
    for (size_t i = 0; i < count; i++) {
        in_a[a[i]] = 1;
    }
    size_t both = 0;
    for (size_t i = 0; i < count; i++) {
        both += in_a[b[i]];
    }
    *jaccard = (double)both / (double)(2 * count - both);
    return STATUS_OK;
}
