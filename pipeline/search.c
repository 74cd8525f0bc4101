#include "pipeline/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "io/config_search.h"
#include "pipeline/gather.h"
#include "pipeline/search_study.h"
#include "search/importance.h"
#include "search/pareto.h"
#include "search/propose.h"
#include "stages/stage.h"

enum { MEASURES = CONFIG_OBJECTIVES, IMPORTANCE_SAMPLES = 1024 };

/* One model and kind of components, or in an exhaustive search all kinds of a model together. */
typedef struct target {
    comm *comm;
    arena *a; /* of what lasts */
    const study *study;
    resume *journal;
    progress *bar;
    file_mark *reference_mark, *evaluation_mark;
    size_t model, kind;
    search_study tuning;
    mask_cache cache;
    size_t n, n_rounds, n_masks, n_evaluated;
    size_t room;
    double *point;    /* [room, dimensions] */
    double *measure;  /* [room, kinds, MEASURES + 1] means over tasks and seeds, and the objective's error */
    uint64_t *round;  /* [room] */
} target;

static size_t n_kinds(const target *t)
{
    return t->tuning.model.n_kinds;
}

static double *measure_of(const target *t, size_t which, size_t kind)
{
    return t->measure + (which * n_kinds(t) + kind) * (MEASURES + 1);
}

/* ---- one round: settings are explained, their components ranked, their networks evaluated ---- */

static status run_stages(target *t, arena *round, size_t first, stage_ctx *c)
{
    static const char *const stages[] = {"attribute", "prune", "evaluate"};
    char what[64];
    *c = (stage_ctx){.comm = t->comm, .study = &t->tuning.study, .arena = round, .tick = progress_tick, .progress = t->bar, .items = &t->journal->items,
                     .cache = t->tuning.space.options->method == SEARCH_EVERYTHING ? NULL : &t->cache, /* of earlier rounds */ .reference_mark = t->reference_mark, .evaluation_mark = t->evaluation_mark};
    for (size_t i = 0; i < COUNT(stages); i++) {
        const stage_def *s = stage_find(stages[i]);
        assert(s != NULL);
        (void)snprintf(what, sizeof what, "search %zu, %s", first, stages[i]);
        progress_stage(t->bar, what, s->work(c));
        const status st = s->run(c);
        progress_end(t->bar);
        TRY(st);
    }
    return STATUS_OK;
}

/* The areas of one cell, in the order of config_search_objective. */
static void areas_of(const result_cell *r, double out[MEASURES])
{
    out[OBJECTIVE_MEAN] = r->a_pr_mean;
    out[OBJECTIVE_TRAPEZOID] = r->a_pr_trapezoid;
    out[OBJECTIVE_PARAMETERS] = r->area_parameters;
    out[OBJECTIVE_MACS] = r->area_macs;
}

/* Means over tasks and seeds of setting `which` of the round; the error is over seeds, of the mean over tasks. */
static status measure_setting(target *t, arena *scratch, const stage_ctx *c, size_t which, size_t kind, double out[MEASURES + 1])
{
    const study *s = &t->tuning.study;
    const size_t n_seeds = s->config->n_seeds;
    double *by_seed, mean;
    size_t n = 0;
    TRY_ALLOC(by_seed, scratch, n_seeds);
    memset(out, 0, (MEASURES + 1) * sizeof *out);
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        result_cell r;
        double area[MEASURES];
        if (cell->criterion != which || cell->kind != kind) {
            continue;
        }
        TRY(gather_cell(scratch, s, c, i, &r));
        areas_of(&r, area);
        for (size_t m = 0; m < MEASURES; m++) {
            out[m] += area[m];
        }
        by_seed[cell->task % n_seeds] += area[s->config->search.objective];
        n++;
    }
    for (size_t m = 0; m < MEASURES; m++) {
        out[m] /= (double)n;
    }
    for (size_t i = 0; i < n_seeds; i++) {
        by_seed[i] /= (double)n / (double)n_seeds;
    }
    curve_mean_error(n_seeds, by_seed, &mean, &out[MEASURES]);
    return STATUS_OK;
}

static status measure_round(target *t, arena *scratch, const stage_ctx *c, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n_kinds(t); k++) {
            arena_reset(scratch);
            TRY(measure_setting(t, scratch, c, i, k, measure_of(t, first + i, k)));
        }
        t->round[first + i] = t->n_rounds;
    }
    return STATUS_OK;
}

