#ifndef ATTRIBUTION_METHODS_PATH_H
#define ATTRIBUTION_METHODS_PATH_H
/* Derivatives of a class's logit (or of the loss) by components, summed over a few inputs near each sample x: one engine for gradient,
 * gradient x activation, integrated gradients, conductance, SmoothGrad and SNIP (docs/attribution.md, section g). With g_k and a_k
 * the derivative and the value of a component at the k-th input, a component's number at a token is
 *
 *   sum over k of  w_k sum over positions (or keys) of  g_k m_k */
#include "attribution/walk.h"

typedef enum path_points {
    POINTS_SAMPLE,   /* x itself */
    POINTS_STRAIGHT, /* alpha_k x with alpha_k = k/n: k = 1..n, or k = 0..n-1 where `left` */
    POINTS_NOISY     /* x + noise, n draws (methods/noise.h) */
} path_points;

typedef enum path_measure {
    MEASURE_ONE,        /* m = 1,    w = 1/n */
    MEASURE_ACTIVATION, /* m = a_k,  w = 1/n */
    MEASURE_DIFFERENCE, /* m = the step of a that the point ends (left: begins), w = 1; POINTS_STRAIGHT only */
    MEASURE_WEIGHTS     /* the sum over the component's own weights u of  u dL/du,  all tokens together, w = 1/n */
} path_measure;

typedef struct path_setup {
    const graph *graph;
    const backend_def *backend;
    size_t batch;
    path_measure measure;
    path_points points;
    size_t n; /* how many; 1 for POINTS_SAMPLE */
    bool left;
    double deviation; /* of the noise, in units of the image's range */
    walk_start start;
    weight_list *weights; /* walk_options */
    bool per_token; /* the absolute value is wanted for each token, so that tokens are kept apart over the points */
} path_setup;

typedef struct path path;

MUST_CHECK status path_build(arena *a, const path_setup *s, path **out);
MUST_CHECK status path_needs(const path_setup *s, size_t *bytes); /* what path_build() takes; its errors */

/* images [batch, input], label and sample [batch]; rows [batch] are `stride` floats apart and begin with [WALK_MOMENTS, n_components]. */
void path_run(path *p, const float *images, const size_t label[], const uint64_t sample[], size_t stride, float *rows);

/* How often a micro-batch goes through the network. */
size_t path_passes(const path_setup *s);

#endif
