#ifndef SUPPORT_GRADIENT_TWIN_H
#define SUPPORT_GRADIENT_TWIN_H
/* The float64 twin of the gradient methods on convolutional networks (docs/attribution.md, section g), by support/naive_network.h.
 *
 * The derivative jumps where a ReLU's input crosses 0 and where another element of a pooling window becomes the largest. Where a value lies closer to
 * that than float32 can tell, a float32 run may be on the other side, with another derivative, of which neither is wrong. So the twin
 * gives both: the values on its own side, and those with every ReLU and window as the float32 run has them, and how far the elements
 * in which they differ are from their jump. */
#include "support/network.h"

typedef enum twin_method {
    TWIN_GRADIENT,
    TWIN_GRADIENT_ACTIVATION,
    TWIN_ACTIVATION,
    TWIN_ACTIVATION_RELU,
    TWIN_LATENT,            /* mean gradient over x k/20, k = 1..20 */
    TWIN_CONDUCTANCE_RIGHT, /* gradient at the right or the left end of each step, times the step of the activation */
    TWIN_CONDUCTANCE_LEFT,
    TWIN_LAYER_RIGHT, /* the layer's own activation goes from a(0) to a(x) */
    TWIN_METHODS
} twin_method;

enum { TWIN_STEPS = 20 };

/* [NETWORK_BATCH, n_components] */
typedef struct twin_values {
    double *own, *as_float;
    size_t jumps[NETWORK_BATCH]; /* elements in which the two differ, over all points that the method reads */
} twin_values;

typedef struct gradient_twin {
    twin_values of[TWIN_METHODS];
    /* Of all elements in which float32 is on the other side: the largest distance to the jump, in units of what rounding to float32 does to
     * the element at its own node (naive_network_rounding()). */
    double furthest;
} gradient_twin;

/* On the backend under test; all in n->work. */
void gradient_twin_run(const network *n, gradient_twin *out);

#endif
