#include "nn/layout.h"

#include <stdint.h>
#include <stdlib.h>

enum { LINE = 16 };

static size_t rounded(size_t size)
{
    return (size + LINE - 1) / LINE * LINE;
}

static int larger_first(const void *a, const void *b)
{
    const block *const *x = a, *const *y = b;
    if ((*x)->size != (*y)->size) {
        return (*x)->size > (*y)->size ? -1 : 1;
    }
    return *x < *y ? -1 : *x > *y; /* the same plan with every qsort */
}

/* The tightest gap between placed blocks (sorted by offset) that live when `b` does. */
static size_t best_gap(const block *b, size_t n, block *const placed[])
{
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        const block *p = placed[i];
        if (p->last < b->first || p->first > b->last) {
            continue;
        }
        if (p->offset >= end + rounded(b->size) && p->offset - end < best_size) {
            best = end;
            best_size = p->offset - end;
        }
        const size_t p_end = p->offset + rounded(p->size);
        end = p_end > end ? p_end : end;
    }
    return best == SIZE_MAX ? end : best;
}

static void insert(block *b, size_t n, block *placed[])
{
    size_t i = n;
    for (; i > 0 && placed[i - 1]->offset > b->offset; i--) {
        placed[i] = placed[i - 1];
    }
    placed[i] = b;
}

status layout_plan(arena *scratch, size_t n, block blocks[], size_t *total)
{
    block **order, **placed;
    TRY_ALLOC(order, scratch, n);
    TRY_ALLOC(placed, scratch, n);
    for (size_t i = 0; i < n; i++) {
        order[i] = &blocks[i];
    }
    qsort(order, n, sizeof *order, larger_first);
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        block *b = order[i];
        b->offset = best_gap(b, i, placed);
        insert(b, i, placed);
        const size_t end = b->offset + rounded(b->size);
        *total = end > *total ? end : *total;
    }
    return STATUS_OK;
}
