/* Measures what pruned networks still know: every distinct (model, mask, evaluation set) once, counts added as integers. */
#include <string.h>

#include "nn/op.h"
#include "stages/counters.h"
#include "stages/evaluate_parts.h"

/* Layers of which nothing is left. */
static size_t emptied(const graph *g, const uint8_t alive[])
{
    size_t n = 0;
    for (size_t k = 0; k < g->n_layers; k++) {
        const node *layer = &g->nodes[g->layers[k]];
        n += op_count_live(alive + layer->first_component, 0, layer->n_components) == 0;
    }
    return n;
}

/* What the counters of one distinct mask say for every curve point that wants it. */
static status spread(stage_ctx *c, const evaluator *e, const set_plan *p, const mask_point *m, evaluate_point *points)
{
    const study *s = c->study;
    const graph *g = s->models[e->model].graph;
    const uint8_t *alive = e->masks.use[m->first].alive;
    evaluate_point point;
    TRY(counters_read(c->arena, p->set, e->counters + m->counters, p->n_batches * s->config->micro_batch, &point));
    arena_reset(e->scratch);
    TRY(graph_cost_left(e->scratch, g, alive, &point.parameters_left, &point.macs_left));
    point.layers_emptied = emptied(g, alive);
    for (size_t u = m->first; u < m->end; u++) {
        const mask_use *to = &e->masks.use[u];
        point.removed = c->prune.removed[to->cell][to->rate];
        points[to->cell * s->config->n_rates + to->rate] = point;
    }
    return STATUS_OK;
}

/* Networks of a set that are run now. */
static size_t to_run(const set_plan *p)
{
    return p->n_new + !p->points[0].known;
}

static status spread_all(stage_ctx *c, const evaluator *e, evaluate_point *points)
{
    for (size_t i = 0; i < e->n_sets; i++) {
        for (size_t k = 0; k < e->sets[i].n_points; k++) {
            TRY(spread(c, e, &e->sets[i], &e->sets[i].points[k], points));
        }
        c->evaluate.n_evaluated += to_run(&e->sets[i]);
        c->evaluate.n_images += (uint64_t)to_run(&e->sets[i]) * e->sets[i].set->samples.n;
    }
    c->evaluate.n_masks += e->masks.n;
    return STATUS_OK;
}

/* As if every point of a curve had a network of its own: how many are the same is known when the stage begins (announce). */
static double work(const stage_ctx *c)
{
    const study *s = c->study;
    double images = 0.0;
    for (size_t i = 0; i < s->n_cells; i++) {
        const sample_list *samples = &s->evaluations[s->tasks[s->cells[i].task].evaluation].samples;
        images += (double)(study_batches(samples, s->config->micro_batch) * s->config->micro_batch * s->config->n_rates);
    }
    return images * stage_part(c);
}

/* Points of a model that share a network with others, or whose network is known from an earlier round: images that are no work. */
static double shared_images(const stage_ctx *c, const evaluator *e)
{
    double images = 0.0;
    for (size_t i = 0; i < e->n_sets; i++) {
        const set_plan *p = &e->sets[i];
        const size_t first = p->points[0].first, uses = masks_set_end(&e->masks, first) - masks_set_begin(&e->masks, first);
        images += (double)((uses - to_run(p)) * p->n_batches * c->study->config->micro_batch);
    }
    return images;
}

/* Who looks on is told of all models before the turn of the first: what is no work, and which items make which curves. The first model's plan comes last,
 * and stays in `a`. */
static status announce(stage_ctx *c, arena *a, arena *scratch, evaluator *first)
{
    double images = 0.0;
    for (size_t m = c->study->n_models; m-- > 0;) {
        arena_release(a);
        TRY(evaluator_plan(c, a, m, first));
        first->stage = c;
        images += shared_images(c, first);
        arena_reset(scratch);
        TRY(c->comm->rank == 0 ? evaluate_note_curves(first, scratch) : STATUS_OK);
    }
    if (c->items->skip != NULL) {
        c->items->skip(c->items->progress, images * stage_part(c));
    }
    return STATUS_OK;
}

static size_t predictions_of(const evaluator *e, const set_plan *p)
{
    return p->n_batches * e->stage->study->config->micro_batch;
}

