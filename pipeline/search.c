/* The search: which settings are tried, and rounds of them through the stages. */
#include "pipeline/search_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/log.h"

/* ---- what is tried ---- */

void search_fill(target *t)
{
    const space *s = &t->tuning.space.space;
    double *p = t->point;
    space_first(s, p);
    for (size_t i = 1; i < t->room; i++) {
        memcpy(p + s->n, p, s->n * sizeof *p);
        p += s->n;
        (void)space_next(s, p);
    }
}

status search_as_trials(arena *a, const target *t, const search_trial **out)
{
    search_trial *list;
    const config_search *o = t->tuning.space.options;
    TRY_ALLOC(list, a, t->n);
    for (size_t i = 0; i < t->n; i++) {
        /* Seeds tell what other classes and references change, and some of what other images do. Of few seeds, which may agree by luck, that is not less
         * than the images alone give; of one seed it is all that is known. fmax() passes over NaN. */
        const double *m = measure_of(t, i, 0), variance = fmax(m[COLUMN_ERROR] * m[COLUMN_ERROR], m[COLUMN_BINOMIAL]);
        list[i] = (search_trial){.point = t->point + i * t->tuning.space.space.n, .state = TRIAL_DONE, .value = m[o->objective], .variance = variance};
    }
    *out = list;
    return STATUS_OK;
}

search_options search_engine_options(const config_search *o)
{
    static const search_method methods[CONFIG_SEARCH_METHODS] = {
        [SEARCH_BY_CHANCE] = SEARCH_RANDOM, [SEARCH_BY_SOBOL] = SEARCH_SOBOL, [SEARCH_BY_BAYES] = SEARCH_BAYES};
    return (search_options){.method = methods[o->method], .seed = o->seed};
}

/* The next points behind those that are done: a pure function of these, so that all ranks and all restarts propose the same. */
static status propose(target *t, size_t *n)
{
    arena *scratch = NULL;
    const search_trial *trials;
    const config_search *o = t->tuning.space.options;
    const search_options options = search_engine_options(o);
    const size_t left = t->room - t->n, q = left < o->batch ? left : o->batch;
    search_report report;
    TRY(arena_open("proposals", &scratch));
    status st = search_as_trials(scratch, t, &trials);
    if (status_ok(st)) {
        st = search_propose(scratch, &t->tuning.space.space, t->n, trials, &options, q, t->point + t->n * t->tuning.space.space.n, n, &report);
    }
    arena_close(&scratch);
    for (size_t i = 0; status_ok(st) && i < *n && report.fit.evaluations > 0; i++) {
        t->parent[t->n + i] = (int64_t)report.best;
    }
    return st;
}

/* The n points behind the first t->n. */
static status plan_round(arena *round, target *t, size_t n, search_round *out)
{
    size_t *trial;
    TRY_ALLOC(trial, round, n);
    for (size_t i = 0; i < n; i++) {
        trial[i] = t->n + i;
    }
    *out = (search_round){.of = &t->tuning, .n = n, .trial = trial};
    return search_study_settings(round, &t->tuning, n, t->point + t->n * t->tuning.space.space.n);
}

static status run_target(target *t)
{
    const config_search *o = t->tuning.space.options;
    if (o->method == SEARCH_EVERYTHING) {
        return search_exhaust(t);
    }
    if (o->method == SEARCH_BY_HALVING) {
        search_fill(t);
        return search_race(t);
    }
    for (size_t n = 1; t->n < t->room && n > 0;) {
        TRY(comm_agree(t->comm, propose(t, &n)));
        if (n > 0) {
            TRY(search_round_of(t, plan_round, n));
            t->n += n;
        }
    }
    return STATUS_OK;
}

status search_target_open(target *t, arena *scratch)
{
    TRY(search_study_open(t->a, scratch, t->study, t->model, t->kind, &t->tuning));
    TRY(search_study_trials(&t->tuning, &t->room));
    TRY_ALLOC(t->point, t->a, t->room * t->tuning.space.space.n);
    TRY_ALLOC(t->measure, t->a, t->room * n_kinds(t) * COLUMNS);
    TRY_ALLOC(t->cost, t->a, t->room);
    TRY_ALLOC(t->round, t->a, t->room);
    TRY_ALLOC(t->parent, t->a, t->room);
    TRY_ALLOC(t->state, t->a, t->room);
    for (size_t i = 0; i < t->room; i++) {
        t->parent[i] = -1;
    }
    return STATUS_OK;
}

