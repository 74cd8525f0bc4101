/* Turns summed relevance into a ranking per cell: every rank computes all of them, from the same sums to the same bits. */
#include "core/rng.h"
#include "pruning/ranking.h"
#include "stages/blame.h"
#include "stages/stage.h"

typedef struct prune_arrays {
    const double **score;
    const uint32_t **order;
    const uint16_t **removed_at;
    const size_t **removed;
    size_t *n_components;
} prune_arrays;

/* Scores of all components of the cell's model: [graph->n_components]. */
static status score_model(const stage_ctx *c, const study_cell *cell, arena *scratch, double **out)
{
    const study *s = c->study;
    const config_criterion *cc = &s->config->criteria[cell->criterion];
    const criterion_setup setup = study_setup(s, cell->model, cell->criterion);
    double *score;
    TRY_ALLOC(score, scratch, setup.graph->n_components);
    if (cc->method->uses_samples) {
        const double *sums = c->attribute.sums[attribute_index(s, cell->model, cell->criterion, cell->reference)];
        cc->method->finish(&setup, s->references[cell->reference].samples.n, sums, score);
    } else {
        TRY(cc->method->scores(&setup, s->tasks[cell->task].seed, score));
    }
    *out = score;
    return STATUS_OK;
}

/* How many components of a cell are gone at each rate: does not depend on their scores. */
static status count_removed(const stage_ctx *c, size_t index, prune_arrays *out)
{
    const study *s = c->study;
    const study_cell *cell = &s->cells[index];
    const study_model *m = &s->models[cell->model];
    size_t *removed;
    TRY_ALLOC(removed, c->arena, s->config->n_rates);
    for (size_t r = 0; r < s->config->n_rates; r++) {
        removed[r] = ranking_removed(&s->config->criteria[cell->criterion].ranking, &m->layers[cell->kind], s->config->rates[r]);
    }
    out->removed[index] = removed;
    out->n_components[index] = m->n_components[cell->kind];
    return STATUS_OK;
}

static status prune_cell(const stage_ctx *c, arena *scratch, size_t index, prune_arrays *out)
{
    const study *s = c->study;
    const study_cell *cell = &s->cells[index];
    const study_model *m = &s->models[cell->model];
    const ranking_options *ranking = &s->config->criteria[cell->criterion].ranking;
    const size_t n = m->n_components[cell->kind];
    double *all = NULL, *score;
    uint32_t *order;
    uint16_t *removed_at;
    arena_reset(scratch);
    TRY(score_model(c, cell, scratch, &all));
    TRY_ALLOC(score, c->arena, n);
    TRY_ALLOC(order, c->arena, n);
    TRY_ALLOC(removed_at, c->arena, n);
    for (size_t i = 0; i < n; i++) {
        score[i] = all[m->component[cell->kind][i]];
    }
    const status ranked = ranking_build_by(scratch, ranking, &m->layers[cell->kind], score, order);
    if (ranked.code != ST_OK && ranked.code != ST_DATA) {
        return ranked;
    }
    if (!status_ok(ranked)) {
        status_clear();
        return blame_layer(c, cell, scratch, all);
    }
    ranking_removed_at(n, order, s->config->n_rates, out->removed[index], removed_at);
    out->score[index] = score;
    out->order[index] = order;
    out->removed_at[index] = removed_at;
    return STATUS_OK;
}

/* Before there are sums of relevance only the criteria without samples can be ranked. */
static bool is_known(const stage_ctx *c, const study_cell *cell)
{
    return c->attribute.sums != NULL || !c->study->config->criteria[cell->criterion].method->uses_samples;
}

