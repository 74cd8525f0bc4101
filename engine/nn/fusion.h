#ifndef NN_FUSION_H
#define NN_FUSION_H
/* Which layers are done by the layer before them: a ReLU by the convolution, linear layer or sum whose only reader it is, a residual sum by the
 * later of its two summands. The value before is then not there afterwards. */
#include "nn/graph.h"

typedef struct fusion {
    node_id *done_by;   /* [n_nodes] the node that computes this one's output; itself where nothing is fused */
    node_id *result;    /* [n_nodes] the last node whose output this one computes; itself ... */
    node_id *adds_to;   /* [n_nodes] of a product with a fused sum: the other summand, whose memory takes the sum; else itself */
} fusion;

/* sums: residual sums are fused too. relu_allowed [n_nodes]: which ReLUs may be; NULL = all. */
MUST_CHECK status fusion_plan(arena *a, const graph *g, bool sums, const bool relu_allowed[], fusion *out);

#endif
