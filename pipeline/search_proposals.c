#include "pipeline/search_proposals.h"

#include <math.h>

#include "pipeline/search_parts.h"
#include "stages/forecast.h"

enum { SIZES = 3 }; /* numbers of trials after which a batch is tried: a quarter of all, half of them, all */

size_t search_proposals_bytes(const space *s, size_t n_trials, size_t at_a_time)
{
    /* The covariance and its factor, of the fit and of what it ends with; and once more with the lies of a batch. */
    enum { MATRICES = 2 };
    const size_t lied = n_trials + at_a_time, own = s->n_encoded + s->n + 8; /* numbers of a trial: its codes, scaled too, its point, columns */
    return 2 * MATRICES * forecast_block(n_trials * n_trials, sizeof(double)) + MATRICES * forecast_block(lied * lied, sizeof(double)) +
           4 * forecast_block(lied * own, sizeof(double));
}

/* As many trials as there will be, spread over the space, with values that every coordinate has a part in and errors well below their spread: a fit has
 * something to find, as in a search. */
static status make_trials(arena *a, const space *s, const config_search *o, size_t room, size_t *n, search_trial **out)
{
    static const double golden = 0.6180339887498949, error = 0.02;
    const search_options spread = {.method = SEARCH_SOBOL, .seed = o->seed};
    search_report report;
    double *point, *code;
    TRY_ALLOC(point, a, room * s->n);
    TRY_ALLOC(code, a, s->n_encoded);
    TRY(search_propose(a, s, 0, NULL, &spread, room, point, n, &report));
    TRY_ALLOC(*out, a, *n);
    for (size_t i = 0; i < *n; i++) {
        double value = 0.0;
        space_encode(s, point + i * s->n, code);
        for (size_t c = 0; c < s->n_encoded; c++) {
            value += code[c] * fmod((double)(c + 1) * golden, 1.0) / (double)s->n;
        }
        (*out)[i] = (search_trial){.point = point + i * s->n, .state = TRIAL_DONE, .value = value, .variance = error * error};
    }
    return STATUS_OK;
}

static status try_batch(arena *a, const space *s, const config_search *o, size_t n, const search_trial trials[], double *seconds)
{
    const search_options options = search_engine_options(o);
    search_report report;
    double *point;
    size_t proposed = 0;
    arena_reset(a);
    TRY_ALLOC(point, a, o->batch * s->n);
    const trial_moment begun = trial_now();
    TRY(search_propose(a, s, n, trials, &options, o->batch, point, &proposed, &report));
    *seconds = trial_now().used - begun.used;
    return STATUS_OK;
}

static double seconds_after(size_t n, const tried_proposal t[], size_t n_trials)
{
    size_t k = 0;
    while (k + 2 < n && t[k + 1].n_trials < n_trials) {
        k++;
    }
    double power = 3.0;
    if (n_trials < t[0].n_trials) {
        power = 1.0;
    } else if (k + 1 < n && n_trials <= t[k + 1].n_trials) {
        power = log(t[k + 1].seconds / t[k].seconds) / log((double)t[k + 1].n_trials / (double)t[k].n_trials);
    } else {
        k = n - 1;
    }
    return t[k].seconds * pow((double)n_trials / (double)t[k].n_trials, power);
}

double search_proposals_sum(size_t n, const tried_proposal t[], size_t first, size_t room, size_t at_a_time)
{
    double seconds = seconds_after(n, t, room); /* the fit at the end */
    for (size_t trials = first; trials < room; trials += at_a_time) {
        seconds += seconds_after(n, t, trials);
    }
    return seconds;
}

/* From the smallest on, as long as the next one, eight times as long at most, leaves the budget as it is. */
static status try_sizes(arena *a, const space *s, const config_search *o, size_t n, const search_trial trials[], double budget, size_t *n_tried,
                        tried_proposal t[SIZES])
{
    static const double growth = 8.0;
    double spent = 0.0, next = 0.0;
    *n_tried = 0;
    for (size_t k = 0; k < SIZES && (k == 0 || spent + next <= budget); k++) {
        const size_t size = n >> (SIZES - 1 - k), least = search_initial(s) < n ? search_initial(s) : n;
        tried_proposal one = {.n_trials = size < least ? least : size};
        if (*n_tried > 0 && t[*n_tried - 1].n_trials == one.n_trials) {
            continue;
        }
        TRY(try_batch(a, s, o, one.n_trials, trials, &one.seconds));
        spent += one.seconds;
        next = growth * one.seconds;
        t[(*n_tried)++] = one;
    }
    return STATUS_OK;
}

status search_proposals_try(arena *scratch, const space *s, const config_search *o, size_t room, double budget, double *seconds)
{
    const size_t first = search_initial(s);
    search_trial *trials;
    tried_proposal t[SIZES];
    size_t n = 0, n_tried = 0;
    arena *a = NULL;
    *seconds = 0.0;
    if (o->method != SEARCH_BY_BAYES) {
        return STATUS_OK;
    }
    arena_reset(scratch);
    TRY(make_trials(scratch, s, o, room, &n, &trials));
    TRY(arena_open("proposals", &a));
    const status st = try_sizes(a, s, o, n, trials, budget, &n_tried, t);
    arena_close(&a);
    if (status_ok(st)) {
        *seconds = search_proposals_sum(n_tried, t, first, room, o->batch);
    }
    return st;
}