/* Collective: the n points behind the first t->n. */
static status run_round(target *t, size_t n)
{
    arena *round = NULL, *scratch = NULL;
    stage_ctx c;
    status st = arena_open("round of a search", &round);
    if (status_ok(st)) {
        st = arena_open("search", &scratch);
    }
    if (status_ok(st)) {
        st = search_study_settings(round, &t->tuning, n, t->point + t->n * t->tuning.space.space.n);
    }
    st = comm_agree(t->comm, st);
    if (status_ok(st)) {
        st = run_stages(t, round, t->n_rounds + 1, &c);
    }
    if (status_ok(st)) {
        st = comm_agree(t->comm, measure_round(t, scratch, &c, t->n, n));
    }
    if (status_ok(st)) {
        t->n += n;
        t->n_rounds++;
        t->n_masks += c.evaluate.n_masks;
        t->n_evaluated += c.evaluate.n_evaluated;
    }
    arena_close(&scratch);
    arena_close(&round);
    return st;
}

/* ---- what is tried ---- */

/* Every setting, in the order of the space. */
static void fill_all(target *t)
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

/* Trials as the engine sees them, of the target's one kind. */
static status as_trials(arena *a, const target *t, const search_trial **out)
{
    search_trial *list;
    const config_search *o = t->tuning.space.options;
    TRY_ALLOC(list, a, t->n);
    for (size_t i = 0; i < t->n; i++) {
        const double *m = measure_of(t, i, 0), error = m[MEASURES];
        list[i] = (search_trial){.point = t->point + i * t->tuning.space.space.n, .state = TRIAL_DONE, .value = m[o->objective],
                                 .variance = isnan(error) ? 0.0 : error * error};
    }
    *out = list;
    return STATUS_OK;
}

static search_options engine_options(const config_search *o)
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
    const search_options options = engine_options(o);
    const size_t left = t->room - t->n, q = left < o->batch ? left : o->batch;
    search_report report;
    TRY(arena_open("proposals", &scratch));
    status st = as_trials(scratch, t, &trials);
    if (status_ok(st)) {
        st = search_propose(scratch, &t->tuning.space.space, t->n, trials, &options, q, t->point + t->n * t->tuning.space.space.n, n, &report);
    }
    arena_close(&scratch);
    return st;
}

static status run_target(target *t)
{
    const config_search *o = t->tuning.space.options;
    if (o->method == SEARCH_EVERYTHING) {
        fill_all(t);
        return run_round(t, t->room);
    }
    for (size_t n = 1; t->n < t->room && n > 0;) {
        TRY(comm_agree(t->comm, propose(t, &n)));
        if (n > 0) {
            TRY(run_round(t, n));
        }
    }
    return STATUS_OK;
}

static status open_target(target *t, arena *scratch)
{
    TRY(search_study_open(t->a, scratch, t->study, t->model, t->kind, &t->tuning));
    TRY(search_study_trials(&t->tuning, &t->room));
    TRY_ALLOC(t->point, t->a, t->room * t->tuning.space.space.n);
    TRY_ALLOC(t->measure, t->a, t->room * n_kinds(t) * (MEASURES + 1));
    TRY_ALLOC(t->round, t->a, t->room);
    return STATUS_OK;
}

/* ---- what was found ---- */

typedef struct ranked {
    double value;
    size_t trial;
} ranked;

static int compare_ranked(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    return a->value != b->value ? (a->value < b->value ? 1 : -1) : (a->trial > b->trial) - (a->trial < b->trial);
}

/* 0 for the best. `first`: a trial that comes before all others, or NO_TRIAL. */
#define NO_TRIAL ((size_t)-1)
static status rank_trials(arena *a, arena *scratch, size_t n, const double objective[], size_t first, const size_t **out)
{
    ranked *list;
    size_t *rank;
    TRY_ALLOC(list, scratch, n);
    TRY_ALLOC(rank, a, n);
    for (size_t i = 0; i < n; i++) {
        list[i] = (ranked){i == first ? (double)INFINITY : objective[i], i};
    }
    qsort(list, n, sizeof *list, compare_ranked);
    for (size_t i = 0; i < n; i++) {
        rank[list[i].trial] = i;
    }
    *out = rank;
    return STATUS_OK;
}

/* How much each dimension matters, where that can be told: on the whole grid, or by the process through the trials. *best: what the process
 * takes for the best. */
