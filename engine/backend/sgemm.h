#ifndef BACKEND_SGEMM_H
#define BACKEND_SGEMM_H
/* OpenBLAS's product of matrices with our sizes. */
#include <assert.h>
#include <cblas.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes were checked when the graph was built. */
static inline blasint sgemm_size(size_t n)
{
    assert(n <= INT32_MAX);
    return (blasint)n;
}

/* c [m,n] = alpha a b + beta c, leading dimensions in elements; `at`/`bt`: the operand is stored transposed. */
static inline void sgemm(int at, int bt, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                         const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, at ? CblasTrans : CblasNoTrans, bt ? CblasTrans : CblasNoTrans, sgemm_size(m),
                sgemm_size(n), sgemm_size(k), alpha, a, sgemm_size(lda), b, sgemm_size(ldb), beta, c, sgemm_size(ldc));
}

#endif
