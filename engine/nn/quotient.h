#ifndef NN_QUOTIENT_H
#define NN_QUOTIENT_H
/* The first step of every rule that divides by a layer's output:  s = R/st(z),  with R = t f, or R = t where f is NULL (nn/op.h). */
#include <stddef.h>

/* s is distinct from t; f may be z, which spares a read. */
void quotient(size_t n, float epsilon, const float *t, const float *f, const float *z, float *s);

#endif
