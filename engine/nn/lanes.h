#ifndef NN_LANES_H
#define NN_LANES_H
/* Sums in double as LANES partial sums that are added at the end: a fixed order, which a compiler can run in parallel. */
#include <stddef.h>

enum { LANES = 8 };

static inline double lanes_total(const double lane[LANES])
{
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static inline double lanes_sum(size_t n, const float *restrict x)
{
    double lane[LANES] = {0.0}, rest = 0.0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            lane[k] += (double)x[i + k];
        }
    }
    for (; i < n; i++) {
        rest += (double)x[i];
    }
    return lanes_total(lane) + rest;
}

/* sum x y */
static inline double lanes_dot(size_t n, const float *restrict x, const float *restrict y)
{
    double lane[LANES] = {0.0}, rest = 0.0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            lane[k] += (double)x[i + k] * (double)y[i + k];
        }
    }
    for (; i < n; i++) {
        rest += (double)x[i] * (double)y[i];
    }
    return lanes_total(lane) + rest;
}

#endif
