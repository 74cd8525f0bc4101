#ifndef ATTRIBUTION_METHODS_OWN_WEIGHTS_H
#define ATTRIBUTION_METHODS_OWN_WEIGHTS_H
/* The sum over a component's own weights u of  u dL/du  for a number L, without a derivative by any weight: with z = u x + b at a position
 * dL/du = g x, so that
 *
 *   filter, neuron   sum over positions of  g (z - b)
 *   head             the same over its rows of q, k and v, and for its columns of the output projection, which read its output O,
 *                    sum over tokens and columns of  g_O O
 *
 * These are the weights that go with the component when it is removed (docs/attribution.md, section h), as for `magnitude`. */
#include "attribution/walk.h"

typedef struct own_weights {
    const bool *watched;  /* [n_nodes] the projections: the walk has to go there */
    const node_id *heads; /* [n_nodes] whose projection a node is; 0 = of none */
} own_weights;

MUST_CHECK status own_weights_find(arena *a, const graph *g, own_weights *out);

/* Adds what a node shows for sample b to sums, at first_sum[layer] + component. value: scratch, component_most_values() doubles or the
 * features of a projection. */
void own_weights_add(const own_weights *w, const graph *g, const forward *f, const walk_view *v, size_t b, size_t lanes,
                     double *value, double *sums, const size_t first_sum[]);

#endif
