#ifndef PARALLEL_EIGEN_H
#define PARALLEL_EIGEN_H
/* Eigenvalues of a symmetric matrix that lies in tiles over all ranks (block-cyclic), by ScaLAPACK.
 *
 * Reflections bring it to tridiagonal form (pdsytrd), whose eigenvalues are found on one rank (LAPACK's dsterf): what dsyevd does without
 * eigenvectors. ScaLAPACK's own pdsyevd knows no such thing: it makes all eigenvectors too. Sums go over the ranks in an order that
 * depends on how many there are, so that eigenvalues of different numbers of ranks agree to a few units of rounding of the largest one, and not
 * bit for bit. */
#include "parallel/comm.h"

enum { EIGEN_TILE = 64 };

typedef struct eigen_matrix {
    size_t order;
    const void *context;
    /* Local. Of the tiles (I, J) of 64 x 64, J <= I, those with I = i (mod p), J = j (mod q), without gaps in columns ldc elements apart. */
    void (*fill)(const void *context, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc);
} eigen_matrix;

bool eigen_built(void);          /* is ScaLAPACK in this build? */
const char *eigen_package(void); /* what to install, where it is not */
const char *eigen_version(void); /* of what was found when this was built */

/* Local. Can it be done on so many ranks? Errors: ST_ENVIRONMENT (no ScaLAPACK in this build, too large a share for its 32-bit indices). */
MUST_CHECK status eigen_check(size_t order, int ranks);

/* Collective. Eigenvalues [order] on rank 0, ascending; on others `values` is not used. Errors, on all ranks: those of
 * eigen_check(), ST_ENVIRONMENT (memory), ST_DATA where they are not found. */
MUST_CHECK status eigen_values(comm *c, arena *scratch, const eigen_matrix *m, double *values);
size_t eigen_bytes(size_t order, int ranks); /* the most that this takes of a rank's `scratch` */

#endif
