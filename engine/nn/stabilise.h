#ifndef NN_STABILISE_H
#define NN_STABILISE_H
#include <math.h>

/* st(z) of docs/attribution.md, section a: a denominator kept away from 0, with the sign of z; both zeros go up. With
 * eps = 0 (LRP-0) a z of 0 becomes infinity, so that the quotient R/st(z) is the 0 that section c asks for. Only
 * constants are selected, not sums, so that loops with it are vectorised. */
static inline float stabilise(float z, float eps)
{
    const float d = z + (z >= 0.0f ? eps : -eps);
    return d != 0.0f ? d : INFINITY;
}

#endif
