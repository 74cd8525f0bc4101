#include "pipeline/gather.h"

#include <math.h>
#include <string.h>

#include "io/config_composite.h"
#include "nn/op.h"
#include "pipeline/gather_audit.h"
#include "pipeline/gather_differences.h"
#include "pipeline/gather_heatmaps.h"
#include "pipeline/gather_rows.h"
#include "pipeline/gather_spectrum.h"
#include "pipeline/winograd.h"
#include "pruning/curve.h"

const double gather_kept_accuracy = 0.95;

static status gather_model(arena *a, const study_model *m, result_model *out)
{
    const graph *g = m->graph;
    result_layer *layers;
    uint64_t *parameters, *macs;
    TRY_ALLOC(layers, a, g->n_layers);
    TRY_ALLOC(parameters, a, g->n_components);
    TRY_ALLOC(macs, a, g->n_components);
    *out = (result_model){.name = m->config->name, .architecture = g->architecture, .checkpoint = m->config->checkpoint,
                          .n_layers = g->n_layers, .layers = layers, .n_components = g->n_components,
                          .parameters = parameters, .macs = macs, .n_classes = g->n_classes};
    out->preprocessing = preprocess_texts(a, &m->preprocess, &m->evaluation_preprocess);
    if (out->preprocessing == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *n = &g->nodes[g->layers[i]];
        layers[i] = (result_layer){n->name, n->op->name, depth_group_name(n->group), n->components, n->n_components,
                                   n->first_component};
    }
    graph_cost(g, &out->total_parameters, &out->total_macs, parameters, macs);
    return STATUS_OK;
}

/* What is counted at each rate of a cell: arrays over the rates that follow each other. */
enum {
    COUNTS_LEFT, COUNTS_MACS, COUNTS_REMOVED, COUNTS_EMPTIED, COUNTS_AGREE, /* then by prediction */
    COUNTS_CORRECT, COUNTS_TOP5 = COUNTS_CORRECT + CURVE_PREDICTIONS, CELL_COUNTS = COUNTS_TOP5 + CURVE_PREDICTIONS
};

static void gather_point(const evaluate_point *p, size_t n_rates, size_t n_classes, size_t rate, uint64_t *counts, uint64_t *class_correct)
{
    counts[COUNTS_LEFT * n_rates + rate] = p->parameters_left;
    counts[COUNTS_MACS * n_rates + rate] = p->macs_left;
    counts[COUNTS_REMOVED * n_rates + rate] = p->removed;
    counts[COUNTS_EMPTIED * n_rates + rate] = p->layers_emptied;
    counts[COUNTS_AGREE * n_rates + rate] = p->agree;
    for (size_t k = 0; k < CURVE_PREDICTIONS; k++) {
        counts[(COUNTS_CORRECT + k) * n_rates + rate] = p->correct[k];
        counts[(COUNTS_TOP5 + k) * n_rates + rate] = p->top5[k];
        memcpy(class_correct + (k * n_rates + rate) * n_classes, p->class_correct[k], n_classes * sizeof class_correct[0]);
    }
}

/* One cell's accuracy over what else pruning removes: parameters, multiply-adds. */
typedef struct cost_axis {
    double area, at_highest; /* under the curve over the removed share; that share at the highest rate that keeps the accuracy */
} cost_axis;

static cost_axis gather_axis(size_t n, const double rate[], const double accuracy[], const uint64_t left[], uint64_t total, double highest,
                             double share[])
{
    cost_axis a = {0};
    for (size_t r = 0; r < n; r++) {
        share[r] = 1.0 - (double)left[r] / (double)total;
        a.at_highest = rate[r] <= highest ? share[r] : a.at_highest;
    }
    a.area = curve_trapezoid(n, share, accuracy);
    return a;
}

