#include "search/propose.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "search/maximise.h"
#include "search/sobol.h"

enum { NEAR = 4, DESIGN_TRIES = 4096 };

size_t search_initial(const space *s)
{
    return 2 * s->n + 2;
}

static size_t or_default(size_t n, size_t otherwise)
{
    return n == 0 ? otherwise : n;
}

status search_fit_after(arena *a, const space *s, size_t n_trials, const search_trial trial[], const search_options *options, search_model *out)
{
    const uint64_t seed = rng_u64(options->seed, RNG_ROUND, ROUND_STARTS, (uint32_t)n_trials);
    return search_fit(a, s, n_trials, trial, seed, or_default(options->n_starts, SEARCH_STARTS), out);
}

/* A batch while it is made. */
typedef struct batch {
    const space *s;
    const search_options *options;
    taken taken;     /* trials, then the batch's points; canonical */
    size_t n_trials;
    gp_data data;    /* of what is done, then of the lies */
    double *x, *y, *variance; /* its arrays, with room for all of the batch */
    double near[NEAR * SPACE_MOST_DIMENSIONS]; /* the trials with the largest posterior means, best first */
    size_t n_near;
} batch;

/* The next point of a sequence that is not taken. A space that can be exhausted has its last points by counting, since a sequence may
 * take long to hit them. */
static bool next_of_design(const batch *b, uint32_t *index, double point[])
{
    const uint64_t seed = rng_u64(b->options->seed, RNG_ROUND, ROUND_DESIGN, 0);
    double unit[SPACE_MOST_DIMENSIONS];
    for (size_t tries = 0; tries < DESIGN_TRIES + b->taken.n; tries++) {
        if (b->options->method == SEARCH_RANDOM) {
            random_point(seed, b->s->n, (*index)++, unit);
        } else {
            sobol_point(seed, b->s->n, (*index)++, unit);
        }
        space_from_unit(b->s, unit, point);
        if (!taken_has(&b->taken, b->s, point)) {
            return true;
        }
    }
    space_first(b->s, point);
    do {
        if (!taken_has(&b->taken, b->s, point)) {
            return true;
        }
    } while (space_next(b->s, point));
    return false;
}

static void add_design(batch *b, size_t wanted, double point[], size_t *n)
{
    uint32_t index = 0; /* points of the sequence that are trials by now are passed over */
    while (*n < wanted && next_of_design(b, &index, &point[*n * b->s->n])) {
        taken_add(&b->taken, b->s, &point[*n * b->s->n]);
        (*n)++;
    }
}

static void add_lie(batch *b, const double point[], double value)
{
    const size_t at = b->data.n++;
    space_encode(b->s, point, &b->x[at * b->s->n_encoded]);
    b->y[at] = value;
    b->variance[at] = 0.0;
}

static status take_model(arena *scratch, batch *b, const search_model *m, const search_trial trial[], size_t q)
{
    const size_t most = b->n_trials + q, width = b->s->n_encoded, n = m->process.data.n;
    TRY_ALLOC(b->x, scratch, most * width);
    TRY_ALLOC(b->y, scratch, most);
    TRY_ALLOC(b->variance, scratch, most);
    b->data = m->process.data;
    memcpy(b->x, b->data.x, n * width * sizeof *b->x);
    memcpy(b->y, b->data.y, n * sizeof *b->y);
    memcpy(b->variance, b->data.variance, n * sizeof *b->variance);
    b->data.x = b->x;
    b->data.y = b->y;
    b->data.variance = b->variance;
    bool used[GP_MOST_OBSERVATIONS] = {false};
    for (b->n_near = 0; b->n_near < NEAR && b->n_near < n; b->n_near++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++) {
            best = !used[i] && (best == n || m->mean[i] > m->mean[best]) ? i : best;
        }
        used[best] = true;
        memcpy(&b->near[b->n_near * b->s->n], &b->taken.point[m->done[best] * b->s->n], b->s->n * sizeof *b->near);
    }
    for (size_t i = 0; i < b->taken.n; i++) { /* what is pending, and the batch's own points of the design */
        if (i >= b->n_trials || trial[i].state == TRIAL_PENDING) {
            add_lie(b, &b->taken.point[i * b->s->n], m->best_mean);
        }
    }
    return STATUS_OK;
}

/* Best after best, each one seen before the next is looked for. `memory` is used again for each. */
static status add_best(arena *memory, batch *b, size_t q, search_report *report, double point[], size_t *n)
{
    const size_t candidates = or_default(b->options->n_candidates, SEARCH_CANDIDATES);
    for (bool found = true; *n < q && found; arena_reset(memory)) {
        const uint64_t seed = rng_u64(b->options->seed, RNG_ROUND, ROUND_CANDIDATES, (uint32_t)(b->n_trials + *n));
        double *next = &point[*n * b->s->n];
        gp g;
        TRY(gp_build(memory, &b->data, &report->parameters, &g));
        report->jitter = fmax(report->jitter, g.jitter);
        TRY(maximise_improvement(memory, b->s, &g, report->incumbent, &b->taken, seed, candidates, b->n_near, b->near, next, &found));
        if (found) {
            taken_add(&b->taken, b->s, next);
            add_lie(b, next, report->incumbent);
            (*n)++;
        }
    }
    return STATUS_OK;
}

static status bayes(arena *scratch, batch *b, const search_trial trial[], size_t q, search_report *report, double point[], size_t *n)
{
    search_model m;
    TRY(search_fit_after(scratch, b->s, b->n_trials, trial, b->options, &m));
    *report = (search_report){m.parameters, m.fit, m.best, m.best_mean, m.process.jitter};
    TRY(take_model(scratch, b, &m, trial, q));
    arena *memory = NULL;
    TRY(arena_open("search", &memory));
    const status st = add_best(memory, b, q, report, point, n);
    arena_close(&memory);
    return st;
}

/* How many points of the batch come from the sequence. */
static size_t of_design(const space *s, const search_options *o, size_t n_trials, size_t n_done, size_t q)
{
    const size_t initial = or_default(o->n_initial, search_initial(s));
    if (o->method != SEARCH_BAYES || n_done == 0) {
        return q;
    }
    return n_trials >= initial ? 0 : initial - n_trials < q ? initial - n_trials : q;
}

status search_propose(arena *scratch, const space *s, size_t n_trials, const search_trial trial[], const search_options *options, size_t q,
                      double point[], size_t *n, search_report *report)
{
    batch b = {.s = s, .options = options, .n_trials = n_trials};
    double canonical[SPACE_MOST_DIMENSIONS];
    size_t n_done = 0;
    *report = (search_report){.jitter = 0.0};
    *n = 0;
    if (n_trials > GP_MOST_OBSERVATIONS || q > GP_MOST_OBSERVATIONS - n_trials) {
        return FAIL(ST_DATA, "search: %zu trials and %zu more; expected at most %d", n_trials, q, GP_MOST_OBSERVATIONS);
    }
    TRY(search_check(s, n_trials, trial));
    TRY(taken_alloc(scratch, n_trials + q, s, &b.taken));
    for (size_t i = 0; i < n_trials; i++) {
        memcpy(canonical, trial[i].point, s->n * sizeof *canonical);
        TRY(space_canonical(s, canonical));
        taken_add(&b.taken, s, canonical);
        n_done += trial[i].state == TRIAL_DONE;
    }
    const size_t design = of_design(s, options, n_trials, n_done, q);
    add_design(&b, design, point, n);
    if (*n < design || *n == q) { /* nothing is left, or nothing is wanted */
        return STATUS_OK;
    }
    return bayes(scratch, &b, trial, q, report, point, n);
}
