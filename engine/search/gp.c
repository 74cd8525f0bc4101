#include "search/gp.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "backend/cholesky.h"
#include "search/gp_parts.h"
#include "search/kernel.h"

/* Equal points without noise make K singular. Relative to the signal: none at first, then from well above the rounding errors of a factor up to a
 * hundredth of the signal's standard deviation. */
static const double first_jitter = 1e-10, last_jitter = 1e-4;

status gp_check(const gp_data *d)
{
    if (d->n == 0 || d->n > GP_MOST_OBSERVATIONS || d->n_scales == 0 || d->n_scales > GP_MOST_SCALES) {
        return FAIL(ST_DATA, "Gaussian process: %zu observations with %zu length scales; expected 1 to %d with 1 to %d", d->n, d->n_scales,
                    GP_MOST_OBSERVATIONS, GP_MOST_SCALES);
    }
    for (size_t i = 0; i < d->n; i++) {
        if (!isfinite(d->y[i]) || !isfinite(d->variance[i]) || d->variance[i] < 0.0) {
            return FAIL(ST_DATA, "Gaussian process: observation %zu is %g with variance %g; expected finite numbers, a variance of at least 0",
                        i, d->y[i], d->variance[i]);
        }
    }
    for (size_t i = 0; i < d->n * d->width; i++) {
        if (!isfinite(d->x[i])) {
            return FAIL(ST_DATA, "Gaussian process: coordinate %zu of observation %zu is %g; expected a finite number", i % d->width,
                        i / d->width, d->x[i]);
        }
    }
    return STATUS_OK;
}

status gp_check_parameters(const gp_data *d, const gp_parameters *p)
{
    bool fine = isfinite(p->signal) && p->signal > 0.0 && isfinite(p->noise) && p->noise >= 0.0;
    for (size_t s = 0; s < d->n_scales; s++) {
        fine = fine && isfinite(p->scale[s]) && p->scale[s] > 0.0;
    }
    return fine ? STATUS_OK
                : FAIL(ST_DATA, "Gaussian process: signal %g, noise %g; expected finite numbers and length scales above 0", p->signal, p->noise);
}

status gp_system_alloc(arena *a, const gp_data *d, gp_system *out)
{
    *out = (gp_system){0};
    TRY_ALLOC(out->scaled, a, d->n * d->width);
    TRY_ALLOC(out->correlation, a, d->n * d->n);
    TRY_ALLOC(out->factor, a, d->n * d->n);
    TRY_ALLOC(out->weight, a, d->n);
    TRY_ALLOC(out->ones, a, d->n);
    return STATUS_OK;
}

/* The first row of L whose pivot is no more than the rounding errors of what it was made of, counted from 1; a singular matrix can have a
 * factor by luck. 0: none. */
static size_t bad_pivot(const gp_data *d, const gp_parameters *p, const gp_system *s)
{
    for (size_t i = 0; i < d->n; i++) {
        const double pivot = s->factor[i * d->n + i], whole = p->signal + s->jitter + p->noise + d->variance[i];
        if (!(pivot * pivot > (double)d->n * DBL_EPSILON * whole)) {
            return i + 1;
        }
    }
    return 0;
}

static size_t factorise(const gp_data *d, const gp_parameters *p, gp_system *s)
{
    const size_t n = d->n;
    double relative = 0.0;
    size_t bad = 1;
    while (bad != 0 && relative < last_jitter * 1.5) { /* 1.5: powers of ten are rounded */
        s->jitter = relative * p->signal;
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < i; j++) {
                s->factor[i * n + j] = p->signal * s->correlation[i * n + j];
            }
            s->factor[i * n + i] = p->signal + s->jitter + p->noise + d->variance[i];
        }
        bad = cholesky_factor(n, s->factor);
        bad = bad == 0 ? bad_pivot(d, p, s) : bad;
        relative = relative == 0.0 ? first_jitter : 10.0 * relative;
    }
    return bad;
}

status gp_system_solve(const gp_data *d, const gp_parameters *p, gp_system *s)
{
    const size_t n = d->n;
    kernel_scaled(n, d->width, d->scale_of, p->scale, d->x, s->scaled);
    kernel_among(d->width, n, s->scaled, s->correlation);
    const size_t bad = factorise(d, p, s);
    if (bad != 0) {
        return FAIL(ST_DATA,
                    "Gaussian process: the covariance of %zu observations is not positive definite at number %zu, even with %g on its "
                    "diagonal (signal %g, noise %g)",
                    n, bad, s->jitter, p->signal, p->noise);
    }
    for (size_t i = 0; i < n; i++) {
        s->ones[i] = 1.0;
        s->weight[i] = d->y[i];
    }
    cholesky_solve(n, s->factor, 1, s->ones);
    cholesky_solve(n, s->factor, 1, s->weight);
    double of_y = 0.0;
    s->precision = 0.0;
    for (size_t i = 0; i < n; i++) {
        s->precision += s->ones[i];
        of_y += s->weight[i];
    }
    s->mean = of_y / s->precision;
    for (size_t i = 0; i < n; i++) { /* K^-1 (y - m) anew: what is large in y and the same everywhere would leave its rounding errors */
        s->weight[i] = d->y[i] - s->mean;
    }
    cholesky_solve(n, s->factor, 1, s->weight);
    return STATUS_OK;
}

status gp_build(arena *a, const gp_data *data, const gp_parameters *p, gp *out)
{
    gp_system s;
    TRY(gp_check(data));
    TRY(gp_check_parameters(data, p));
    TRY(gp_system_alloc(a, data, &s));
    TRY(gp_system_solve(data, p, &s));
    *out = (gp){.data = *data,
                .parameters = *p,
                .scaled = s.scaled,
                .factor = s.factor,
                .weight = s.weight,
                .ones = s.ones,
                .mean = s.mean,
                .precision = s.precision,
                .jitter = s.jitter};
    return STATUS_OK;
}

static double dot(size_t n, const double a[], const double b[])
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* half [m, n] = k(x, X) L'^-1, mean [m], rest [m] = 1 - 1' K^-1 k(X, x): how far the weights of the observations are from adding up to one. */
static void prepare(const gp *g, size_t m, const double x[], double half[], double scaled[], double mean[], double rest[])
{
    const size_t n = g->data.n, width = g->data.width;
    kernel_scaled(m, width, g->data.scale_of, g->parameters.scale, x, scaled);
    kernel_between(width, m, scaled, n, g->scaled, half);
    for (size_t i = 0; i < m * n; i++) {
        half[i] *= g->parameters.signal;
    }
    for (size_t i = 0; i < m; i++) {
        mean[i] = g->mean + dot(n, &half[i * n], g->weight);
        rest[i] = 1.0 - dot(n, &half[i * n], g->ones);
    }
    cholesky_half_solve(n, g->factor, m, half);
}

/* RW eq. 2.42 with the one basis function 1: s - k' K^-1 k + rest^2 / (1' K^-1 1). */
void gp_predict(const gp *g, size_t m, const double x[], double work[], double mean[], double variance[])
{
    const size_t n = g->data.n;
    prepare(g, m, x, work, &work[m * n], mean, variance);
    for (size_t i = 0; i < m; i++) {
        const double known = dot(n, &work[i * n], &work[i * n]);
        variance[i] = fmax(0.0, g->parameters.signal - known + variance[i] * variance[i] / g->precision);
    }
}