/* The curve of one cell as arrays over the rates. */
status gather_cell(arena *a, const study *s, const stage_ctx *c, size_t index, result_cell *out)
{
    const study_cell *cell = &s->cells[index];
    const study_task *t = &s->tasks[cell->task];
    const study_evaluation *e = &s->evaluations[t->evaluation];
    const evaluate_point *point = c->evaluate.points + index * s->config->n_rates;
    const size_t n = s->config->n_rates;
    uint64_t *counts, *class_correct;
    double *loss, *accuracy, *seconds, *share;
    TRY_ALLOC(seconds, a, n);
    TRY_ALLOC(share, a, n);
    TRY_ALLOC(counts, a, CELL_COUNTS * n);
    TRY_ALLOC(class_correct, a, CURVE_PREDICTIONS * n * t->n_classes);
    TRY_ALLOC(loss, a, n);
    TRY_ALLOC(accuracy, a, n);
    for (size_t r = 0; r < n; r++) {
        gather_point(&point[r], n, t->n_classes, r, counts, class_correct);
        loss[r] = point[r].loss_sum;
        seconds[r] = point[r].seconds_per_image;
        accuracy[r] = (double)point[r].correct[s->config->prediction] / (double)e->samples.n;
    }
    const uint64_t *correct = counts + COUNTS_CORRECT * n, *top5 = counts + COUNTS_TOP5 * n;
    *out = (result_cell){
        .model = cell->model, .criterion = cell->criterion, .task = t->subset, .kind = s->models[cell->model].kinds[cell->kind], .seed = t->seed,
        .n_references = cell->reference == NO_REFERENCE ? 0 : s->references[cell->reference].per_class,
        .n_images = cell->reference == NO_REFERENCE ? 0 : s->references[cell->reference].samples.n,
        .n_classes = t->n_classes, .classes = t->classes, .total = e->samples.n, .class_total = e->class_total,
        .correct = correct + PREDICTION_RESTRICTED * n, .correct_masked = correct + PREDICTION_MASKED * n,
        .top5 = top5 + PREDICTION_RESTRICTED * n, .top5_masked = top5 + PREDICTION_MASKED * n,
        .class_correct = class_correct + PREDICTION_RESTRICTED * n * t->n_classes,
        .class_correct_masked = class_correct + PREDICTION_MASKED * n * t->n_classes,
        .parameters_left = counts + COUNTS_LEFT * n, .macs_left = counts + COUNTS_MACS * n, .removed = counts + COUNTS_REMOVED * n,
        .layers_emptied = counts + COUNTS_EMPTIED * n, .agree = counts + COUNTS_AGREE * n,
        .loss_sum = loss, .seconds_per_image = seconds,
        .a_pr_mean = curve_mean(n, accuracy), .a_pr_trapezoid = curve_trapezoid(n, s->config->rates, accuracy),
        .highest_rate = curve_highest_rate(n, s->config->rates, accuracy, gather_kept_accuracy)};
    uint64_t parameters, macs;
    graph_cost(s->models[cell->model].graph, &parameters, &macs, NULL, NULL);
    const double *rate = s->config->rates;
    const cost_axis p = gather_axis(n, rate, accuracy, out->parameters_left, parameters, out->highest_rate, share);
    const cost_axis m = gather_axis(n, rate, accuracy, out->macs_left, macs, out->highest_rate, share);
    out->area_parameters = p.area;
    out->parameters_removed = p.at_highest;
    out->area_macs = m.area;
    out->macs_removed = m.at_highest;
    return STATUS_OK;
}

/* Cells lie by (model, kind, criterion): the end of the track that begins at `first`. */
static size_t track_end(const study *s, size_t first)
{
    const study_cell *f = &s->cells[first];
    size_t end = first;
    while (end < s->n_cells && s->cells[end].model == f->model && s->cells[end].kind == f->kind &&
           s->cells[end].criterion == f->criterion) {
        end++;
    }
    return end;
}

/* The moments of one cell, restricted to the components of its kind. */
static void gather_moments(const study *s, const stage_ctx *c, const study_cell *cell, double *out)
{
    const study_model *m = &s->models[cell->model];
    const criterion_def *method = s->config->criteria[cell->criterion].method;
    const double *sums = c->attribute.sums[attribute_index(s, cell->model, cell->criterion, cell->reference)];
    for (size_t k = 0; k < method->n_moments; k++) {
        for (size_t i = 0; i < m->n_components[cell->kind]; i++) {
            *out++ = sums[k * m->graph->n_components + m->component[cell->kind][i]];
        }
    }
}

