#ifndef ATTRIBUTION_WALK_SUMS_H
#define ATTRIBUTION_WALK_SUMS_H
/* From relevance to component scores of one sample (docs/attribution.md, section f). Sums are accumulated in double in
 * a fixed order. */
#include <stddef.h>

/* Filters: r [n, space] -> r_c = sum over space with sign; absolute [n] = |r_c|, with_sign [n] = r_c. */
void sums_of_maps(size_t n, size_t space, const float *r, float *absolute, float *with_sign);
/* Neurons and heads: r [tokens, n] -> absolute [n] = sum over tokens of |r|, with_sign [n] = sum over tokens. */
void sums_of_tokens(size_t tokens, size_t n, const float *r, float *absolute, float *with_sign);

#endif