/* Before pruned networks are compared with it: what an unpruned network that is not run again takes each sample for. */
static void recall_predictions(const mask_cache *cache, evaluator *e)
{
    for (size_t i = 0; i < e->n_sets; i++) {
        const set_plan *p = &e->sets[i];
        if (p->points[0].known) {
            const int64_t *noted = mask_cache_find(cache, e->model, p->set->number, p->points[0].digest);
            memcpy(e->unpruned + p->predictions, noted + counters_size(p->set), predictions_of(e, p) * sizeof e->unpruned[0]);
        }
    }
}

/* The unpruned network's predictions are noted behind its counters. */
static status note_whole(mask_cache *cache, const evaluator *e, const set_plan *p)
{
    const size_t n = counters_size(p->set), bytes = predictions_of(e, p) * sizeof e->unpruned[0];
    const mask_point *m = &p->points[0];
    int64_t *noted;
    TRY_ALLOC(noted, e->scratch, n + counters_predictions(predictions_of(e, p)));
    memcpy(noted, e->counters + m->counters, n * sizeof *noted);
    memcpy(noted + n, e->unpruned + p->predictions, bytes);
    const status st = mask_cache_add(cache, e->model, p->set->number, m->digest, n + counters_predictions(predictions_of(e, p)), noted);
    arena_reset(e->scratch);
    return st;
}

/* What is known already into the counters, what is new into the cache. */
static status exchange(mask_cache *cache, evaluator *e)
{
    for (size_t i = 0; i < e->n_sets; i++) {
        const set_plan *p = &e->sets[i];
        const size_t n = counters_size(p->set);
        for (size_t k = 0; k < p->n_points; k++) {
            const mask_point *m = &p->points[k];
            int64_t *own = e->counters + m->counters;
            if (m->known) {
                memcpy(own, mask_cache_find(cache, e->model, p->set->number, m->digest), n * sizeof *own);
            } else {
                TRY(m->unpruned ? note_whole(cache, e, p) : mask_cache_add(cache, e->model, p->set->number, m->digest, n, own));
            }
        }
    }
    mask_cache_sort(cache);
    return STATUS_OK;
}

static status open_next(stage_ctx *c, arena *a, arena *small, arena *scratch, size_t model, evaluator *e)
{
    if (model > 0) { /* that of the first is there */
        arena_release(a);
        TRY(evaluator_plan(c, a, model, e));
    }
    arena_release(small);
    return evaluator_open(c, a, small, scratch, e);
}

static status run_all(stage_ctx *c, arena *a, arena *small, arena *scratch)
{
    const study *s = c->study;
    evaluate_point *points = arena_alloc(c->arena, s->n_cells * s->config->n_rates, sizeof *points);
    TRY(comm_agree(c->comm, points == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    evaluator e;
    TRY(comm_agree(c->comm, announce(c, a, scratch, &e)));
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(comm_agree(c->comm, open_next(c, a, small, scratch, m, &e)));
        TRY(evaluate_whole(&e, a));
        recall_predictions(c->cache, &e);
        TRY(evaluate_pruned(&e, a));
        comm_sum_i64(c->comm, e.n_counters, e.counters);
        TRY(comm_agree(c->comm, c->cache == NULL ? STATUS_OK : exchange(c->cache, &e)));
        TRY(comm_agree(c->comm, spread_all(c, &e, points)));
    }
    c->evaluate.points = points;
    return STATUS_OK;
}

static status run(stage_ctx *c)
{
    arena *a = NULL, *small = NULL, *scratch = NULL;
    status st = arena_open("evaluate", &a);
    if (status_ok(st)) {
        st = arena_open("pruned network", &small);
    }
    if (status_ok(st)) {
        st = arena_open("evaluate images", &scratch);
    }
    st = comm_agree(c->comm, st);
    if (status_ok(st)) {
        st = run_all(c, a, small, scratch);
    }
    arena_close(&scratch);
    arena_close(&small);
    arena_close(&a);
    return st;
}

const stage_def stage_evaluate = {
    .name = "evaluate",
    .help = "measure the accuracy of every pruned network on the evaluation images",
    .work = work,
    .run = run,
    .forecast = evaluate_forecast,
    .trial = evaluate_trial,
};
