#ifndef CORE_RNG_H
#define CORE_RNG_H
/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC'11) through Random123. A number is a pure function of
 * (seed, purpose, stream, index), so it does not depend on ranks, order or restarts. */
#include <stddef.h>
#include <stdint.h>

/* What a number is for; part of the key, so that two uses never share numbers. Values are part of the results:
 * never renumber. */
typedef enum rng_purpose {
    RNG_CLASSES = 1,    /* which classes a task has */
    RNG_REFERENCES = 2, /* which images of a class are explained; stream = class */
    RNG_SCORES = 3,     /* the `random` criterion; index = component */
    RNG_NOISE = 4,      /* smoothgrad: the seed is the sample, stream = draw, index = pair of pixels */
    RNG_IMAGES = 5,     /* of `pollard export`, where it finds none; index = pixel */
    RNG_HEATMAPS = 6,   /* which evaluation images of a class are explained; seed 0, stream = class */
    RNG_SPLIT = 7,      /* which evaluation images of a class a search judges by; seed 0, stream = class */
    RNG_SOBOL = 20,     /* scrambling of Sobol points; stream = 32 dimension + place, index = digits before it */
    RNG_DESIGN = 21,    /* random points of a search; stream = dimension, index = point */
    RNG_STARTS = 22,    /* where fits of hyperparameters start; stream = start, index = hyperparameter */
    RNG_ROUND = 23,     /* seeds within a search; stream: rng_round */
    RNG_TEST = 99
} rng_purpose;

/* Streams of RNG_ROUND; never renumber. */
typedef enum rng_round {
    ROUND_DESIGN = 0,     /* of the points; index = 0 */
    ROUND_STARTS = 1,     /* of a fit; index = trials so far */
    ROUND_CANDIDATES = 2, /* of a proposal; index = trials so far and those before it in its batch */
    ROUND_IMPORTANCE = 3  /* of the points; index = 0 */
} rng_round;

uint64_t rng_u64(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index);
double rng_uniform(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index); /* [0, 1), 53 bits */
/* Two of them from one counter; the first is rng_uniform() of the same index. */
void rng_uniform_pair(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index, double out[2]);

/* A uniformly drawn ordered subset: the first k of a random permutation of 0..n-1 (Fisher-Yates, index = step), so the
 * subset of size k is a prefix of that of size k+1. `scratch` [n] and `out` [k] belong to the caller; k <= n. */
void rng_subset(uint64_t seed, rng_purpose purpose, uint32_t stream, size_t n, size_t k, size_t scratch[], size_t out[]);

#endif
