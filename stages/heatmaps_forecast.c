/* What the heatmaps stage will do, take and last. */
#include <math.h>
#include <string.h>

#include "attribution/walk_pruned.h"
#include "parallel/node_weights.h"
#include "stages/heatmaps.h"

/* The walk of the whole network, whose weights the ranks of a node share, and the largest of a pruned one: one that has lost next to nothing copies
 * the most weights. */
static status walk_bytes_of(const stage_ctx *c, arena *scratch, size_t model, size_t *whole, weight_list *weights, size_t *pruned)
{
    const criterion_setup setup = study_heatmap_setup(c->study, model);
    const graph *g = setup.graph;
    arena *lasting = NULL;
    const composite *rules = NULL;
    TRY(arena_open("heatmaps forecast", &lasting));
    uint8_t *alive = arena_alloc(lasting, g->n_components, 1);
    status st = alive == NULL ? (status){ST_ENVIRONMENT} : c->study->config->heatmaps.explanation.method->composite(lasting, &setup, &rules);
    if (status_ok(st)) {
        memset(alive, 1, g->n_components);
        st = walk_pruned_needs(scratch, g, alive, rules, setup.backend, setup.batch, node_weights_list(c->comm, weights), whole);
    }
    if (status_ok(st)) {
        for (size_t k = 0; k < g->n_layers; k++) {
            alive[g->nodes[g->layers[k]].first_component] = 0;
        }
        st = walk_pruned_needs(scratch, g, alive, rules, setup.backend, setup.batch, NULL, pruned);
    }
    arena_close(&lasting);
    return st;
}

static void count_work(const study *s, const heatmap_work *w, stage_forecast *out)
{
    for (size_t k = 0; k < w->n_lists; k++) {
        const heatmap_list *l = &w->lists[k];
        out->passes += l->n_batches * l->n_masks;
    }
    for (size_t u = 0; u < w->masks.n; u++) {
        out->unshared += study_batches(&s->evaluations[w->masks.use[u].evaluation].heatmaps, w->micro_batch);
        out->at_most = out->at_most || w->masks.use[u].unknown != 0;
    }
    out->items += w->n_items;
}

/* What lasts: answers and maps on rank 0. */
static size_t kept_bytes(const stage_ctx *c, const heatmap_work *w)
{
    size_t sum = w->pixels > 0 ? forecast_block(w->offset[w->n_items], sizeof(int64_t)) : 0;
    for (size_t k = 0; k < w->n_lists; k++) {
        const size_t n = w->lists[k].n_masks * w->lists[k].samples->n;
        sum += forecast_block(n, sizeof(heatmap_answer_pair)) + (w->pixels > 0 ? forecast_block(n, sizeof(float *)) : 0);
    }
    return c->comm->rank == 0 ? sum : 0;
}

static status forecast_model(const stage_ctx *c, arena *scratch, size_t model, stage_forecast *out)
{
    heatmap_work w;
    stage_forecast one = {0};
    weight_list weights = weights_open(NULL);
    size_t whole = 0, pruned = 0;
    TRY(walk_bytes_of(c, scratch, model, &whole, &weights, &pruned));
    arena_reset(scratch);
    TRY(heatmaps_plan(scratch, c, model, &w));
    count_work(c->study, &w, out);
    const size_t weight_bytes = weights.floats * sizeof(float);
    one.shared = c->comm->node_size > 1 ? weight_bytes : 0;
    forecast_add(&one, "activations and relevance", whole);
    forecast_add(&one, "weights in the order of the kernels", weight_bytes - one.shared);
    forecast_add(&one, "a pruned network and its relevance", pruned);
    forecast_add(&one, "images and relevance of the input", heatmaps_bytes(c, model));
    forecast_add(&one, "masks", masks_bytes(c->study, model) + forecast_block(w.n_items + 1, sizeof(size_t)));
    forecast_add(&one, "answers and maps", heatmaps_store_bytes(c, &w));
    const size_t kept = kept_bytes(c, &w);
    out->kept += kept;
    out->gathered += kept;
    for (size_t k = 0; k < w.n_lists; k++) {
        out->file += w.lists[k].n_masks * w.lists[k].samples->n * w.pixels * sizeof(float);
    }
    forecast_keep_most(out, &one, c->comm->node_size);
    return STATUS_OK;
}

static status count_images(const study *s, arena *scratch, size_t *out)
{
    uint8_t *read;
    arena_reset(scratch);
    TRY_ALLOC(read, scratch, s->evaluation_data->n_samples);
    for (size_t i = 0; i < s->n_evaluations; i++) {
        *out += forecast_unread(&s->evaluations[i].heatmaps, read);
    }
    return STATUS_OK;
}

status heatmaps_forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    const study *s = c->study;
    *out = (stage_forecast){.idle = s->config->heatmaps.images == 0};
    if (out->idle) {
        return STATUS_OK;
    }
    out->kept = forecast_block(s->n_models * s->n_evaluations, sizeof(heatmap_set)) + forecast_block(s->n_cells, sizeof(size_t)) +
                forecast_block(s->n_cells * s->config->n_rates, sizeof(size_t));
    TRY(count_images(s, scratch, &out->images));
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(forecast_model(c, scratch, m, out));
    }
    return STATUS_OK;
}

