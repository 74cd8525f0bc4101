#ifndef SUPPORT_NAIVE_WALK_H
#define SUPPORT_NAIVE_WALK_H
/* The float64 twin of forward pass and relevance walk, for convolutional networks: every node by its formula (docs/attribution.md, sections a to
 * c), one sample, plain order, nothing fused, shared or left out. */
#include "attribution/composite.h"
#include "support/naive_network.h"

typedef struct naive_walk {
    double **out;       /* [n_nodes] */
    double **relevance; /* [n_nodes] at the node's output */
} naive_walk;

/* Everything lives in `a`. A layer that it does not know fails the test. outputs [n_nodes]: of a forward pass that was run already, in
 * place of the twin's own; NULL: run it. */
void naive_walk_run(arena *a, const graph *g, const composite *c, const naive_weights *w, const float *image,
                    const float *const outputs[], size_t target, naive_walk *out);

#endif
