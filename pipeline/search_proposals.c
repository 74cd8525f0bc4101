#include "pipeline/search_proposals.h"

#include <math.h>

#include "pipeline/search_parts.h"
#include "stages/forecast.h"

/* Numbers of trials after which a batch is tried: a quarter of all, but no more than FIRST, which is tried whatever it takes; then twice as many, up to all.
 * Of a large batch FEW points. */
enum { SIZES = 8, FIRST = 256, FEW = 8 };

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

static status try_batch(arena *a, const space *s, const config_search *o, size_t n, const search_trial trials[], size_t points, double *seconds)
{
    const search_options options = search_engine_options(o);
    search_report report;
    double *point;
    size_t proposed = 0;
    arena_reset(a);
    TRY_ALLOC(point, a, points * s->n);
    const trial_moment begun = trial_now();
    TRY(search_propose(a, s, n, trials, &options, points, point, &proposed, &report));
    *seconds = trial_now().used - begun.used;
    return STATUS_OK;
}

/* *seconds of a whole batch. Before its first point is a fit, which takes far longer; so of a large batch one point is tried and a few, whose difference
 * is that of the points. What was tried is added to *spent. */
static status try_size(arena *a, const space *s, const config_search *o, size_t n, const search_trial trials[], double *seconds, double *spent)
{
    const size_t few = o->batch < FEW ? o->batch : FEW;
    double one = 0.0;
    TRY(try_batch(a, s, o, n, trials, few, seconds));
    *spent += *seconds;
    if (few < o->batch) {
        TRY(try_batch(a, s, o, n, trials, 1, &one));
        *spent += one;
        *seconds += (double)(o->batch - few) * fmax(0.0, *seconds - one) / (double)(few - 1);
    }
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
    const size_t least = search_initial(s) < n ? search_initial(s) : n, first = n / 4 < FIRST ? n / 4 : FIRST;
    double spent = 0.0, next = 0.0;
    size_t size = first < least ? least : first;
    *n_tried = 0;
    do {
        const double before = spent;
        tried_proposal one = {.n_trials = size};
        TRY(try_size(a, s, o, size, trials, &one.seconds, &spent));
        next = growth * (spent - before);
        t[(*n_tried)++] = one;
        size = 2 * size < n ? 2 * size : n;
    } while (size > t[*n_tried - 1].n_trials && *n_tried < SIZES && spent + next <= budget);
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
