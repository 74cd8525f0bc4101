#ifndef NN_PASSES_NEEDED_ROWS_H
#define NN_PASSES_NEEDED_ROWS_H
/* A graph pass: only those token rows are computed that the logits depend on. */
#include "nn/graph.h"

/* Where the head of a transformer reads one token (op_token_row), the layers after the last keys and values need no other one either: queries,
 * attention output, projection, sums, norm and MLP of the last block become [1,E] instead of [T,E]. For logits, relevance and derivatives
 * of logits this is exact: of the other rows they are 0 (docs/attribution.md, section d, "Exact shortcuts"). For activations of all
 * tokens it is not: those rows are not there.
 *
 * *out lives in `a` and borrows from g; it is g itself where nothing can be left out. Names, parameters, components and their indices are
 * those of g. Ids of nodes are not: nodes that take the row of what is needed as a whole elsewhere are put in (node.inserted). */
MUST_CHECK status graph_needed_rows(arena *a, const graph *g, const graph **out);

#endif
