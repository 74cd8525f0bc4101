/* The marginal likelihood of a Gaussian process and its most probable parameters (gp.h). */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "backend/cholesky.h"
#include "core/rng.h"
#include "search/box.h"
#include "search/gp.h"
#include "search/gp_parts.h"
#include "search/kernel.h"

/* With K = factor factor', w = K^-1 (y - m), o = K^-1 1, p = 1' K^-1 1 (RW eq. 2.45, one basis function):
 *   log L = -1/2 (y - m)' w - 1/2 log|K| - 1/2 log p - (n - 1)/2 log 2 pi,
 *   d log L = sum_ij W_ij dK_ij,   W = 1/2 (w w' - K^-1 + o o' / p). */
double gp_system_likelihood(const gp_data *d, const gp_parameters *p, gp_system *s, double gradient[])
{
    const size_t n = d->n, scales = d->n_scales, width = d->width;
    double fit = 0.0;
    for (size_t i = 0; i < n; i++) {
        fit += (d->y[i] - s->mean) * s->weight[i];
    }
    const double value = -0.5 * (fit + cholesky_log_determinant(n, s->factor) + log(s->precision) + ((double)n - 1.0) * log(2.0 * acos(-1.0)));
    if (gradient == NULL) {
        return value;
    }
    memset(gradient, 0, (scales + 2) * sizeof *gradient);
    cholesky_inverse(n, s->factor);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) { /* both halves at once */
            const double w = s->weight[i] * s->weight[j] - s->factor[i * n + j] + s->ones[i] * s->ones[j] / s->precision;
            const double *a = &s->scaled[i * width], *b = &s->scaled[j * width];
            const double slope = w * p->signal * kernel_matern52_slope(kernel_distance2(width, a, b));
            for (size_t c = 0; c < width; c++) {
                gradient[d->scale_of[c]] += slope * (a[c] - b[c]) * (a[c] - b[c]);
            }
            gradient[scales] += w * p->signal * s->correlation[i * n + j];
        }
        const double w = 0.5 * (s->weight[i] * s->weight[i] - s->factor[i * n + i] + s->ones[i] * s->ones[i] / s->precision);
        gradient[scales] += w * (p->signal + s->jitter); /* the jitter is a share of the signal */
        gradient[scales + 1] += w * p->noise;
    }
    return value;
}

status gp_log_likelihood(arena *scratch, const gp_data *data, const gp_parameters *p, double *value, double gradient[])
{
    gp_system s;
    TRY(gp_check(data));
    TRY(gp_check_parameters(data, p));
    TRY(gp_system_alloc(scratch, data, &s));
    TRY(gp_system_solve(data, p, &s));
    *value = gp_system_likelihood(data, p, &s, gradient);
    return STATUS_OK;
}

enum { COORDINATES = GP_MOST_SCALES + 2, MOST_EVALUATIONS = 120 };

/* Of one hyperparameter, on the logarithmic scale. */
typedef struct prior {
    double mean, variance, low, high;    /* normal, and the bounds of the maximiser */
    double first, start_low, start_high; /* the first start; the others are uniform between these two */
} prior;

typedef struct fit {
    gp_data data; /* y and variance in units of its deviation */
    gp_system system;
    prior prior[COORDINATES];
    size_t n; /* coordinates */
} fit;

static void set_priors(fit *f)
{
    const double scales = (double)f->data.n_scales, mean = sqrt(2.0) - 3.0 + 0.5 * log(scales);
    for (size_t i = 0; i < f->data.n_scales; i++) {
        f->prior[i] = (prior){mean, 3.0, log(0.05), log(1000.0), mean, log(0.2), 0.5 * log(scales) + log(5.0)};
    }
    f->prior[f->data.n_scales] = (prior){0.0, 1.0, log(0.01), log(100.0), 0.0, log(0.3), log(3.0)};
    f->prior[f->data.n_scales + 1] = (prior){-6.0, 4.0, log(1e-8), log(2.0), -6.0, log(1e-5), log(0.3)};
}

static gp_parameters parameters_at(const fit *f, const double x[])
{
    gp_parameters p = {.signal = exp(x[f->n - 2]), .noise = exp(x[f->n - 1])};
    for (size_t i = 0; i < f->data.n_scales; i++) {
        p.scale[i] = exp(x[i]);
    }
    return p;
}