static status gather_track(arena *a, const study *s, const stage_ctx *c, size_t first, size_t end, result_track *out)
{
    const study_cell *cell = &s->cells[first];
    const study_model *m = &s->models[cell->model];
    const criterion_def *method = s->config->criteria[cell->criterion].method;
    const size_t n = m->n_components[cell->kind], n_cells = end - first;
    const size_t n_moments = method->uses_samples ? method->n_moments : 0;
    const criterion_setup setup = study_setup(s, cell->model, cell->criterion);
    const size_t summed = criterion_score_moment(method, &setup);
    size_t *cells;
    double *relevance, *moments;
    uint32_t *ranking;
    uint16_t *removed_at;
    TRY_ALLOC(cells, a, n_cells);
    TRY_ALLOC(relevance, a, n_cells * n);
    TRY_ALLOC(ranking, a, n_cells * n);
    TRY_ALLOC(removed_at, a, n_cells * n);
    TRY_ALLOC(moments, a, n_cells * n_moments * n);
    for (size_t i = 0; i < n_cells; i++) {
        cells[i] = first + i;
        memcpy(relevance + i * n, c->prune.score[first + i], n * sizeof relevance[0]);
        memcpy(ranking + i * n, c->prune.order[first + i], n * sizeof ranking[0]);
        memcpy(removed_at + i * n, c->prune.removed_at[first + i], n * sizeof removed_at[0]);
        if (n_moments > 0) {
            gather_moments(s, c, &s->cells[first + i], moments + i * n_moments * n);
        }
    }
    *out = (result_track){.model = cell->model, .criterion = cell->criterion, .kind = m->kinds[cell->kind], .n_components = n,
                          .component = m->component[cell->kind], .n_cells = n_cells, .cell = cells, .relevance = relevance,
                          .ranking = ranking, .removed_at = removed_at, .n_moments = n_moments,
                          .moment_names = method->moments,
                          .score_moment = summed == NO_MOMENT ? NULL : method->moments[summed], .moments = moments};
    return STATUS_OK;
}

/* One group of seeds: cells[first .. first + n_seeds) share everything but the seed. */
static status gather_stability(arena *a, arena *scratch, const study *s, const stage_ctx *c, size_t first, const result_cell *cell,
                               result_stability *out)
{
    const size_t n_seeds = s->config->n_seeds, n_rates = s->config->n_rates, n = c->prune.n_components[first];
    double *jaccard, tau = 0.0;
    TRY_ALLOC(jaccard, a, n_rates);
    *out = (result_stability){.model = cell->model, .criterion = cell->criterion, .task = cell->task, .n_classes = cell->n_classes,
                              .n_references = cell->n_references, .kind = cell->kind, .jaccard_mean = jaccard};
    for (size_t i = first; i < first + n_seeds; i++) {
        for (size_t k = i + 1; k < first + n_seeds; k++) {
            double one = 0.0;
            arena_reset(scratch);
            TRY(ranking_kendall(scratch, n, c->prune.order[i], c->prune.order[k], &one));
            tau += one;
            for (size_t r = 0; r < n_rates; r++) {
                TRY(ranking_jaccard(scratch, n, c->prune.order[i], c->prune.order[k], c->prune.removed[first][r], &one));
                jaccard[r] += one;
            }
            out->n_pairs++;
        }
    }
    out->kendall_mean = out->n_pairs > 0 ? tau / (double)out->n_pairs : (double)NAN; /* one seed says nothing about stability */
    for (size_t r = 0; r < n_rates; r++) {
        jaccard[r] = out->n_pairs > 0 ? jaccard[r] / (double)out->n_pairs : (double)NAN;
    }
    return STATUS_OK;
}

/* The three axes of a row: at the rate that its mean curve keeps, means over the seeds. */
static void gather_costs(const study *s, const results *r, const result_cell *cell, result_summary *out)
{
    const size_t n_seeds = s->config->n_seeds, n_rates = s->config->n_rates;
    const result_model *m = &r->models[out->model];
    size_t highest = 0;
    for (size_t k = 0; k < n_rates; k++) {
        highest = s->config->rates[k] <= out->highest_rate ? k : highest;
    }
    for (size_t i = 0; i < n_seeds; i++) {
        out->area_parameters += cell[i].area_parameters / (double)n_seeds;
        out->area_macs += cell[i].area_macs / (double)n_seeds;
        out->parameters_removed += (1.0 - (double)cell[i].parameters_left[highest] / (double)m->total_parameters) / (double)n_seeds;
        out->macs_removed += (1.0 - (double)cell[i].macs_left[highest] / (double)m->total_macs) / (double)n_seeds;
    }
}

