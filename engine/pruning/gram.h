#ifndef PRUNING_GRAM_H
#define PRUNING_GRAM_H
/* The Gram matrix of scores [image, component] about their means, in doubles, over images (X X') or over components (X' X), whichever is
 * smaller: both have the same eigenvalues but for zeros, (n - 1) times those of the covariance.
 *
 * A tile of 64 x 64 elements is computed by calls of one shape whoever computes it, so that an element's bits depend on the scores alone and not
 * on how tiles are dealt out. */
#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/status.h"

enum { GRAM_TILE = 64 };

typedef struct gram {
    const float *rows;       /* [.., stride] borrowed, as the lists are */
    size_t stride;
    size_t n_samples;
    const size_t *sample;    /* [n_samples] which rows */
    size_t n_components;
    const size_t *component; /* [n_components] which columns */
    const double *mean;      /* [n_components] */
    size_t order;            /* of the matrix */
    bool over_samples;
    double *panel[2];        /* of tiles, while they are computed */
} gram;

/* Means are added up in the order of `sample`. Errors: ST_ENVIRONMENT. */
MUST_CHECK status gram_open(arena *a, const float *rows, size_t stride, size_t n_samples, const size_t sample[], size_t n_components,
                            const size_t component[], gram *out);
size_t gram_open_bytes(size_t n_components); /* what that takes of the arena */

/* Are all scores finite? Else the first that is not: indices into `sample` and `component`. Such a matrix has no eigenvalues. */
bool gram_is_finite(const gram *g, size_t *sample, size_t *component);

/* Of the tiles (I, J), J <= I, those with I = i (mod p), J = j (mod q): a block-cyclic share, the whole lower half with p = q = 1.
 * They lie without gaps in columns, ldc elements apart; what is above the diagonal and in no tile on it stays as it is. */
void gram_fill(const gram *g, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc);

/* From ascending eigenvalues [order] of the matrix to descending ones of the covariance, in place: divided by n - 1, and those that rounding
 * made negative are 0. With one image they are NaN. */
void gram_to_covariance(const gram *g, double *values);

/* Eigenvalues [order] of the covariance, descending, by LAPACK on one thread. Errors: those of dense_eigenvalues(). */
MUST_CHECK status gram_eigenvalues(arena *scratch, const gram *g, double *values);
size_t gram_eigenvalues_bytes(size_t order);

#endif
