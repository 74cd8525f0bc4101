#ifndef SEARCH_GP_PARTS_H
#define SEARCH_GP_PARTS_H
/* What gp.c and gp_fit.c share: the covariance of the observations and what is solved with it, in memory that a fit uses again and again. */
#include "search/gp.h"

typedef struct gp_system {
    double *scaled;      /* [n, width] */
    double *correlation; /* [n, n] lower triangle of k */
    double *factor;      /* [n, n] */
    double *weight, *ones; /* [n] */
    double mean, precision, jitter;
} gp_system;

MUST_CHECK status gp_check(const gp_data *data);
MUST_CHECK status gp_check_parameters(const gp_data *data, const gp_parameters *p);
MUST_CHECK status gp_system_alloc(arena *a, const gp_data *data, gp_system *out);
/* Errors: ST_DATA where K has no factor with the largest jitter. */
MUST_CHECK status gp_system_solve(const gp_data *data, const gp_parameters *p, gp_system *s);
/* Spoils s->factor where a gradient is asked for. */
double gp_system_likelihood(const gp_data *data, const gp_parameters *p, gp_system *s, double gradient[]);

#endif
