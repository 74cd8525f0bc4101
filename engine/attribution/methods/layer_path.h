#ifndef ATTRIBUTION_METHODS_LAYER_PATH_H
#define ATTRIBUTION_METHODS_LAYER_PATH_H
/* Integrated gradients of a layer (docs/attribution.md, section g): the layer's own values a go straight from a(0), what they are for an input
 * of zeros, to a(x); all else that the layers behind it read stays as it is for the sample x:
 *
 *   sum over positions (or keys) of  (a(x) - a(0)) 1/n sum over k of dy/da at a = a(0) + alpha_k (a(x) - a(0))
 *
 * alpha_k = k/n, k = 1..n, or 0..n-1 where `left`. Every layer with components has a path of its own, so that the network is run from there
 * to its end n times for each of them, and back as often. */
#include "attribution/walk.h"

typedef struct layer_path_setup {
    const graph *graph;
    const backend_def *backend;
    size_t batch, n;
    bool left;
    walk_start start;
    weight_list *weights; /* walk_options */
} layer_path_setup;

typedef struct layer_path layer_path;

MUST_CHECK status layer_path_build(arena *a, const layer_path_setup *s, layer_path **out);
MUST_CHECK status layer_path_needs(const layer_path_setup *s,
                                   size_t *bytes); /* what layer_path_build() takes; its errors */

/* As path_run() (methods/path.h). */
void layer_path_run(layer_path *p, const float *images, const size_t label[], size_t stride, float *rows);

/* How often a micro-batch goes through the network, runs from a layer counted by their share of the multiply-adds. */
size_t layer_path_passes(const layer_path_setup *s);

#endif