/* ---- all searches of a study ---- */

static void tell(const target *t, const result_search *r)
{
    size_t best = 0;
    while (r->rank[best] != 0) {
        best++;
    }
    log_line(LOG_INFO, "search model=%s kind=%s settings=%zu masks=%zu evaluated=%zu images=%" PRIu64 " explained=%" PRIu64 " best=%.4f setting=%s", t->tuning.model.config->name,
             component_kind_name(r->kind), r->n_trials, t->n_masks, t->n_evaluated, t->n_images, t->n_explained, r->objective[best], r->setting[best]);
}

static status search_target(target *t, size_t number, search_outcome *out)
{
    arena *scratch = NULL;
    const size_t before = out->n_searches;
    status st = arena_open("search", &scratch);
    if (status_ok(st)) {
        st = search_target_open(t, scratch);
    }
    arena_close(&scratch);
    TRY(comm_agree(t->comm, st));
    t->journal->items.study = (uint32_t)number + 1;
    st = comm_agree(t->comm, arena_open("masks of a search", &t->cache.arena));
    if (status_ok(st)) {
        st = run_target(t);
    }
    t->journal->items.study = 0;
    arena_close(&t->cache.arena);
    TRY(st);
    TRY(comm_agree(t->comm, search_conclude(t->a, t, out)));
    for (size_t i = before; i < out->n_searches; i++) {
        tell(t, &out->searches[i]);
    }
    return STATUS_OK;
}

status search_outcome_open(arena *a, const study *s, search_outcome *out)
{
    const size_t most = s->n_models * COMPONENT_KINDS;
    *out = (search_outcome){.n_searches = 0};
    TRY_ALLOC(out->searches, a, most);
    TRY_ALLOC(out->tuned, a, most * s->config->search.report);
    TRY_ALLOC(out->tuned_search, a, most * s->config->search.report);
    TRY_ALLOC(out->tuned_trial, a, most * s->config->search.report);
    return STATUS_OK;
}

status search_run(comm *c, arena *a, const plan *p, resume *j, progress *bar, const search_marks *marks, search_outcome *out)
{
    const study *s = &p->study;
    const double started = log_seconds();
    size_t number = 0;
    TRY(comm_agree(c, search_outcome_open(a, s, out)));
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < search_targets(s, m); k++) {
            target t = {.comm = c, .a = a, .study = s, .journal = j, .bar = bar, .reference_mark = marks->reference, .evaluation_mark = marks->evaluation,
                        .model = m, .kind = search_target_kind(s, k)};
            TRY(search_target(&t, number++, out));
        }
    }
    out->seconds = log_seconds() - started;
    return STATUS_OK;
}

/* The objective of a criterion and kind on the held-out images: by_seed [n_seeds] means over tasks, their mean, and its error over the seeds. */
static void held_out(const study *s, const results *r, size_t criterion, component_kind kind, double by_seed[], double *mean, double *error)
{
    const size_t n_seeds = s->config->n_seeds, references = s->config->search.references;
    for (size_t k = 0; k < n_seeds; k++) {
        size_t n = 0;
        by_seed[k] = 0.0;
        for (size_t i = 0; i < r->n_cells; i++) {
            const result_cell *c = &r->cells[i];
            double area[MEASURES];
            if (c->criterion == criterion && c->kind == kind && c->n_references == references && c->seed == s->config->seeds[k]) {
                search_measure(s->config, c, area);
                by_seed[k] += area[s->config->search.objective];
                n++;
            }
        }
        by_seed[k] /= (double)n;
    }
    curve_mean_error(n_seeds, by_seed, mean, error);
}

status search_held_out(arena *a, const study *s, const results *r, search_outcome *out)
{
    const size_t first = s->config->n_criteria - out->n_tuned; /* they are the last criteria */
    double *by_seed;
    TRY_ALLOC(by_seed, a, s->config->n_seeds);
    for (size_t i = 0; i < out->n_tuned; i++) {
        result_search *to = &out->searches[out->tuned_search[i]];
        const size_t which = out->tuned_trial[i];
        held_out(s, r, first + i, to->kind, by_seed, &to->held_out[which], &to->held_out_error[which]);
    }
    return STATUS_OK;
}