static status gather_summary(arena *scratch, const study *s, const results *r, const result_cell *cell, result_summary *out)
{
    const size_t n_seeds = s->config->n_seeds, n_rates = s->config->n_rates;
    double *mean, *trapezoid, *curve;
    TRY_ALLOC(mean, scratch, n_seeds);
    TRY_ALLOC(trapezoid, scratch, n_seeds);
    TRY_ALLOC(curve, scratch, n_rates);
    *out = (result_summary){.model = cell->model, .criterion = cell->criterion, .task = cell->task, .n_classes = cell->n_classes,
                            .n_references = cell->n_references, .n_seeds = n_seeds, .kind = cell->kind};
    for (size_t i = 0; i < n_seeds; i++) {
        mean[i] = cell[i].a_pr_mean;
        trapezoid[i] = cell[i].a_pr_trapezoid;
        for (size_t k = 0; k < n_rates; k++) {
            curve[k] += (double)results_correct(r, &cell[i])[k] / (double)cell[i].total / (double)n_seeds;
        }
    }
    out->accuracy = curve[0];
    curve_mean_error(n_seeds, mean, &out->a_pr_mean, &out->a_pr_error);
    curve_mean_error(n_seeds, trapezoid, &out->a_pr_trapezoid, &out->a_pr_trapezoid_error);
    out->highest_rate = curve_highest_rate(n_rates, s->config->rates, curve, gather_kept_accuracy);
    gather_costs(s, r, cell, out);
    return STATUS_OK;
}

static status gather_groups(arena *a, arena *scratch, const study *s, const stage_ctx *c, results *out)
{
    const size_t n = s->n_cells / s->config->n_seeds;
    result_stability *stability;
    result_summary *summary;
    TRY_ALLOC(stability, a, n);
    TRY_ALLOC(summary, a, n);
    for (size_t i = 0; i < n; i++) {
        const size_t first = i * s->config->n_seeds;
        TRY(gather_stability(a, scratch, s, c, first, &out->cells[first], &stability[i]));
        arena_reset(scratch);
        TRY(gather_summary(scratch, s, out, &out->cells[first], &summary[i]));
    }
    out->stability = stability;
    out->n_stability = n;
    out->summary = summary;
    out->n_summary = n;
    return STATUS_OK;
}

status gather_criteria(arena *a, const config *cfg, const char ***names, const char ***methods)
{
    TRY_ALLOC(*names, a, cfg->n_criteria);
    TRY_ALLOC(*methods, a, cfg->n_criteria);
    for (size_t i = 0; i < cfg->n_criteria; i++) {
        (*names)[i] = cfg->criteria[i].name;
        (*methods)[i] = criterion_text(a, &cfg->criteria[i]);
        if ((*methods)[i] == NULL) {
            return (status){ST_ENVIRONMENT};
        }
    }
    return STATUS_OK;
}

/* The composite of every criterion in full: presets as the lists that they are, stabilisers of entries too. */
static status gather_composites(arena *a, const config *cfg, const char *const **out)
{
    const char **text;
    TRY_ALLOC(text, a, cfg->n_criteria);
    for (size_t i = 0; i < cfg->n_criteria; i++) {
        const config_criterion *cc = &cfg->criteria[i];
        const criterion_setup setup = {.parameters = cc->parameters, .composite = cc->composite};
        const composite *c;
        text[i] = "";
        if (cc->method->composite != NULL) {
            TRY(cc->method->composite(a, &setup, &c));
            text[i] = composite_text(a, c);
            TRY(text[i] != NULL ? STATUS_OK : (status){ST_ENVIRONMENT});
        }
    }
    *out = text;
    return STATUS_OK;
}

