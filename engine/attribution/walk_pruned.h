#ifndef ATTRIBUTION_WALK_PRUNED_H
#define ATTRIBUTION_WALK_PRUNED_H
/* The relevance walk of a pruned network down to its image: through the small network that is left (nn/passes/compact.h), by the rules that
 * the composite gives the layers of the whole one. What is cut out neither gets relevance nor takes part in a denominator.
 *
 * Where every layer's relevance is a multiple of its input (epsilon, z-plus, gamma, alpha-beta ...) this is, up to the order of summation,
 * the relevance of the whole network with the dead components set to 0: they hand on nothing. Rules that do not look at activations (flat,
 * w-square, gradient) would give dead inputs a share, which is lost there; here it goes to those that are left. */
#include "attribution/walk.h"

/* alive [n_components of `whole`] (1 = kept). `whole` and the composite are borrowed for the life of the walk; nothing in the walk has
 * components, so its rows are empty, and walk_read_input() is what it is for. All logits are there. `weights` as walk_options has it.
 * Errors: those of walk_build() and of walk_pruned_check(). */
MUST_CHECK status walk_pruned_build(arena *a, const graph *whole, const uint8_t alive[], const composite *c, const backend_def *backend,
                                    size_t batch, weight_list *weights, walk **out);
/* Bytes that it will take of its arena, but for the small change of plans. `scratch` is reset. */
MUST_CHECK status walk_pruned_needs(arena *scratch, const graph *whole, const uint8_t alive[], const composite *c,
                                    const backend_def *backend, size_t batch, weight_list *weights, size_t *bytes);
/* Whether the composite can explain pruned forms of the network, before any is there. Errors: those of composite_resolve(); ST_CONFIG where a
 * convolution or linear layer has the rule `pass`. */
MUST_CHECK status walk_pruned_check(arena *scratch, const graph *whole, const composite *c);

#endif
