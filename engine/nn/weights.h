#ifndef NN_WEIGHTS_H
#define NN_WEIGHTS_H
/* Where weights lie. They are made once and then only read, so that one copy can serve all ranks of a node. The engine says what is wanted
 * and how it is made; whoever knows the ranks finds the place (parallel/node_weights.h). */
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

/* One array that is wanted. `of` says which, and must live as long as the array. */
typedef struct weight_order {
    size_t n; /* floats */
    void *of;
    status (*make)(const void *of, float *to);  /* fills to [n], which is aligned to 64 bytes. One rank calls it */
    void (*use)(void *of, const float *at);     /* every rank is told where the array is */
} weight_order;

/* What somebody builds wants, in the order of building, which is the same on all ranks. Until weights_use() nothing of it can be run. */
typedef struct weight_list {
    arena *a;
    size_t n, room, floats; /* floats: of the block that all arrays take together */
    weight_order *order;
} weight_list;

weight_list weights_open(arena *a); /* the orders are kept in `a` */

/* Puts the order on the list. l NULL: makes the array in `a` at once. An order of no floats is told NULL at once. */
MUST_CHECK status weights_want(weight_list *l, arena *a, const weight_order *o);
/* Only the size, for a plan of what will be built. */
void weights_count(weight_list *l, size_t floats);

/* What two ranks that build the same have in common: number, order and sizes of what is wanted. */
uint64_t weights_key(const weight_list *l);
/* Makes the share of rank `part` of `parts` in block [l->floats]; all shares together are everything. */
MUST_CHECK status weights_make(const weight_list *l, float *block, size_t part, size_t parts);
/* Once everything is made. The block must live as long as what was built. */
void weights_use(const weight_list *l, const float *block);

/* Where the weights of a graph are laid while it is built (nn/arch.h). */
typedef struct weight_block {
    arena *a;    /* each array by itself; NULL: one behind the other in `data` */
    float *data; /* [n], zeros, aligned to 64 bytes */
    size_t n, used;
    bool fills;   /* this rank writes; else others do, and this one knows the shapes alone */
    uint64_t key; /* as weights_key() */
} weight_block;

size_t weights_rounded(size_t floats); /* what an array takes of a block: whole lines of 64 bytes */
MUST_CHECK status weight_block_take(weight_block *b, size_t floats, float **out); /* zeros */

#endif
