#ifndef NN_SIZES_H
#define NN_SIZES_H
/* Limits that are checked once, when a graph is built, so that kernels need no checks. Sizes come from files: hostile. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(size_t) >= 8, "products of two 31-bit sizes are held in a size_t");

#define MAX_COUNT ((size_t)INT32_MAX) /* elements of a tensor or of one sample's activation: BLAS counts with 32 bits */
#define MAX_WORKSPACE ((size_t)1 << 34) /* floats that one layer may need as scratch */

/* The product of the dimensions, or false where one is 0 or it exceeds MAX_COUNT. */
static inline bool sizes_product(size_t n, const size_t dim[], size_t *out)
{
    size_t count = 1;
    for (size_t i = 0; i < n; i++) {
        if (dim[i] == 0 || dim[i] > MAX_COUNT / count) {
            return false;
        }
        count *= dim[i];
    }
    *out = count;
    return true;
}

#endif
