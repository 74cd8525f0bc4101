#ifndef ATTRIBUTION_RULE_KERNELS_H
#define ATTRIBUTION_RULE_KERNELS_H
/* Elementwise loops of the relevance walk. Arrays do not overlap. */
#include <stddef.h>

#include "attribution/rule.h"

void kernel_part(size_t n, rule_part part, const float *x, float *y);                     /* y = part(x) */
void kernel_add(size_t n, const float *x, float *y);                                      /* y += x */
void kernel_multiply(size_t n, const float *x, float *y);                                 /* y *= x */
void kernel_multiply_add(size_t n, const float *x, const float *t, float *y);             /* y += x t */
/* y += coef t where part(x) is not 0 */
void kernel_add_where(size_t n, rule_part part, float coef, const float *x, const float *t, float *y);

#endif