static double log_posterior(void *context, size_t n, const double x[], double gradient[])
{
    fit *f = context;
    const gp_parameters p = parameters_at(f, x);
    if (!status_ok(gp_system_solve(&f->data, &p, &f->system))) {
        status_clear(); /* no place for a maximum; the caller fails where there was no other */
        memset(gradient, 0, n * sizeof *gradient);
        return -HUGE_VAL;
    }
    double value = gp_system_likelihood(&f->data, &p, &f->system, gradient);
    for (size_t i = 0; i < n; i++) {
        const double off = x[i] - f->prior[i].mean;
        value -= 0.5 * off * off / f->prior[i].variance;
        gradient[i] -= off / f->prior[i].variance;
    }
    return value;
}

/* y in units of its standard deviation, around its mean. */
static status standardise(arena *a, const gp_data *data, fit *f, double *spread)
{
    double *y, *variance, mean = 0.0, sum = 0.0;
    TRY_ALLOC(y, a, data->n);
    TRY_ALLOC(variance, a, data->n);
    for (size_t i = 0; i < data->n; i++) {
        mean += data->y[i] / (double)data->n;
    }
    for (size_t i = 0; i < data->n; i++) {
        sum += (data->y[i] - mean) * (data->y[i] - mean) / (double)data->n;
    }
    /* What is constant but for rounding has no deviation of its own. */
    *spread = sqrt(sum) > 1e-12 * fabs(mean) && sqrt(sum) > 1e-150 ? sqrt(sum) : 1.0;
    if (!isfinite(*spread) || !isfinite(mean)) {
        return FAIL(ST_DATA, "Gaussian process: the observations are too large for their variance; expected numbers below 1e150");
    }
    for (size_t i = 0; i < data->n; i++) {
        y[i] = (data->y[i] - mean) / *spread;
        variance[i] = data->variance[i] / (*spread * *spread);
        if (!isfinite(variance[i])) {
            return FAIL(ST_DATA, "Gaussian process: observation %zu has variance %g, too large beside the values' own", i, data->variance[i]);
        }
    }
    f->data = *data;
    f->data.y = y;
    f->data.variance = variance;
    return STATUS_OK;
}

static void start_at(const fit *f, uint64_t seed, size_t start, double x[])
{
    for (size_t i = 0; i < f->n; i++) {
        const prior *p = &f->prior[i];
        const double u = rng_uniform(seed, RNG_STARTS, (uint32_t)start, (uint32_t)i);
        x[i] = start == 0 ? p->first : p->start_low + u * (p->start_high - p->start_low);
    }
}

status gp_fit(arena *scratch, const gp_data *data, uint64_t seed, size_t n_starts, gp_parameters *out, gp_fit_report *report)
{
    fit *f;
    double spread = 1.0, best[COORDINATES], x[COORDINATES], low[COORDINATES], high[COORDINATES];
    assert(n_starts > 0);
    TRY(gp_check(data));
    TRY_ALLOC(f, scratch, 1);
    TRY(standardise(scratch, data, f, &spread));
    TRY(gp_system_alloc(scratch, data, &f->system));
    f->n = data->n_scales + 2;
    set_priors(f);
    for (size_t i = 0; i < f->n; i++) {
        low[i] = f->prior[i].low;
        high[i] = f->prior[i].high;
    }
    *report = (gp_fit_report){.log_posterior = -INFINITY};
    for (size_t start = 0; start < n_starts; start++) {
        box_report r;
        start_at(f, seed, start, x);
        TRY(box_maximise(f->n, low, high, MOST_EVALUATIONS, log_posterior, f, x, &r));
        report->evaluations += r.evaluations;
        if (r.value > report->log_posterior) {
            report->log_posterior = r.value;
            memcpy(best, x, f->n * sizeof *x);
        }
    }
    if (!(report->log_posterior > -INFINITY)) {
        return FAIL(ST_DATA, "Gaussian process: no hyperparameters give %zu observations a finite likelihood", data->n);
    }
    *out = parameters_at(f, best);
    out->signal *= spread * spread;
    out->noise *= spread * spread;
    return STATUS_OK;
}
