#include "search/model.h"

#include <math.h>
#include <string.h>

status search_check(const space *s, size_t n_trials, const search_trial trial[])
{
    double point[SPACE_MOST_DIMENSIONS];
    for (size_t i = 0; i < n_trials; i++) {
        memcpy(point, trial[i].point, s->n * sizeof *point);
        TRY(space_canonical(s, point));
        if (trial[i].state == TRIAL_DONE && (!isfinite(trial[i].value) || !isfinite(trial[i].variance) || trial[i].variance < 0.0)) {
            return FAIL(ST_DATA, "search: trial %zu is done with value %g and variance %g; expected finite numbers, a variance of at least 0",
                        i, trial[i].value, trial[i].variance);
        }
    }
    return STATUS_OK;
}

static status observations(arena *a, const space *s, size_t n_trials, const search_trial trial[], gp_data *data, const size_t **which)
{
    double *x, *y, *variance;
    size_t *done, n = 0;
    TRY_ALLOC(x, a, n_trials * s->n_encoded);
    TRY_ALLOC(y, a, n_trials);
    TRY_ALLOC(variance, a, n_trials);
    TRY_ALLOC(done, a, n_trials);
    for (size_t i = 0; i < n_trials; i++) {
        if (trial[i].state == TRIAL_DONE) {
            space_encode(s, trial[i].point, &x[n * s->n_encoded]); /* does not look at what does not exist */
            y[n] = trial[i].value;
            variance[n] = trial[i].variance;
            done[n++] = i;
        }
    }
    *data = (gp_data){n, s->n_encoded, s->n, s->scale_of, x, y, variance};
    *which = done;
    return n > 0 ? STATUS_OK : FAIL(ST_DATA, "search: none of %zu trials is done; expected at least one", n_trials);
}

status search_fit(arena *a, const space *s, size_t n_trials, const search_trial trial[], uint64_t seed, size_t n_starts, search_model *out)
{
    gp_data data;
    double *mean, *work;
    *out = (search_model){.best_mean = -INFINITY};
    TRY(search_check(s, n_trials, trial));
    TRY(observations(a, s, n_trials, trial, &data, &out->done));
    TRY(gp_fit(a, &data, seed, n_starts, &out->parameters, &out->fit));
    TRY(gp_build(a, &data, &out->parameters, &out->process));
    TRY_ALLOC(mean, a, data.n);
    TRY_ALLOC(work, a, data.n + data.width);
    for (size_t i = 0; i < data.n; i++) {
        double variance;
        gp_predict(&out->process, 1, &data.x[i * data.width], work, &mean[i], &variance);
        if (mean[i] > out->best_mean) {
            out->best = out->done[i];
            out->best_mean = mean[i];
        }
    }
    out->mean = mean;
    return STATUS_OK;
}