static status prune_all(stage_ctx *c, arena *scratch)
{
    const size_t n = c->study->n_cells;
    prune_arrays out;
    TRY_ALLOC(out.score, c->arena, n);
    TRY_ALLOC(out.order, c->arena, n);
    TRY_ALLOC(out.removed_at, c->arena, n);
    TRY_ALLOC(out.removed, c->arena, n);
    TRY_ALLOC(out.n_components, c->arena, n);
    for (size_t i = 0; i < n; i++) {
        TRY(count_removed(c, i, &out));
        if (is_known(c, &c->study->cells[i])) {
            TRY(prune_cell(c, scratch, i, &out));
        }
    }
    c->prune = (prune_output){out.score, out.order, out.removed_at, out.removed, out.n_components};
    return STATUS_OK;
}

static double work(const stage_ctx *c)
{
    (void)c;
    return 0.0;
}

/* Scores of the model, those of the cell as they are sorted and with their indices, and what the options take (pruning/ranking.c). */
static size_t ranking_bytes(const study *s, const study_cell *cell)
{
    const study_model *m = &s->models[cell->model];
    const ranking_options *o = &s->config->criteria[cell->criterion].ranking;
    const ranking_layers *l = &m->layers[cell->kind];
    const size_t pairs = forecast_block(l->n, 2 * sizeof(double)), layers = forecast_block(l->n_layers, sizeof(size_t));
    size_t sum = forecast_block(m->graph->n_components, sizeof(double)) + forecast_block(l->n, sizeof(double)) + pairs;
    if (o->scope == RANKING_LAYER) {
        sum += forecast_block(l->n, sizeof(uint32_t)) + forecast_block(l->n, sizeof(double)) + layers + pairs;
    } else if (o->floor > 0.0) {
        sum += 2 * forecast_block(l->n, sizeof(uint32_t)) + layers;
    }
    return sum;
}

static status forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    const study *s = c->study;
    size_t most = 0;
    *out = (stage_forecast){.kept = 4 * forecast_block(s->n_cells, sizeof(double *)) + forecast_block(s->n_cells, sizeof(size_t))};
    for (size_t i = 0; i < s->n_cells; i++) {
        const size_t n = s->models[s->cells[i].model].n_components[s->cells[i].kind], bytes = ranking_bytes(s, &s->cells[i]);
        out->kept += forecast_block(n, sizeof(double)) + forecast_block(n, sizeof(uint32_t)) + forecast_block(n, sizeof(uint16_t));
        out->kept += forecast_block(s->config->n_rates, sizeof(size_t));
        most = bytes > most ? bytes : most;
    }
    forecast_add(out, "scores", most);
    return prune_all(c, scratch);
}

static bool same_track(const study_cell *a, const study_cell *b)
{
    return a->model == b->model && a->kind == b->kind && a->criterion == b->criterion;
}

/* Sorts random scores once for each model, kind and criterion. */
static status try_all(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    const study *s = c->study;
    (void)images;
    (void)budget;
    *seconds = 0.0;
    for (size_t i = 0; i < s->n_cells;) {
        size_t end = i;
        const study_cell *cell = &s->cells[i];
        const ranking_layers *l = &s->models[cell->model].layers[cell->kind];
        double *score;
        uint32_t *order;
        arena_release(a);
        TRY_ALLOC(score, a, l->n);
        TRY_ALLOC(order, a, l->n);
        for (size_t k = 0; k < l->n; k++) {
            score[k] = rng_uniform(0, RNG_SCORES, 0, (uint32_t)k);
        }
        const double started = log_seconds();
        TRY(ranking_build_by(a, &s->config->criteria[cell->criterion].ranking, l, score, order));
        const double once = log_seconds() - started;
        while (end < s->n_cells && same_track(cell, &s->cells[end])) {
            end++;
        }
        *seconds += once * (double)(end - i);
        i = end;
    }
    return STATUS_OK;
}

static status run(stage_ctx *c)
{
    arena *scratch = NULL;
    status st = arena_open("prune", &scratch);
    if (status_ok(st)) {
        st = prune_all(c, scratch);
    }
    arena_close(&scratch);
    return comm_agree(c->comm, st);
}

const stage_def stage_prune = {
    .name = "prune",
    .help = "rank the components of every cell in the order in which they are removed",
    .work = work,
    .run = run,
    .forecast = forecast,
    .trial = try_all,
};