static status gather_tracks(arena *a, const study *s, const stage_ctx *c, results *out)
{
    result_track *tracks;
    TRY_ALLOC(tracks, a, s->n_cells);
    for (size_t first = 0; first < s->n_cells; first = track_end(s, first)) {
        TRY(gather_track(a, s, c, first, track_end(s, first), &tracks[out->n_tracks++]));
    }
    out->tracks = tracks;
    return STATUS_OK;
}

static status gather_all(arena *a, arena *scratch, const study *s, const stage_ctx *c, results *out)
{
    result_model *models;
    result_cell *cells;
    ranking_options *rankings;
    const char **names = NULL, **methods = NULL;
    const char *const *composites = NULL;
    TRY_ALLOC(models, a, s->n_models);
    TRY_ALLOC(cells, a, s->n_cells);
    TRY_ALLOC(rankings, a, s->config->n_criteria);
    TRY(gather_criteria(a, s->config, &names, &methods));
    TRY(gather_composites(a, s->config, &composites));
    for (size_t i = 0; i < s->config->n_criteria; i++) {
        rankings[i] = s->config->criteria[i].ranking;
    }
    *out = (results){.study = s->config->name, .n_models = s->n_models, .n_criteria = s->config->n_criteria,
                     .n_rates = s->config->n_rates, .n_cells = s->n_cells, .models = models, .criterion_name = names,
                     .criterion_method = methods, .criterion_composite = composites, .criterion_ranking = rankings, .prediction = s->config->prediction,
                     .rates = s->config->rates, .n_tasks = s->config->n_tasks, .task_name = s->config->task_name, .class_name = s->evaluation_data->class_name,
                     .n_classes = s->evaluation_data->n_classes, .cells = cells, .winograd = winograd_any(s)};
    for (size_t i = 0; i < s->n_models; i++) {
        TRY(gather_model(a, &s->models[i], &models[i]));
    }
    for (size_t i = 0; i < s->n_cells; i++) {
        TRY(gather_cell(a, s, c, i, &cells[i]));
    }
    TRY(gather_tracks(a, s, c, out));
    TRY(gather_audits(a, s, c, out));
    TRY(gather_rows(a, s, c, out));
    TRY(gather_spectra(a, s, c, out));
    TRY(gather_heatmaps(a, s, c, out));
    TRY(gather_groups(a, scratch, s, c, out));
    return gather_differences(a, s, out);
}

status gather_results(arena *a, const study *s, const stage_ctx *c, results *out)
{
    arena *scratch = NULL;
    TRY(arena_open("gather", &scratch));
    const status st = gather_all(a, scratch, s, c, out);
    arena_close(&scratch);
    return st;
}

static size_t cell_bytes(const study *s, const study_cell *cell)
{
    const size_t n = s->models[cell->model].n_components[cell->kind], n_rates = s->config->n_rates;
    const criterion_def *method = s->config->criteria[cell->criterion].method;
    const size_t n_moments = method->uses_samples ? method->n_moments : 0;
    const size_t counts = CELL_COUNTS + CURVE_PREDICTIONS * s->tasks[cell->task].n_classes;
    const size_t curve = n_rates * (counts * sizeof(uint64_t) + 4 * sizeof(double));
    const size_t track = n * (sizeof(double) + sizeof(uint32_t) + sizeof(uint16_t) + n_moments * sizeof(double));
    return sizeof(result_cell) + sizeof(result_track) + curve + track;
}

size_t gather_bytes(const study *s)
{
    const size_t groups = s->n_cells / s->config->n_seeds;
    size_t sum = groups * (sizeof(result_stability) + sizeof(result_summary) + s->config->n_rates * sizeof(double));
    for (size_t i = 0; i < s->n_cells; i++) {
        sum += cell_bytes(s, &s->cells[i]);
    }
    sum += gather_audits_bytes(s) + gather_rows_bytes(s) + gather_spectra_bytes(s) + gather_heatmaps_bytes(s) + gather_differences_bytes(s);
    for (size_t i = 0; i < s->n_models; i++) {
        const graph *g = s->models[i].graph;
        sum += sizeof(result_model) + g->n_layers * sizeof(result_layer) + 2 * g->n_components * sizeof(uint64_t);
    }
    return sum;
}