static status judge(arena *a, arena *scratch, const target *t, const double objective[], result_search *out, size_t *best)
{
    const space *s = &t->tuning.space.space;
    const config_search *o = t->tuning.space.options;
    double *main, *total, variance = 0.0;
    importance *each;
    TRY_ALLOC(main, a, s->n);
    TRY_ALLOC(total, a, s->n);
    TRY_ALLOC(each, scratch, s->n);
    *best = NO_TRIAL;
    for (size_t i = 0; i < s->n; i++) {
        each[i] = (importance){(double)NAN, (double)NAN};
    }
    if (o->method == SEARCH_EVERYTHING) {
        TRY(importance_of_grid(scratch, s, objective, &variance, each));
    } else if (o->method == SEARCH_BY_BAYES) {
        const search_trial *trials;
        search_model model;
        const search_options options = engine_options(o);
        TRY(as_trials(scratch, t, &trials));
        TRY(search_fit_after(scratch, s, t->n, trials, &options, &model));
        TRY(importance_of_process(scratch, s, &model.process, o->seed, IMPORTANCE_SAMPLES, &variance, each));
        *best = model.best;
    }
    for (size_t i = 0; i < s->n; i++) {
        main[i] = each[i].main;
        total[i] = each[i].total;
    }
    out->main = main;
    out->total = total;
    return STATUS_OK;
}

typedef struct columns {
    double *measure[MEASURES], *objective, *error, *held_out, *held_out_error, *together;
    const char **setting;
    uint32_t *front;
} columns;

static status open_columns(arena *a, size_t n, columns *c)
{
    for (size_t m = 0; m < MEASURES; m++) {
        TRY_ALLOC(c->measure[m], a, n);
    }
    TRY_ALLOC(c->objective, a, n);
    TRY_ALLOC(c->error, a, n);
    TRY_ALLOC(c->held_out, a, n);
    TRY_ALLOC(c->held_out_error, a, n);
    TRY_ALLOC(c->together, a, 3 * n);
    TRY_ALLOC(c->setting, a, n);
    TRY_ALLOC(c->front, a, n);
    return STATUS_OK;
}

static status describe(arena *a, arena *scratch, const target *t, size_t kind, result_search *out)
{
    const space *s = &t->tuning.space.space;
    const config_search *o = t->tuning.space.options;
    const char **dimension;
    size_t best = NO_TRIAL;
    columns c = {.objective = NULL};
    TRY_ALLOC(dimension, a, s->n);
    TRY(open_columns(a, t->n, &c));
    for (size_t i = 0; i < s->n; i++) {
        dimension[i] = s->dimension[i].name;
    }
    for (size_t i = 0; i < t->n; i++) {
        const double *m = measure_of(t, i, kind);
        config_criterion one;
        for (size_t k = 0; k < MEASURES; k++) {
            c.measure[k][i] = m[k];
        }
        c.objective[i] = m[o->objective];
        c.error[i] = m[MEASURES];
        c.held_out[i] = c.held_out_error[i] = (double)NAN;
        c.together[3 * i] = m[OBJECTIVE_MEAN];
        c.together[3 * i + 1] = m[OBJECTIVE_PARAMETERS];
        c.together[3 * i + 2] = m[OBJECTIVE_MACS];
        TRY(settings_criterion(a, &t->tuning.space, t->point + i * s->n, "setting", &one));
        TRY(settings_text(a, &one, &c.setting[i]));
    }
    TRY(pareto_fronts(t->n, 3, c.together, c.front));
    *out = (result_search){.model = t->model, .kind = t->tuning.model.kinds[kind], .n_dimensions = s->n, .dimension = dimension,
                           .choice = t->tuning.space.choices, .n_trials = t->n, .point = t->point, .setting = c.setting, .round = t->round,
                           .objective = c.objective, .error = c.error, .a_pr_mean = c.measure[OBJECTIVE_MEAN],
                           .a_pr_trapezoid = c.measure[OBJECTIVE_TRAPEZOID], .area_parameters = c.measure[OBJECTIVE_PARAMETERS],
                           .area_macs = c.measure[OBJECTIVE_MACS], .n_masks = t->n_masks, .n_evaluated = t->n_evaluated, .front = c.front,
                           .held_out = c.held_out, .held_out_error = c.held_out_error, .maximised = search_objective_names[o->objective]};
    TRY(judge(a, scratch, t, c.objective, out, &best));
    return rank_trials(a, scratch, t->n, c.objective, best, &out->rank);
}

