#ifndef PARALLEL_NODE_WEIGHTS_H
#define PARALLEL_NODE_WEIGHTS_H
/* One copy of weights for all ranks of a node. */
#include "nn/weights.h"
#include "parallel/node.h"

/* The list for somebody who builds; NULL where no node has several ranks: then the weights lie with what is built. */
static inline weight_list *node_weights_list(const comm *c, weight_list *l)
{
    return c->shares ? l : NULL;
}

/* Collective; does nothing where node_weights_list() is NULL. Finds the place for what is on the list, has it made by the ranks of the node together, and tells who wants it. It goes with `a`.
 * Errors: ST_ENVIRONMENT (memory); ST_BUG where ranks of a node have unlike lists. */
MUST_CHECK status node_weights_place(comm *c, arena *a, const weight_list *l);

#endif
