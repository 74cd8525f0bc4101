/* A round of a search: settings are explained, their components ranked, their networks evaluated. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "pipeline/gather.h"
#include "pipeline/search_parts.h"
#include "pruning/curve.h"
#include "stages/stage.h"

bool search_runs(const char *stage)
{
    return strcmp(stage, "attribute") == 0 || strcmp(stage, "prune") == 0 || strcmp(stage, "evaluate") == 0;
}

static status run_stage(target *t, const char *name, stage_ctx *c)
{
    char what[64];
    const stage_def *s = stage_find(name);
    assert(s != NULL);
    (void)snprintf(what, sizeof what, "search %zu, %s", t->n_rounds + 1, name);
    progress_stage(t->bar, what, s->work(c));
    const status st = s->run(c);
    progress_end(t->bar);
    return st;
}

/* Points of curves, whose counts are added up over parts of the images. */
typedef struct point_sums {
    size_t n;
    evaluate_point *point;                      /* [n] */
    uint64_t *(*class_correct)[CURVE_PREDICTIONS]; /* [n] what point[i].class_correct are, to be written */
} point_sums;

static size_t classes_of(const study *s, size_t point)
{
    return s->tasks[s->cells[point / s->config->n_rates].task].n_classes;
}

static status open_sums(arena *a, const study *s, point_sums *out)
{
    out->n = s->n_cells * s->config->n_rates;
    TRY_ALLOC(out->point, a, out->n);
    TRY_ALLOC(out->class_correct, a, out->n);
    for (size_t i = 0; i < out->n; i++) {
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            TRY_ALLOC(out->class_correct[i][p], a, classes_of(s, i));
            out->point[i].class_correct[p] = out->class_correct[i][p];
        }
    }
    return STATUS_OK;
}

/* What belongs to the mask is the same for all parts. */
static void add_points(const study *s, const evaluate_point from[], point_sums *sums)
{
    for (size_t i = 0; i < sums->n; i++) {
        evaluate_point *to = &sums->point[i];
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            to->correct[p] += from[i].correct[p];
            to->top5[p] += from[i].top5[p];
            for (size_t k = 0; k < classes_of(s, i); k++) {
                sums->class_correct[i][p][k] += from[i].class_correct[p][k];
            }
        }
        to->agree += from[i].agree;
        to->loss_sum += from[i].loss_sum;
        to->seconds_per_image = from[i].seconds_per_image;
        to->parameters_left = from[i].parameters_left;
        to->macs_left = from[i].macs_left;
        to->removed = from[i].removed;
        to->layers_emptied = from[i].layers_emptied;
    }
}

/* The parts of the images one after the other: what an earlier round has evaluated is known by part. */
static status evaluate_parts(target *t, const search_round *r, stage_ctx *c)
{
    const study *whole = c->study;
    point_sums sums = {.n = 0};
    evaluate_output total = {.points = NULL};
    TRY(comm_agree(t->comm, open_sums(c->arena, whole, &sums)));
    for (size_t p = 0; p < r->n_parts; p++) {
        study part = *whole;
        part.evaluations = r->part[p];
        c->study = &part;
        c->evaluate = (evaluate_output){.points = NULL};
        const status st = run_stage(t, "evaluate", c);
        c->study = whole;
        TRY(st);
        add_points(whole, c->evaluate.points, &sums);
        total.n_masks = c->evaluate.n_masks; /* the same points each time */
        total.n_evaluated = p == 0 ? c->evaluate.n_evaluated : total.n_evaluated; /* what is new on the first part is so on all, the rest was counted */
        total.n_images += c->evaluate.n_images;
    }
    total.points = sums.point;
    c->evaluate = total;
    return STATUS_OK;
}

