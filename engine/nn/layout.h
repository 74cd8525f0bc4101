#ifndef NN_LAYOUT_H
#define NN_LAYOUT_H
/* Places blocks of memory with known lifetimes in one slab, so that blocks that are never alive together may overlap. */
#include "core/arena.h"
#include "core/status.h"

typedef struct block {
    size_t size;        /* floats */
    size_t first, last; /* steps in which it is alive, inclusive */
    size_t offset;      /* result, in floats; a multiple of 16, which is a cache line */
} block;

/* Largest first, each into the tightest gap that is free during its life. *total is the size of the slab in floats. */
MUST_CHECK status layout_plan(arena *scratch, size_t n, block blocks[], size_t *total);

#endif
