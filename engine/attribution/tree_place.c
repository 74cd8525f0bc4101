#include "attribution/tree_place.h"

#include <stdint.h>
#include <stdlib.h>

#include "nn/weights.h"

static int by_first(const void *a, const void *b)
{
    const block *const *x = a, *const *y = b;
    if ((*x)->first != (*y)->first) {
        return (*x)->first < (*y)->first ? -1 : 1;
    }
    if ((*x)->size != (*y)->size) {
        return (*x)->size > (*y)->size ? -1 : 1;
    }
    return *x < *y ? -1 : *x > *y; /* the same plan with every qsort */
}

/* Those that are still alive; they stay in the order of their places. */
static size_t keep_alive(size_t n, block *alive[], size_t step)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (alive[i]->last >= step) {
            alive[kept++] = alive[i];
        }
    }
    return kept;
}

/* Into the tightest gap; *at: before which of those that are alive. */
static size_t best_gap(size_t size, size_t n, block *const alive[], size_t *at)
{
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    *at = n;
    for (size_t i = 0; i < n; i++) {
        const size_t gap = alive[i]->offset - end;
        if (gap >= size && gap < best_size) {
            best = end;
            best_size = gap;
            *at = i;
        }
        end = alive[i]->offset + weights_rounded(alive[i]->size);
    }
    return best == SIZE_MAX ? end : best;
}

static void insert(block *b, size_t at, size_t n, block *alive[])
{
    for (size_t i = n; i > at; i--) {
        alive[i] = alive[i - 1];
    }
    alive[at] = b;
}

status tree_place(arena *scratch, size_t n_steps, size_t n, block blocks[], size_t *total)
{
    block **order, **alive;
    size_t n_alive = 0, next = 0;
    TRY_ALLOC(order, scratch, n);
    TRY_ALLOC(alive, scratch, n);
    for (size_t i = 0; i < n; i++) {
        order[i] = &blocks[i];
    }
    qsort(order, n, sizeof *order, by_first);
    *total = 0;
    for (size_t step = 0; step < n_steps; step++) {
        n_alive = keep_alive(n_alive, alive, step);
        for (; next < n && order[next]->first == step; next++) {
            block *b = order[next];
            size_t at;
            b->offset = best_gap(weights_rounded(b->size), n_alive, alive, &at);
            insert(b, at, n_alive++, alive);
            const size_t end = b->offset + weights_rounded(b->size);
            *total = end > *total ? end : *total;
        }
    }
    return STATUS_OK;
}