/* Mean over search.at. On a rung of a race that is about it, over those that are among its rates; else NaN where some are not. */
static double accuracy_at(const config *c, const result_cell *r)
{
    const uint64_t *correct = c->prediction == PREDICTION_MASKED ? r->correct_masked : r->correct;
    double sum = 0.0;
    size_t n = 0;
    for (size_t i = 0; i < c->n_rates; i++) {
        for (size_t k = 0; k < c->search.n_at; k++) {
            if (c->rates[i] == c->search.at[k]) {
                sum += (double)correct[i] / (double)r->total;
                n++;
            }
        }
    }
    return n > 0 && (n == c->search.n_at || c->search.objective == OBJECTIVE_ACCURACY) ? sum / (double)n : (double)NAN;
}

void search_measure(const config *c, const result_cell *r, double out[MEASURES])
{
    out[OBJECTIVE_ACCURACY] = accuracy_at(c, r);
    out[OBJECTIVE_MEAN] = r->a_pr_mean;
    out[OBJECTIVE_TRAPEZOID] = r->a_pr_trapezoid;
    out[OBJECTIVE_PARAMETERS] = r->area_parameters;
    out[OBJECTIVE_MACS] = r->area_macs;
}

status search_binomial(arena *scratch, const config *c, const result_cell *r, double *out)
{
    const uint64_t *correct = c->prediction == PREDICTION_MASKED ? r->correct_masked : r->correct, *left = r->macs_left;
    const size_t n = c->n_rates;
    double *deviation, *share, sum = 0.0;
    size_t n_at = 0;
    TRY_ALLOC(deviation, scratch, n);
    TRY_ALLOC(share, scratch, n);
    left = c->search.objective == OBJECTIVE_PARAMETERS ? r->parameters_left : left;
    for (size_t i = 0; i < n; i++) {
        const double p = (double)correct[i] / (double)r->total;
        deviation[i] = sqrt(p * (1.0 - p) / (double)r->total);
        share[i] = 1.0 - (double)left[i] / (double)left[0]; /* the first rate is 0 */
        for (size_t k = 0; k < c->search.n_at; k++) {
            sum += c->rates[i] == c->search.at[k] ? deviation[i] : 0.0;
            n_at += c->rates[i] == c->search.at[k];
        }
    }
    switch (c->search.objective) { /* each is linear in the accuracies, with weights that are not negative */
    case OBJECTIVE_MEAN:
        sum = curve_mean(n, deviation);
        break;
    case OBJECTIVE_TRAPEZOID:
        sum = curve_trapezoid(n, c->rates, deviation);
        break;
    case OBJECTIVE_PARAMETERS:
    case OBJECTIVE_MACS:
        sum = curve_trapezoid(n, share, deviation);
        break;
    case OBJECTIVE_ACCURACY:
    case CONFIG_OBJECTIVES:
        sum = n_at > 0 ? sum / (double)n_at : 0.0;
        break;
    }
    *out = sum * sum;
    return STATUS_OK;
}

/* Means over tasks and seeds of setting `which` of the round, and the objective's of each seed: by_seed [n_seeds]. The error is over seeds, of the mean
 * over tasks; the binomial variance as if no two cells had images in common, which makes it least. */
static status measure_setting(arena *scratch, const stage_ctx *c, size_t which, size_t kind, double out[COLUMNS], double by_seed[], double *cost)
{
    const study *s = c->study;
    const size_t n_seeds = s->config->n_seeds;
    double mean, binomial = 0.0;
    size_t n = 0;
    memset(out, 0, COLUMNS * sizeof *out);
    memset(by_seed, 0, n_seeds * sizeof *by_seed);
    *cost = 0.0;
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        result_cell r;
        double area[MEASURES];
        if (cell->criterion != which || cell->kind != kind) {
            continue;
        }
        TRY(gather_cell(scratch, s, c, i, &r));
        search_measure(s->config, &r, area);
        TRY(search_binomial(scratch, s->config, &r, &binomial));
        out[COLUMN_BINOMIAL] += binomial;
        for (size_t m = 0; m < MEASURES; m++) {
            out[m] += area[m];
        }
        by_seed[cell->task % n_seeds] += area[s->config->search.objective];
        *cost += (double)r.total * (double)s->config->n_rates;
        n++;
    }
    for (size_t m = 0; m < MEASURES; m++) {
        out[m] /= (double)n;
    }
    for (size_t i = 0; i < n_seeds; i++) {
        by_seed[i] /= (double)n / (double)n_seeds;
    }
    out[COLUMN_BINOMIAL] /= (double)n * (double)n;
    curve_mean_error(n_seeds, by_seed, &mean, &out[COLUMN_ERROR]);
    return STATUS_OK;
}

