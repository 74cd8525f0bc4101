#ifndef ATTRIBUTION_WALK_H
#define ATTRIBUTION_WALK_H
/* The relevance walk, compiled: graph + composite -> a flat list of steps with planned buffers. Stops below the lowest prunable layer. */
#include "attribution/composite.h"
#include "nn/forward.h"

typedef struct walk walk;

/* Per-sample component scores (attribution.md, section f): relevance at the component's output, summed over space or keys with sign, then
 *   WALK_ABSOLUTE  sum over tokens of the absolute value (convolutions have one token)
 *   WALK_SIGNED    sum over tokens */
enum { WALK_ABSOLUTE, WALK_SIGNED, WALK_MOMENTS };

MUST_CHECK status walk_build(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch, walk **out);
size_t walk_bytes(const walk *w); /* activations and relevance together */

/* images [batch, input], target [batch] class whose logit starts with relevance 1 (section e), rows [batch, WALK_MOMENTS, n_components]. */
void walk_run(walk *w, const float *images, const size_t target[], float *rows);

/* For tests and audits: relevance at a node's output after walk_run, [batch, out], or NULL where the walk does not go.
 * Only when built with walk_keep_all(). */
MUST_CHECK status walk_build_keeping(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch, walk **out);
const float *walk_relevance(const walk *w, node_id id);

#endif
