#ifndef NN_PASSES_OWN_WEIGHTS_H
#define NN_PASSES_OWN_WEIGHTS_H
/* A graph pass for readers of weights that know nothing of cuts (relevance rules): a compacted network (nn/passes/compact.h) whose layers
 * have weights of their own. */
#include "nn/graph.h"

/* *out lives in `a` and borrows from g; it is g itself where no layer is cut. The same numbers: node.cut is NULL everywhere. */
MUST_CHECK status graph_own_weights(arena *a, const graph *g, const graph **out);

#endif
