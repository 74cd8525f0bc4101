#ifndef ATTRIBUTION_TREE_COST_H
#define ATTRIBUTION_TREE_COST_H
/* What the steps of a tree cost; internal to tree*.c. */
#include "attribution/tree_grow.h"

uint64_t node_macs(const graph *g, node_id id); /* forward multiply-adds of a layer for one image */
/* n: composites. The list is complete, and the steps know what sums they find ready. */
tree_cost tree_cost_of(const graph *g, size_t n, const tree_program *p, const size_t first_use[]);

#endif
