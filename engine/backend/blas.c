#include "backend/blas.h"

#include <cblas.h>

size_t blas_threads(void)
{
    const int n = openblas_get_num_threads();
    return n > 0 ? (size_t)n : 1;
}

const char *blas_kernel(void)
{
    return openblas_get_corename();
}
