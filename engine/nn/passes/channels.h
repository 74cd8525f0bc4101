#ifndef NN_PASSES_CHANNELS_H
#define NN_PASSES_CHANNELS_H
/* Which channels of every layer's output a pruned network still has (docs/attribution.md, section h, "Compaction and cost"). A channel is
 * dim[0] of [C,H,W] and an element of the last axis of [T,E] and [F]. */
#include "nn/graph.h"

/* *kept [n_nodes][channels of the node's output], 1 = stays: it is not exactly 0 because components are dead, and something reads it.
 * A producer of a residual sum keeps its own rows; the sum keeps what any of its summands has.
 * alive [n_components], NULL = all; logits [n_classes], which of them are wanted, NULL = all. */
MUST_CHECK status graph_channels_kept(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[],
                                      uint8_t ***kept);

#endif
