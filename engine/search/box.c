#include "search/box.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <nlopt.h>

enum { MOST_COORDINATES = 128 };

/* A step that changes the value by less than this share of it, or no coordinate by more than this, is the last. */
static const double value_tolerance = 1e-10, step_tolerance = 1e-5;

typedef struct seen {
    box_function *f;
    void *context;
    size_t evaluations;
    double best, x[MOST_COORDINATES], spare[MOST_COORDINATES];
} seen;

static double look(unsigned n, const double *x, double *gradient, void *data)
{
    seen *s = data;
    const double value = s->f(s->context, n, x, gradient != NULL ? gradient : s->spare);
    s->evaluations++;
    if (isfinite(value) && value > s->best) {
        s->best = value;
        memcpy(s->x, x, n * sizeof *x);
    }
    return value;
}

static nlopt_result run(nlopt_opt opt, seen *s, size_t n, const double lower[], const double upper[], size_t most, double x[])
{
    const nlopt_result set[] = {
        nlopt_set_lower_bounds(opt, lower),           nlopt_set_upper_bounds(opt, upper),
        nlopt_set_max_objective(opt, look, s),        nlopt_set_maxeval(opt, (int)most),
        nlopt_set_ftol_rel(opt, value_tolerance),     nlopt_set_xtol_abs1(opt, step_tolerance),
    };
    for (size_t i = 0; i < COUNT(set); i++) {
        if (set[i] < 0) {
            return NLOPT_INVALID_ARGS;
        }
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = fmin(fmax(x[i], lower[i]), upper[i]);
    }
    double value = 0.0;
    return nlopt_optimize(opt, x, &value);
}

status box_maximise(size_t n, const double lower[], const double upper[], size_t most_evaluations, box_function *f, void *context,
                    double x[], box_report *report)
{
    assert(n > 0 && n <= MOST_COORDINATES && most_evaluations < 1000000);
    nlopt_opt opt = nlopt_create(NLOPT_LD_LBFGS, (unsigned)n);
    if (opt == NULL) {
        return FAIL(ST_ENVIRONMENT, "out of memory while starting NLopt for %zu coordinates", n);
    }
    seen s = {.f = f, .context = context, .best = -INFINITY};
    const nlopt_result result = run(opt, &s, n, lower, upper, most_evaluations, x);
    nlopt_destroy(opt);
    if (result == NLOPT_OUT_OF_MEMORY) {
        return FAIL(ST_ENVIRONMENT, "out of memory in NLopt, for %zu coordinates", n);
    }
    if (result == NLOPT_INVALID_ARGS) {
        return FAIL(ST_BUG, "NLopt refuses %zu coordinates", n);
    }
    *report = (box_report){.value = s.best, .evaluations = s.evaluations};
    if (s.best > -INFINITY) {
        memcpy(x, s.x, n * sizeof *x);
    }
    return STATUS_OK;
}

const char *box_library(arena *a)
{
    int major = 0, minor = 0, bugfix = 0;
    nlopt_version(&major, &minor, &bugfix);
    return arena_text(a, "NLopt %d.%d.%d", major, minor, bugfix);
}
