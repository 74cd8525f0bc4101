#ifndef ATTRIBUTION_TREE_PLACE_H
#define ATTRIBUTION_TREE_PLACE_H
/* Places the buffers of a tree's list of steps in one slab; internal to tree*.c. */
#include "nn/layout.h"

/* As layout_plan() (nn/layout.h), for lists that are too long to look at every pair of blocks: in the order in which they come to life, each
 * into the tightest gap between those that are alive then. Blocks of one step: the larger first. */
MUST_CHECK status tree_place(arena *scratch, size_t n_steps, size_t n, block blocks[], size_t *total);

#endif
