#ifndef ATTRIBUTION_WALK_H
#define ATTRIBUTION_WALK_H
/* The relevance walk, compiled: graph + composite -> a flat list of steps with planned buffers. Goes only where a component is
 * on the way to the input: below the lowest prunable layers nothing is computed. */
#include "attribution/composite.h"
#include "nn/forward.h"

typedef struct walk walk;

/* Per-sample component scores (attribution.md, section f): relevance at the component's output, summed over space or keys with
 * sign, then
 *   WALK_ABSOLUTE  sum over tokens of the absolute value (convolutions have one token)
 *   WALK_SIGNED    sum over tokens */
enum { WALK_ABSOLUTE, WALK_SIGNED, WALK_MOMENTS };

/* Graph and composite are borrowed for the life of the walk. Errors: ST_CONFIG (composite_resolve), ST_ENVIRONMENT (memory). */
MUST_CHECK status walk_build(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch,
                             walk **out);
size_t walk_bytes(const walk *w); /* activations and relevance together */

/* images [batch, input], target [batch] class whose logit starts with relevance 1 (section e), below n_classes;
 * rows [batch, WALK_MOMENTS, n_components]. */
void walk_run(walk *w, const float *images, const size_t target[], float *rows);

/* For tests and audits: relevance at a node's output after walk_run, [batch, out] in plain order; false where the walk does not go. Only
 * when built with walk_build_keeping(): no buffer is used twice. */
MUST_CHECK status walk_build_keeping(arena *a, const graph *g, const composite *c, const backend_def *backend,
                                     size_t batch, walk **out);
bool walk_read_relevance(const walk *w, node_id id, float *out);

#endif
