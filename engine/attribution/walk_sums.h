#ifndef ATTRIBUTION_WALK_SUMS_H
#define ATTRIBUTION_WALK_SUMS_H
/* From relevance R = t f (f NULL: R = t) to component scores of one sample (docs/attribution.md, section f). Sums are accumulated in double in
 * a fixed order. */
#include <stddef.h>

/* Filters: t and f as stored in blocks of `lanes` channels -> r_c = sum over space with sign; absolute [n] = |r_c|, with_sign [n] = r_c. */
void sums_of_maps(size_t n, size_t space, size_t lanes, const float *t, const float *f, float *absolute,
                  float *with_sign);
/* Neurons and heads: [tokens, n] -> absolute [n] = sum over tokens of |R|, with_sign [n] = sum over tokens. */
void sums_of_tokens(size_t tokens, size_t n, const float *t, const float *f, float *absolute, float *with_sign);
/* The same of values that are there in double. */
void sums_of_values(size_t tokens, size_t n, const double *value, float *absolute, float *with_sign);

#endif
