#ifndef SEARCH_GP_H
#define SEARCH_GP_H
/* A Gaussian process through noisy observations (Rasmussen and Williams 2006, chapters 2 and 5; "RW" below):
 *   y_i = m + f(x_i) + e_i,   f ~ GP(0, signal k),   e_i ~ N(0, variance_i + noise),
 * with the Matern-5/2 kernel k (kernel.h). The constant m has a flat prior and is integrated out (RW section 2.7), so its uncertainty is in the
 * posterior variance. variance_i is what is known of an observation's noise (binomial, over seeds), `noise` what is left and is estimated. */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

enum { GP_MOST_SCALES = 64, GP_MOST_OBSERVATIONS = 8192 };

typedef struct gp_data {
    size_t n, width, n_scales; /* observations, coordinates, length scales */
    const size_t *scale_of;    /* [width] below n_scales */
    const double *x;           /* [n, width] */
    const double *y;           /* [n] */
    const double *variance;    /* [n], >= 0 */
} gp_data;

typedef struct gp_parameters {
    double scale[GP_MOST_SCALES]; /* length scales, in the units of x */
    double signal, noise;         /* variances, in squared units of y */
} gp_parameters;

typedef struct gp {
    gp_data data; /* borrowed */
    gp_parameters parameters;
    const double *scaled; /* [n, width] x in length scales */
    const double *factor; /* [n, n] lower triangle L of K = L L' */
    const double *weight; /* [n] K^-1 (y - m) */
    const double *ones;   /* [n] K^-1 1 */
    double mean, precision; /* m and 1' K^-1 1 */
    double jitter;          /* added to the diagonal of K so that it has a factor; 0 nearly always */
} gp;

/* Borrows the data; the rest lives in `a`. Errors: ST_DATA (a number is not finite, a variance below 0, nothing observed; no factor with the
 * largest jitter). */
MUST_CHECK status gp_build(arena *a, const gp_data *data, const gp_parameters *p, gp *out);

/* Of m + f (without noise) at m rows of x [m, width]: mean [m] and variance [m]. work [m, n + width]. */
void gp_predict(const gp *g, size_t m, const double x[], double work[], double mean[], double variance[]);

/* The logarithm of the marginal likelihood with m integrated out (RW eq. 2.45) and its derivatives by the logarithms of scale[], signal and
 * noise, in this order: gradient [n_scales + 2], or NULL. For tests of what gp_fit() climbs on. Errors: as gp_build(). */
MUST_CHECK status gp_log_likelihood(arena *scratch, const gp_data *data, const gp_parameters *p, double *value, double gradient[]);

/* The most probable parameters. With y in units of its standard deviation the priors are
 *   log scale ~ N(sqrt 2 - 3 + log(n_scales)/2, 3): the density in the scale of Hvarfner, Hellsten and Nardi (Vanilla Bayesian optimization
 *                     performs great in high dimensions, 2024), LogNormal(sqrt 2 + log(n_scales)/2, 3), as a density in its logarithm
 *   log signal ~ N(0, 1),   log noise ~ N(-6, 4)  (within one deviation of it: noise of 1/50 to 1/7 of the deviation of y)
 * within the bounds of gp_fit.c. Maximised from n_starts > 0 points, the first one fixed, the others from random numbers of `seed`; ties
 * go to the earlier. The same data give the same parameters. */
typedef struct gp_fit_report {
    double log_posterior; /* of the data in units of their deviation; without constants of the priors */
    size_t evaluations;   /* of all starts together */
} gp_fit_report;
MUST_CHECK status gp_fit(arena *scratch, const gp_data *data, uint64_t seed, size_t n_starts, gp_parameters *out, gp_fit_report *report);

#endif
