/* What a search has found: places, importance, Pareto fronts, and the best settings as criteria. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/search_parts.h"
#include "search/importance.h"
#include "search/pareto.h"

enum { IMPORTANCE_SAMPLES = 1024 };

typedef struct ranked {
    uint64_t round; /* what was measured on more comes first */
    double value;
    size_t trial;
} ranked;

static int compare_ranked(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->round != b->round) {
        return a->round < b->round ? 1 : -1;
    }
    return a->value != b->value ? (a->value < b->value ? 1 : -1) : (a->trial > b->trial) - (a->trial < b->trial);
}

/* 0 for the best. `first`: a trial that comes before all others, or NO_TRIAL. */
#define NO_TRIAL ((size_t)-1)
static status rank_trials(arena *a, arena *scratch, const target *t, const double objective[], size_t first, const size_t **out)
{
    const size_t n = t->n;
    const bool race = t->first != NULL;
    ranked *list;
    size_t *rank;
    TRY_ALLOC(list, scratch, n);
    TRY_ALLOC(rank, a, n);
    for (size_t i = 0; i < n; i++) {
        list[i] = (ranked){race ? t->round[i] : 0, i == first ? (double)INFINITY : objective[i], i};
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
    if (o->method == SEARCH_EVERYTHING || t->first != NULL) { /* of a race by its first rung, which has all settings */
        TRY(importance_of_grid(scratch, s, t->first != NULL ? t->first : objective, &variance, each));
    } else if (o->method == SEARCH_BY_BAYES) {
        const search_trial *trials;
        search_model model;
        const search_options options = search_engine_options(o);
        TRY(search_as_trials(scratch, t, &trials));
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
    double *measure[MEASURES], *objective, *error, *regret, *held_out, *held_out_error, *together;
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
    TRY_ALLOC(c->regret, a, n);
    TRY_ALLOC(c->held_out, a, n);
    TRY_ALLOC(c->held_out_error, a, n);
    TRY_ALLOC(c->together, a, 3 * n);
    TRY_ALLOC(c->setting, a, n);
    TRY_ALLOC(c->front, a, n);
    return STATUS_OK;
}

/* Among settings that are complete; the others' measures are of other images. together [n, 3], front [n]. */
static status find_fronts(arena *scratch, const target *t, const double together[], uint32_t front[])
{
    double *complete;
    uint32_t *found;
    size_t n = 0;
    TRY_ALLOC(complete, scratch, 3 * t->n);
    TRY_ALLOC(found, scratch, t->n);
    for (size_t i = 0; i < t->n; i++) {
        if (t->state[i] == TRIAL_COMPLETE) {
            memcpy(complete + 3 * n++, together + 3 * i, 3 * sizeof *complete);
        }
    }
    TRY(pareto_fronts(n, 3, complete, found));
    for (size_t i = t->n; i-- > 0;) {
        front[i] = t->state[i] == TRIAL_COMPLETE ? found[--n] : 0;
    }
    return STATUS_OK;
}

static void fill_regret(const target *t, const double objective[], double regret[])
{
    const bool known = t->tuning.space.options->method == SEARCH_EVERYTHING;
    double best = -INFINITY;
    for (size_t i = 0; i < t->n; i++) {
        best = fmax(best, objective[i]);
    }
    for (size_t i = 0; i < t->n; i++) {
        regret[i] = known ? best - objective[i] : (double)NAN;
    }
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
        c.error[i] = m[COLUMN_ERROR];
        c.held_out[i] = c.held_out_error[i] = (double)NAN;
        c.together[3 * i] = m[OBJECTIVE_MEAN];
        c.together[3 * i + 1] = m[OBJECTIVE_PARAMETERS];
        c.together[3 * i + 2] = m[OBJECTIVE_MACS];
        TRY(settings_criterion(a, &t->tuning.space, t->point + i * s->n, "setting", &one));
        TRY(settings_text(a, &one, &c.setting[i]));
    }
    fill_regret(t, c.objective, c.regret);
    TRY(find_fronts(scratch, t, c.together, c.front));
    *out = (result_search){.model = t->model, .kind = t->tuning.model.kinds[kind], .n_dimensions = s->n, .dimension = dimension,
                           .choice = t->tuning.space.choices, .n_trials = t->n, .point = t->point, .setting = c.setting, .round = t->round,
                           .objective = c.objective, .error = c.error, .a_pr_mean = c.measure[OBJECTIVE_MEAN],
                           .a_pr_trapezoid = c.measure[OBJECTIVE_TRAPEZOID], .area_parameters = c.measure[OBJECTIVE_PARAMETERS],
                           .area_macs = c.measure[OBJECTIVE_MACS], .accuracy_at = c.measure[OBJECTIVE_ACCURACY], .n_masks = t->n_masks,
                           .n_evaluated = t->n_evaluated, .n_images = t->n_images, .n_explained = t->n_explained, .cost = t->cost, .regret = c.regret, .state = t->state,
                           .parent = t->parent, .front = c.front, .held_out = c.held_out, .held_out_error = c.held_out_error,
                           .maximised = search_objective_names[o->objective]};
    TRY(judge(a, scratch, t, c.objective, out, &best));
    return rank_trials(a, scratch, t, c.objective, best, &out->rank);
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
status search_tuned_name(arena *a, const target *t, component_kind kind, size_t place, const char **out)
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
        if (r->state[i] != TRIAL_COMPLETE || is_reported(t, kind, i, out->tuned_trial + before, out->n_tuned - before)) {
            continue;
        }
        TRY(search_tuned_name(a, t, r->kind, out->n_tuned - before + 1, &name));
        config_criterion *c = &out->tuned[out->n_tuned];
        TRY(settings_criterion(a, &t->tuning.space, t->point + i * t->tuning.space.space.n, name, c));
        c->n_models = 1;
        c->models = model;
        out->tuned_search[out->n_tuned] = which;
        out->tuned_trial[out->n_tuned++] = i;
    }
    return STATUS_OK;
}

status search_conclude(arena *a, const target *t, search_outcome *out)
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

