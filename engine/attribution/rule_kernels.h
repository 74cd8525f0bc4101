#ifndef ATTRIBUTION_RULE_KERNELS_H
#define ATTRIBUTION_RULE_KERNELS_H
/* Elementwise loops of the relevance walk. Arrays do not overlap. */
#include <stddef.h>

#include "attribution/rule.h"

void kernel_part(size_t n, rule_input part, const float *x, float *y); /* y = part(x): positive or negative */
void kernel_map(size_t n, const rule_map *map, float sign, const float *x,
                float *y);                                                    /* y = sign map(x), each in double */
void kernel_add(size_t n, const float *x, float *y);                          /* y += x */
void kernel_multiply(size_t n, const float *x, float *y);                     /* y *= x */
void kernel_multiply_add(size_t n, const float *x, const float *t, float *y); /* y += x t */
/* y += coef t where part(x) is not 0; part INPUT_ALL: everywhere */
void kernel_add_where(size_t n, rule_input part, float coef, const float *x, const float *t, float *y);
void kernel_add_product(size_t n, float coef, const float *x, const float *t, float *y); /* y += coef x t */
void kernel_absolute(size_t n, const float *x, float *y);                                /* y = |x| */
void kernel_select(size_t n, const float *x, const float *t, float *y);                  /* y = t unless x > 0 */
void kernel_add_signed(size_t n, const float *x, const float *t, float *y); /* y += t where x > 0, y -= t elsewhere */
void kernel_gate(size_t n, rule_gate gate, const float *z, float *y);       /* y = 0 where z does not pass */

#endif
