#ifndef BACKEND_DENSE_H
#define BACKEND_DENSE_H
/* Dense matrices of doubles in columns, as LAPACK has them: products and eigenvalues. The same call gives the same bits.
 *
 * The calls run on one thread. backend_def.start() comes first, of any backend: it fixes the number of threads, and OpenBLAS takes its memory
 * there. */
#include <stddef.h>

#include "core/arena.h"
#include "core/status.h"

/* c [n columns of m, ldc apart] += a b', with a [k,m] and b [k,n] in rows: c(i,j) += sum over l of a(l,i) b(l,j). */
void dense_add_products(size_t m, size_t n, size_t k, const double *a, const double *b, double *c, size_t ldc);

enum { DENSE_MOST = 32768 }; /* order of a matrix: LAPACK counts elements in ints */

/* Eigenvalues [n], ascending, of the symmetric matrix whose lower half is in a [n columns of n], which is lost. LAPACK's dsyevd.
 * n in [1, DENSE_MOST]. Errors: ST_ENVIRONMENT (memory), ST_DATA where it does not converge, as with what is not finite. */
MUST_CHECK status dense_eigenvalues(arena *scratch, size_t n, double *a, double *values);
size_t dense_eigenvalues_work(size_t n); /* doubles that this takes of `scratch`, and a few bytes */

/* The same of a tridiagonal matrix: diagonal [n], which becomes the eigenvalues, and the n - 1 elements beside it, which are lost. */
MUST_CHECK status dense_tridiagonal_eigenvalues(size_t n, double *diagonal, double *beside);

const char *dense_version(arena *a); /* "3.9.0" of LAPACK */

#endif
