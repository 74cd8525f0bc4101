#ifndef NN_PASSES_TENSOR_CUTS_H
#define NN_PASSES_TENSOR_CUTS_H
/* What becomes of every tensor of a checkpoint when its network is pruned (docs/attribution.md, section h): which of its numbers are zero in
 * the masked network of the same shapes, and which rows and columns the shrunk network has. Batch norms stay layers of their own here. */
#include "nn/graph.h"
#include "nn/passes/channel_map.h"

typedef struct tensor_cut {
    const char *name;
    size_t rank, dim[MAX_TENSOR_DIMS];
    size_t rows, columns, taps;                /* of the whole: [dim[0], dim[1] or 1, the rest] */
    bool prunable;                             /* a parameter whose zeros a mask states */
    bool statistic;                            /* mean or variance of a batch norm: no parameter */
    const uint8_t *row_alive, *column_alive;   /* [rows], [columns] 1 = not zero; NULL: all */
    channel_map row, column;                   /* what the shrunk one has */
} tensor_cut;

typedef struct tensor_cuts {
    const graph *small;     /* the shrunk network (nn/passes/compact.h); its nodes but the inserted ones are those of the whole, in order */
    const channel_map *map; /* [nodes of the whole] which channels of its output it has there */
    const uint8_t *alive;   /* [n_components] as it was given */
    const uint8_t *kept;    /* [n_components] those of which the shrunk network has a row or a head */
    size_t n, n_emptied;
    const tensor_cut *list; /* [n] in the order of graph.tensors */
} tensor_cuts;

/* `alive` [n_components]: what is pruned is of one `kind`. A layer that lost everything keeps its first row (or head), all zeros, since
 * frameworks have no layers without outputs: n_emptied of them. Lies in `a` and in `g`. */
MUST_CHECK status tensor_cuts_build(arena *a, const graph *g, component_kind kind, const uint8_t alive[], tensor_cuts *out);

/* Which nodes' weights are (part of) a tensor: *tensor, an index into g->tensors, and the node's first row in it; false: none. */
bool tensor_of_weight(const graph *g, const node *n, size_t *tensor, size_t *first_row);
bool tensor_of_bias(const graph *g, const node *n, size_t *tensor, size_t *first_row);
/* The weights of the batch norm that is folded into a node. */
bool tensor_of_norm(const graph *g, const node *n, size_t *tensor);

size_t tensor_cut_elements(const tensor_cut *c);                          /* of the shrunk one */
void tensor_cut_shape(const tensor_cut *c, size_t dim[MAX_TENSOR_DIMS]);  /* [rank] of the shrunk one */
void tensor_cut_mask(const tensor_cut *c, float *mask);                   /* [whole] 1 and 0 */
void tensor_cut_apply(const tensor_cut *c, const float *whole, float *masked);
void tensor_cut_shrink(const tensor_cut *c, const float *whole, float *small);
void tensor_cut_expand(const tensor_cut *c, const float *small, float *whole); /* zeros elsewhere */

#endif
