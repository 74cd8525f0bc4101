#include "backend/dense.h"

#include <assert.h>
#include <cblas.h>

#include "core/text.h"

/* LAPACK as Fortran compilers call it: the lengths of texts come at the end, by value. Its C interface is not everywhere. */
extern void dsyevd_(const char *vectors, const char *half, const int *n, double *a, const int *lda, double *w, double *work, const int *lwork,
                    int *iwork, const int *liwork, int *info, size_t, size_t);
extern void dsterf_(const int *n, double *d, double *e, int *info);
extern void ilaver_(int *major, int *minor, int *patch);

void dense_add_products(size_t m, size_t n, size_t k, const double *a, const double *b, double *c, size_t ldc)
{
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1.0, a, (int)m, b, (int)n, 1.0, c, (int)ldc);
}

size_t dense_eigenvalues_work(size_t n)
{
    const int order = (int)n, ask = -1;
    double wanted = 0.0, none = 0.0;
    int wanted_ints = 0, info = 0;
    dsyevd_("N", "L", &order, &none, &order, &none, &wanted, &ask, &wanted_ints, &ask, &info, 1, 1);
    const size_t least = 2 * n + 1; /* as documented, should an answer be too small */
    return (size_t)wanted > least ? (size_t)wanted : least;
}

status dense_eigenvalues(arena *scratch, size_t n, double *a, double *values)
{
    assert(n > 0 && n <= DENSE_MOST);
    const int order = (int)n, size = (int)dense_eigenvalues_work(n), ints = 1;
    int info = 0, none = 0;
    double *work;
    TRY_ALLOC(work, scratch, (size_t)size);
    dsyevd_("N", "L", &order, a, &order, values, work, &size, &none, &ints, &info, 1, 1);
    return info == 0 ? STATUS_OK : FAIL(ST_DATA, "the eigenvalues of a matrix of order %zu were not found (dsyevd says %d)", n, info);
}

status dense_tridiagonal_eigenvalues(size_t n, double *diagonal, double *beside)
{
    const int order = (int)n;
    int info = 0;
    dsterf_(&order, diagonal, beside, &info);
    return info == 0 ? STATUS_OK : FAIL(ST_DATA, "the eigenvalues of a matrix of order %zu were not found (dsterf says %d)", n, info);
}

const char *dense_version(arena *a)
{
    int major = 0, minor = 0, patch = 0;
    ilaver_(&major, &minor, &patch);
    return arena_text(a, "%d.%d.%d", major, minor, patch);
}
