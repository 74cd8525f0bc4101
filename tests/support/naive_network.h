#ifndef SUPPORT_NAIVE_NETWORK_H
#define SUPPORT_NAIVE_NETWORK_H
/* The float64 twin of a convolutional network: its values and the derivatives of a logit, every node by its formula (docs/attribution.md,
 * sections a and g), one sample, plain order, nothing fused. A layer that it does not know fails the test. */
#include "nn/graph.h"
#include "support/golden.h"
#include "support/naive_rule.h"

/* Weights in double, as the caller has them: [n_nodes], NULL where a node has none. */
typedef struct naive_weights {
    const double *const *w, *const *b;
} naive_weights;

/* The graph's own weights. */
naive_weights naive_weights_of(arena *a, const graph *g);
/* Those of a golden file, with batch norm folded in double; the graph has it rounded. */
naive_weights naive_weights_golden(arena *a, golden *file, const graph *g);

/* What jumps: through which elements a ReLU lets a derivative pass, and which element of its window a max pool takes (its place in its
 * plane). [n_nodes] of [out] each, NULL at other nodes. */
typedef struct naive_jumps {
    bool **open;
    size_t **winner;
} naive_jumps;

naive_jumps naive_jumps_new(arena *a, const graph *g);
/* Of a node from the values of its input. */
void naive_jumps_find(arena *scratch, const graph *g, node_id id, const double *in, const naive_jumps *j);

/* [n_nodes] of [out]: values, or derivatives by them. */
double **naive_maps_new(arena *a, const graph *g);

naive_layer naive_layer_at(const graph *g, const naive_weights *w, node_id id);
/* out[id] from the outputs below it, and what jumps there. */
void naive_node_forward(const graph *g, const naive_weights *w, node_id id, double *const out[], const naive_jumps *j);
/* Everything from the image. */
void naive_network_forward(const graph *g, const naive_weights *w, const double *image, double *const out[],
                           const naive_jumps *j);
/* The same after out[from] was written over: what follows from it, all else as it is; scratch is reset. */
void naive_network_forward_behind(arena *scratch, const graph *g, const naive_weights *w, node_id from,
                                  double *const out[], const naive_jumps *j);

/* d[id] = dy/d out[id] of the target's logit, of all nodes down to `last` (the derivative does not go below it); scratch is reset. */
void naive_network_derive(arena *scratch, const graph *g, const naive_weights *w, const naive_jumps *j, size_t target,
                          node_id last, double *const d[]);

/* What rounding to float32 does to a value at its own node: 2^-24 of the sizes of all that is summed there, sum |w| |x| + |b|. Sums add that of
 * their summands, ReLUs and max pools hand it on. What came with the inputs from below is not in it. */
void naive_network_rounding(arena *scratch, const graph *g, const naive_weights *w, double *const out[],
                            const naive_jumps *j, double *const rounding[]);

/* An average pool's transpose: r_in += r_out / count over each window. */
void naive_avgpool_back(const node *n, shape in, const double *r_out, double *r_in);

#endif
