#include "backend/cholesky.h"

#include <assert.h>
#include <math.h>

#include <cblas.h>

/* LAPACK's Fortran interface; OpenBLAS exports it, its header does not declare it, and LAPACKE is a package of its own. The last argument is
 * the length of `uplo`, which gfortran passes and others ignore. */
typedef int lapack_int;
void dpotrf_(const char *uplo, const lapack_int *n, double *a, const lapack_int *lda, lapack_int *info, size_t length);
void dpotrs_(const char *uplo, const lapack_int *n, const lapack_int *nrhs, const double *a, const lapack_int *lda, double *b,
             const lapack_int *ldb, lapack_int *info, size_t length);
void dpotri_(const char *uplo, const lapack_int *n, double *a, const lapack_int *lda, lapack_int *info, size_t length);

/* The lower triangle row by row is the upper one column by column: A = U' U with U = L'. */
static const char *const upper = "U";

static lapack_int narrow(size_t n)
{
    assert(n <= CHOLESKY_MOST);
    return (lapack_int)n;
}

size_t cholesky_factor(size_t n, double a[])
{
    for (size_t i = 0; i < n; i++) { /* dpotrf takes a NaN below the first block for a number */
        for (size_t j = 0; j <= i; j++) {
            if (!isfinite(a[i * n + j])) {
                return i + 1;
            }
        }
    }
    const lapack_int order = narrow(n);
    lapack_int info = 0;
    if (n > 0) {
        dpotrf_(upper, &order, a, &order, &info, 1);
        assert(info >= 0);
    }
    return (size_t)info;
}

void cholesky_solve(size_t n, const double l[], size_t m, double b[])
{
    const lapack_int order = narrow(n), count = narrow(m);
    lapack_int info = 0;
    if (n > 0 && m > 0) {
        dpotrs_(upper, &order, &count, l, &order, b, &order, &info, 1);
        assert(info == 0);
    }
}

void cholesky_half_solve(size_t n, const double l[], size_t m, double b[])
{
    if (n > 0 && m > 0) { /* each row x of B: L x = b, so X L' = B */
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, narrow(m), narrow(n), 1.0, l, narrow(n), b,
                    narrow(n));
    }
}

void cholesky_inverse(size_t n, double l[])
{
    const lapack_int order = narrow(n);
    lapack_int info = 0;
    if (n > 0) {
        dpotri_(upper, &order, l, &order, &info, 1);
        assert(info == 0); /* a factor has no zero on its diagonal */
    }
}

double cholesky_log_determinant(size_t n, const double l[])
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += log(l[i * n + i]);
    }
    return 2.0 * sum;
}
