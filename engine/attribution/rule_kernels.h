#ifndef ATTRIBUTION_RULE_KERNELS_H
#define ATTRIBUTION_RULE_KERNELS_H
/* Elementwise loops of the relevance walk. Arrays do not overlap. */
#include <stddef.h>

#include "attribution/rule.h"

void kernel_part(size_t n, rule_part part, const float *x, float *y);                     /* y = part(x) */
void kernel_add(size_t n, const float *x, float *y);                                      /* y += x */
void kernel_quotient(size_t n, float epsilon, const float *r, const float *d, float *s);  /* s = r / st(d) */
void kernel_multiply(size_t n, const float *x, float *y);                                 /* y *= x */
void kernel_multiply_add(size_t n, float coef, const float *x, const float *t, float *y); /* y += coef x t */
/* y [outer, channels, inner] += part(b) [channels] */
void kernel_add_bias(size_t outer, size_t channels, size_t inner, rule_part part, const float *b, float *y);

#endif