/* Settings that rank the components alike have the same curves: of these one is enough. */
static bool is_reported(const target *t, size_t kind, size_t which, const size_t reported[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(measure_of(t, which, kind), measure_of(t, reported[i], kind), MEASURES * sizeof(double)) == 0) {
            return true;
        }
    }
    return false;
}

/* tuned-<model>-<kind>-<place>: a name of a criterion has 64 characters, that of a model may have as many, so the number of the model stands for what
 * is cut off. */
static status tuned_name(arena *a, const target *t, component_kind kind, size_t place, const char **out)
{
    enum { LONGEST = 40, KEPT = 36 };
    const char *model = t->tuning.model.config->name;
    if (strlen(model) > LONGEST) {
        TRY_TEXT(model, a, "%.*s.%zu", (int)KEPT, model, t->model);
    }
    TRY_TEXT(*out, a, "tuned-%s-%s-%zu", model, component_kind_name(kind), place);
    return STATUS_OK;
}

/* The best settings as criteria of the study, for the model alone. */
static status add_tuned(arena *a, const target *t, const result_search *r, size_t kind, size_t which, search_outcome *out)
{
    const size_t report = t->tuning.space.options->report, before = out->n_tuned;
    size_t *model;
    TRY_ALLOC(model, a, 1);
    *model = t->model;
    for (size_t k = 0; out->n_tuned - before < report && k < r->n_trials; k++) {
        size_t i = 0;
        const char *name = NULL;
        while (r->rank[i] != k) {
            i++;
        }
        if (is_reported(t, kind, i, out->tuned_trial + before, out->n_tuned - before)) {
            continue;
        }
        TRY(tuned_name(a, t, r->kind, out->n_tuned - before + 1, &name));
        config_criterion *c = &out->tuned[out->n_tuned];
        TRY(settings_criterion(a, &t->tuning.space, t->point + i * t->tuning.space.space.n, name, c));
        c->n_models = 1;
        c->models = model;
        out->tuned_search[out->n_tuned] = which;
        out->tuned_trial[out->n_tuned++] = i;
    }
    return STATUS_OK;
}

static status conclude(arena *a, const target *t, search_outcome *out)
{
    arena *scratch = NULL;
    TRY(arena_open("search", &scratch));
    status st = STATUS_OK;
    for (size_t k = 0; k < n_kinds(t) && status_ok(st); k++) {
        arena_reset(scratch);
        result_search *r = &out->searches[out->n_searches];
        st = describe(a, scratch, t, k, r);
        if (status_ok(st)) {
            st = add_tuned(a, t, r, k, out->n_searches++, out);
        }
    }
    arena_close(&scratch);
    return st;
}

static void tell(const target *t, const result_search *r)
{
    size_t best = 0;
    while (r->rank[best] != 0) {
        best++;
    }
    log_line(LOG_INFO, "search model=%s kind=%s settings=%zu masks=%zu evaluated=%zu best=%.4f setting=%s", t->tuning.model.config->name,
             component_kind_name(r->kind), r->n_trials, t->n_masks, t->n_evaluated, r->objective[best], r->setting[best]);
}

static status search_target(target *t, size_t number, search_outcome *out)
{
    arena *scratch = NULL;
    const size_t before = out->n_searches;
    status st = arena_open("search", &scratch);
    if (status_ok(st)) {
        st = open_target(t, scratch);
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
    TRY(comm_agree(t->comm, conclude(t->a, t, out)));
    for (size_t i = before; i < out->n_searches; i++) {
        tell(t, &out->searches[i]);
    }
    return STATUS_OK;
}

static status open_outcome(arena *a, const study *s, search_outcome *out)
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
    const bool together = s->config->search.method == SEARCH_EVERYTHING; /* kinds share the explanations of the same settings */
    const double started = log_seconds();
    size_t number = 0;
    TRY(comm_agree(c, open_outcome(a, s, out)));
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < (together ? 1 : s->models[m].n_kinds); k++) {
            target t = {.comm = c, .a = a, .study = s, .journal = j, .bar = bar, .reference_mark = marks->reference, .evaluation_mark = marks->evaluation,
                        .model = m, .kind = together ? ALL_KINDS : k};
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
                areas_of(c, area);
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
