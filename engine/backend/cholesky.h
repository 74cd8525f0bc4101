#ifndef BACKEND_CHOLESKY_H
#define BACKEND_CHOLESKY_H
/* Dense symmetric positive definite systems in double, by LAPACK (dpotrf, dpotrs, dpotri) and BLAS (dtrsm). Matrices are [n, n] row by row, and
 * the factor L (A = L L') is the lower triangle; what lies above the diagonal is neither read nor written. n <= CHOLESKY_MOST.
 *
 * The calls run on one thread, so that the bits are the same on every rank. backend_def.start() comes first, of any backend: it fixes the
 * number of threads, and OpenBLAS takes its memory there. */
#include <stddef.h>

#include "core/status.h"

enum { CHOLESKY_MOST = 1 << 15 }; /* 8 GiB a matrix */

/* In place. 0: done; k > 0: the leading minor of order k is not positive definite (or a number is not finite), and a[] is spoiled. */
MUST_CHECK size_t cholesky_factor(size_t n, double a[]);

/* B [m, n], m right-hand sides, each a row, in place: A x = b, and L x = b ("half"). */
void cholesky_solve(size_t n, const double l[], size_t m, double b[]);
void cholesky_half_solve(size_t n, const double l[], size_t m, double b[]);

/* The lower triangle of A^-1, in place of L. */
void cholesky_inverse(size_t n, double l[]);

double cholesky_log_determinant(size_t n, const double l[]); /* of A */

#endif
