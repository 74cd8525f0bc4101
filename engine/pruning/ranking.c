#include "pruning/ranking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scored {
    double score;
    uint32_t index;
} scored;

size_t ranking_count(size_t n, double rate)
{
    return (size_t)((double)n * rate);
}

/* Total order, so that qsort gives the same permutation everywhere; -0.0 and 0.0 tie. */
static int by_score_then_index(const void *left, const void *right)
{
    const scored *a = left, *b = right;
    if (a->score != b->score) {
        return a->score < b->score ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

status ranking_build(arena *scratch, size_t n, const double score[], uint32_t order[])
{
    scored *all;
    TRY_ALLOC(all, scratch, n);
    for (size_t i = 0; i < n; i++) {
        if (isnan(score[i])) {
            return FAIL(ST_DATA,
                        "the score of component %zu (of %zu) is not a number, so components cannot be ranked; "
                        "check the network's weights and the images that were explained",
                        i, n);
        }
        all[i] = (scored){.score = score[i], .index = (uint32_t)i};
    }
    qsort(all, n, sizeof *all, by_score_then_index);
    for (size_t i = 0; i < n; i++) {
        order[i] = all[i].index;
    }
    return STATUS_OK;
}

void ranking_removed_at(size_t n, const uint32_t order[], size_t n_rates, const double rate[], uint16_t removed_at[])
{
    assert(n_rates <= UINT16_MAX);
    size_t gone = 0;
    for (size_t r = 0; r < n_rates; r++) {
        const size_t count = ranking_count(n, rate[r]);
        for (; gone < count; gone++) {
            removed_at[order[gone]] = (uint16_t)r;
        }
    }
    for (; gone < n; gone++) {
        removed_at[order[gone]] = (uint16_t)n_rates;
    }
}

void ranking_alive(size_t n, const uint32_t order[], size_t count, uint8_t alive[])
{
    assert(count <= n);
    memset(alive, 1, n);
    for (size_t i = 0; i < count; i++) {
        alive[order[i]] = 0;
    }
}