static status measure_round(target *t, arena *scratch, const stage_ctx *c, const search_round *r)
{
    const size_t n_seeds = c->study->config->n_seeds;
    double *by_seed;
    for (size_t i = 0; i < r->n; i++) {
        const size_t which = r->trial[i];
        for (size_t k = 0; k < n_kinds(t); k++) {
            arena_reset(scratch);
            TRY_ALLOC(by_seed, scratch, n_seeds);
            TRY(measure_setting(scratch, c, i, k, measure_of(t, which, k), by_seed, &t->cost[which]));
            if (r->by_seed != NULL) {
                memcpy(r->by_seed + which * n_seeds, by_seed, n_seeds * sizeof *by_seed);
            }
        }
        t->round[which] = t->n_rounds;
    }
    return STATUS_OK;
}

/* Sums that are known beside those that were made. */
static status recall(const search_round *r, stage_ctx *c)
{
    const study *s = c->study;
    const double **sums;
    if (r->known == NULL) {
        return STATUS_OK;
    }
    TRY_ALLOC(sums, c->arena, s->config->n_criteria * s->n_references);
    memcpy(sums, c->attribute.sums, s->config->n_criteria * s->n_references * sizeof *sums);
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < s->n_references; k++) {
            const double *known = r->known[i * s->n_references + k];
            const size_t at = attribute_index(s, 0, i, k);
            sums[at] = known != NULL ? known : sums[at];
        }
    }
    c->attribute.sums = sums;
    return STATUS_OK;
}

/* Reference images times settings with scores of their own. */
static uint64_t count_explained(const study *s)
{
    uint64_t n = 0;
    for (size_t k = 0; k < s->config->n_criteria; k++) {
        n += attribute_explains(s, 0, k) ? study_explained(s, 0, k)->n : 0;
    }
    return n;
}

static status run_stages(target *t, arena *round, const search_round *r, stage_ctx *c)
{
    *c = (stage_ctx){.comm = t->comm, .study = &r->of->study, .arena = round, .tick = progress_tick, .progress = t->bar, .items = &t->journal->items,
                     .cache = has_rounds(t) ? &t->cache : NULL, .reference_mark = t->reference_mark, .evaluation_mark = t->evaluation_mark};
    TRY(run_stage(t, "attribute", c));
    TRY(comm_agree(t->comm, recall(r, c)));
    TRY(run_stage(t, "prune", c));
    return r->n_parts > 0 ? evaluate_parts(t, r, c) : run_stage(t, "evaluate", c);
}

status search_round_run(target *t, arena *round, const search_round *r)
{
    arena *scratch = NULL;
    stage_ctx c;
    TRY(run_stages(t, round, r, &c));
    status st = arena_open("search", &scratch);
    if (status_ok(st)) {
        st = measure_round(t, scratch, &c, r);
    }
    arena_close(&scratch);
    TRY(comm_agree(t->comm, st));
    t->n_rounds++;
    t->n_masks += c.evaluate.n_masks;
    t->n_evaluated += c.evaluate.n_evaluated;
    t->n_images += c.evaluate.n_images;
    t->n_explained += count_explained(c.study);
    if (r->sums != NULL) {
        *r->sums = c.attribute.sums;
    }
    return STATUS_OK;
}

status search_round_of(target *t, search_planner *planner, size_t which)
{
    arena *round = NULL;
    search_round r = {.n = 0};
    status st = arena_open("round of a search", &round);
    if (status_ok(st)) {
        st = planner(round, t, which, &r);
    }
    st = comm_agree(t->comm, st);
    if (status_ok(st)) {
        st = search_round_run(t, round, &r);
    }
    arena_close(&round);
    return st;
}
