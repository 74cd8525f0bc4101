#ifndef NN_PASSES_COMPACT_H
#define NN_PASSES_COMPACT_H
/* A pruned network as the small network that it is (docs/attribution.md, section h, "Compaction and cost"): dead rows and the columns
 * that read them are gone, dead heads with their rows of q, k and v, and logits that nobody wants. Every layer shrinks by itself
 * (op_def.shrink); what cannot gets its input in the whole width again. */
#include "nn/graph.h"
#include "nn/passes/channel_map.h"

/* *out has the wanted logits of `g`, in their order, and no components: nothing in it can be pruned. Up to the order of summation
 * they are what `g` gives under the mask. Weights stay those of `g` and are cut when they are loaded (weight_cut), so `g` must live as
 * long. alive [n_components], NULL = all; logits [n_classes], which are wanted, NULL = all. `block`: the backend's; widths of
 * token layers are padded to it, so that one kernel serves many masks. Everything lies in `a`. */
MUST_CHECK status graph_compact(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[], size_t block,
                                const graph **out);
/* The same, and which channels of every node of `g` its output in *out has: *map [g->n_nodes]. */
MUST_CHECK status graph_compact_mapped(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[], size_t block,
                                       const graph **out, const channel_map **map);

#endif
