#include "nn/quotient.h"

#include "core/vector.h"
#include "nn/stabilise.h"

VECTOR_KERNEL
static void of_relevance(size_t n, float epsilon, const float *restrict t, const float *restrict z, float *restrict s)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = t[i] / stabilise(z[i], epsilon);
    }
}

VECTOR_KERNEL
static void of_own_output(size_t n, float epsilon, const float *restrict t, const float *restrict z, float *restrict s)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = t[i] * z[i] / stabilise(z[i], epsilon);
    }
}

VECTOR_KERNEL
static void of_product(size_t n, float epsilon, const float *restrict t, const float *restrict f,
                       const float *restrict z, float *restrict s)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = t[i] * f[i] / stabilise(z[i], epsilon);
    }
}

void quotient(size_t n, float epsilon, const float *t, const float *f, const float *z, float *s)
{
    if (f == NULL) {
        of_relevance(n, epsilon, t, z, s);
    } else if (f == z) {
        of_own_output(n, epsilon, t, z, s);
    } else {
        of_product(n, epsilon, t, f, z, s);
    }
}