/* A model's networks (trial_network), each cut out and walked. */
typedef struct trial_steps {
    trial_clock take, build[TRIAL_NETWORKS], walk[TRIAL_NETWORKS]; /* take: reading and explaining by the unpruned network */
    uint64_t macs[TRIAL_NETWORKS];
} trial_steps;

static status try_once(stage_ctx *c, heatmapper *h, const heatmap_work *w, size_t round, uint8_t *alive, arena *scratch, trial_steps *t)
{
    const graph *g = c->study->models[w->model].graph;
    const size_t tried = trial_network(round, g->n_components, alive);
    uint64_t parameters;
    double build = 0.0, walk_seconds = 0.0;
    const double started = log_seconds();
    TRY(heatmaps_try(h, w->lists, round % w->lists->n_batches, alive, &build, &walk_seconds));
    if (w->lists->n_batches > 1 || round == 0) { /* else it is at hand already */
        trial_lap(&t->take, log_seconds() - started - build - walk_seconds);
    }
    trial_lap(&t->build[tried], build);
    trial_lap(&t->walk[tried], walk_seconds);
    arena_reset(scratch);
    return graph_cost_left(scratch, g, alive, &parameters, &t->macs[tried]);
}

/* All items of the model, of `w` with the study's own micro-batches, on this rank's share. */
static status trial_total(const stage_ctx *c, arena *scratch, const heatmap_work *w, const trial_steps *t, size_t tried, double *seconds)
{
    const double images = (double)w->micro_batch / (double)tried; /* a micro-batch, in those that were tried */
    double sum = 0.0;
    for (size_t k = 0; k < w->n_lists; k++) {
        const heatmap_list *l = &w->lists[k];
        double masks = 0.0;
        for (size_t m = 1; m < l->n_masks; m++) { /* the first removes nothing, which is known by then */
            double macs = 0.0;
            TRY(masks_macs(scratch, c->study, w->model, &w->masks.use[l->mask[m]], c->prune.removed, &macs));
            masks += trial_line(t->build, t->macs, macs, trial_mean) + images * trial_line(t->walk, t->macs, macs, trial_mean);
        }
        sum += (double)l->n_batches * (masks + (double)l->n_groups * images * trial_mean(&t->take));
    }
    *seconds += w->n_items == 0 ? 0.0 : sum * (double)forecast_share(w->n_items, c->comm->size) / (double)w->n_items;
    return STATUS_OK;
}

/* Collective. `small`: of the pruned network; `mine`: with the trial's micro-batch. */
static status try_model(stage_ctx *c, stage_ctx *mine, arena *a, arena *small, arena *images, arena *scratch, size_t model, double budget,
                        size_t tried, double *seconds)
{
    heatmap_work w, all;
    heatmapper *h = NULL;
    trial_steps steps = {0};
    uint8_t *alive = arena_alloc(a, c->study->models[model].graph->n_components, 1);
    status st = alive == NULL ? (status){ST_ENVIRONMENT} : heatmaps_plan(a, mine, model, &w);
    if (status_ok(st)) {
        st = heatmaps_plan(a, c, model, &all);
    }
    if (status_ok(st)) {
        st = heatmaps_open(mine, a, small, images, &w, &h);
    }
    TRY(heatmaps_ready(mine, a, st, h));
    const double started = log_seconds();
    for (size_t round = 0; status_ok(st) && w.n_lists > 0 && (round < TRIAL_NETWORKS || log_seconds() - started < budget); round++) {
        st = try_once(mine, h, &w, round, alive, scratch, &steps);
    }
    return status_ok(st) ? trial_total(c, scratch, &all, &steps, tried, seconds) : st;
}

static status try_models(stage_ctx *c, arena *a, arena *small, arena *images, arena *scratch, double budget, double *seconds)
{
    static const double walk_costs = 3.0; /* in forward passes, roughly */
    for (size_t m = 0; m < c->study->n_models; m++) {
        trial narrow;
        uint64_t parameters, macs;
        stage_ctx mine = *c;
        graph_cost(c->study->models[m].graph, &parameters, &macs, NULL, NULL);
        trial_open(c->study, walk_costs * (double)macs, budget / 4.0, &narrow);
        mine.study = &narrow.study;
        arena_release(a);
        arena_release(small);
        TRY(comm_agree(c->comm, try_model(c, &mine, a, small, images, scratch, m, budget / (double)c->study->n_models,
                                          narrow.config.micro_batch, seconds)));
    }
    return STATUS_OK;
}

status heatmaps_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    arena *small = NULL, *scratch = NULL;
    *seconds = 0.0;
    if (c->study->config->heatmaps.images == 0) {
        return STATUS_OK;
    }
    status st = arena_open("pruned network's walk", &small);
    if (status_ok(st)) {
        st = arena_open("heatmaps trial", &scratch);
    }
    st = comm_agree(c->comm, st);
    c->watched = small;
    if (status_ok(st)) {
        st = try_models(c, a, small, images, scratch, budget, seconds);
    }
    c->watched = NULL;
    arena_close(&scratch);
    arena_close(&small);
    return st;
}
