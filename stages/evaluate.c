/* Measures what pruned networks still know: every distinct (model, mask, evaluation set) once, counts added as integers. Micro-batches are
 * taken in runs: what a run reads serves all masks, and the network that is cut out for a mask serves all of a run. */
#include <math.h>

#include "nn/op.h"
#include "stages/batch_source.h"
#include "stages/counters.h"
#include "stages/evaluate_parts.h"
#include "stages/stage.h"

/* Reads those of an evaluation set's micro-batches that are this rank's, whose first item is `item`; a whole run ahead. */
static status read_ahead(stage_ctx *c, evaluator *e, const study_evaluation *set, size_t item, batch_run *run)
{
    const study *s = c->study;
    const size_t ranks = (size_t)c->comm->size;
    *run = (batch_run){&set->samples, &s->models[e->model].evaluation_preprocess, ((size_t)c->comm->rank + ranks - item % ranks) % ranks,
                       ranks, study_batches(&set->samples, s->config->micro_batch)};
    const batch_setup setup = {.data = s->evaluation_data,
                               .micro_batch = s->config->micro_batch,
                               .n_runs = 1,
                               .run = run,
                               .threads = s->config->decode_threads,
                               .ahead = e->most_run,
                               .mark = c->evaluation_mark,
                               .waited = &c->image_seconds};
    return batch_source_open(&setup, &e->images);
}

/* The next run of this rank's micro-batches, from *next on; *item: that of micro-batch *next among those of all sets. */
static status take_run(stage_ctx *c, evaluator *e, size_t batches, size_t *next, size_t *item)
{
    for (e->n_run = 0; *next < batches && e->n_run < e->most_run; (*next)++, (*item)++) {
        if (*item % (size_t)c->comm->size == (size_t)c->comm->rank) {
            TRY(batch_source_take(e->images, &e->run[e->n_run]));
            e->n_run++;
        }
    }
    return STATUS_OK;
}

/* An accuracy of a network that computes no numbers would be a number all the same. Of the unpruned network all logits are there. */
static status check_logits(const study *s, const evaluator *e, const batch *b)
{
    const study_model *m = &s->models[e->model];
    const float *logits = forward_logits(e->pruned.run);
    for (size_t i = 0; i < b->n * e->pruned.n_logits; i++) {
        if (!isfinite(logits[i])) {
            return FAIL(ST_DATA, "%s: expected finite logits of the unpruned network '%s', found %f for %s/%s; is the checkpoint damaged?",
                        m->config->checkpoint, m->config->name, (double)logits[i], s->evaluation_data->root,
                        s->evaluation_data->path[b->sample[i / e->pruned.n_logits]]);
        }
    }
    return STATUS_OK;
}

/* The logits of the set's classes, [batch, n_classes]. */
static const float *set_logits(const evaluator *e, const study_evaluation *set, const batch *b)
{
    const float *logits = forward_logits(e->pruned.run);
    if (e->pruned.n_logits == set->n_classes) {
        return logits;
    }
    for (size_t i = 0; i < b->n; i++) {
        for (size_t k = 0; k < set->n_classes; k++) {
            e->logits[i * set->n_classes + k] = logits[i * e->pruned.n_logits + set->classes[k]];
        }
    }
    return e->logits;
}

status evaluate_run(stage_ctx *c, evaluator *e, const study_evaluation *set, const mask_use *mask, size_t served, int64_t counter[])
{
    const study *s = c->study;
    const bool unpruned = mask->rate == 0;
    TRY(pruned_cut(&e->pruned, mask->alive, unpruned));
    for (size_t i = 0; i < e->n_run; i++) {
        uint32_t *expected = e->unpruned + i * s->config->micro_batch;
        const double started = log_seconds();
        forward_run(e->pruned.run, e->run[i].images, NULL);
        counters_add_time(set, log_seconds() - started, counter);
        const float *logits = set_logits(e, set, &e->run[i]);
        if (unpruned) {
            TRY(check_logits(s, e, &e->run[i]));
            counters_predict(set, &e->run[i], logits, expected);
        }
        counters_add(set, s->evaluation_data, s->models[e->model].graph->n_classes, &e->run[i], logits, expected, counter);
        c->tick(c->progress, (double)(s->config->micro_batch * served));
    }
    return STATUS_OK;
}

/* A run through every distinct mask of uses[first..end), which all want this evaluation set: first through the one that removes nothing, to
 * which the others are compared; every study has the rate 0. Leaves when another rank has failed. */
static status evaluate_masks(stage_ctx *c, evaluator *e, const study_evaluation *set, size_t first, size_t end, int64_t *counters)
{
    for (size_t turn = 0; turn < 2; turn++) {
        int64_t *counter = counters;
        for (size_t u = first; u < end && !comm_alarm(c->comm, STATUS_OK); u = masks_end(&e->masks, u), counter += counters_size(set)) {
            if ((e->masks.use[u].rate == 0) == (turn == 0)) {
                TRY(evaluate_run(c, e, set, &e->masks.use[u], masks_end(&e->masks, u) - u, counter));
            }
        }
    }
    return STATUS_OK;
}

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
static status spread(stage_ctx *c, const evaluator *e, const study_evaluation *set, size_t first, size_t end, const int64_t *counter,
                     evaluate_point *points)
{
    const study *s = c->study;
    const size_t micro_batch = s->config->micro_batch;
    evaluate_point point;
    TRY(counters_read(c->arena, set, counter, study_batches(&set->samples, micro_batch) * micro_batch, &point));
    arena_reset(e->scratch);
    TRY(graph_cost_left(e->scratch, s->models[e->model].graph, e->masks.use[first].alive, &point.parameters_left, &point.macs_left));
    point.layers_emptied = emptied(s->models[e->model].graph, e->masks.use[first].alive);
    for (size_t u = first; u < end; u++) {
        const mask_use *to = &e->masks.use[u];
        point.removed = c->prune.removed[to->cell][to->rate];
        points[to->cell * s->config->n_rates + to->rate] = point;
    }
    return STATUS_OK;
}

/* All masks of one evaluation set: uses[first..end). */
static status evaluate_set(stage_ctx *c, evaluator *e, arena *a, size_t first, size_t end, size_t *item, evaluate_point *points)
{
    const study *s = c->study;
    const study_evaluation *set = &s->evaluations[e->masks.use[first].evaluation];
    const size_t batches = study_batches(&set->samples, s->config->micro_batch);
    const double started = log_seconds(), waited = c->image_seconds;
    const size_t n_masks = masks_distinct(&e->masks, first, end);
    batch_run mine;
    int64_t *counters = arena_alloc(a, n_masks * counters_size(set), sizeof *counters);
    status st = counters == NULL ? (status){ST_ENVIRONMENT} : read_ahead(c, e, set, *item, &mine);
    pruned_want(&e->pruned, set->n_classes, set->classes);
    for (size_t next = 0; next < batches && !comm_alarm(c->comm, st);) {
        st = take_run(c, e, batches, &next, item);
        if (status_ok(st) && e->n_run > 0) {
            st = evaluate_masks(c, e, set, first, end, counters);
        }
    }
    batch_source_close(&e->images);
    const double finished = log_seconds();
    c->busy_seconds += finished - started - (c->image_seconds - waited);
    TRY(comm_agree(c->comm, st));
    comm_sum_i64(c->comm, n_masks * counters_size(set), counters);
    c->idle_seconds += log_seconds() - finished;
    for (size_t u = first, k = 0; u < end && status_ok(st); u = masks_end(&e->masks, u), k++) {
        st = spread(c, e, set, u, masks_end(&e->masks, u), counters + k * counters_size(set), points);
    }
    c->evaluate.n_evaluated += n_masks;
    return comm_agree(c->comm, st);
}

static status evaluate_model(stage_ctx *c, evaluator *e, arena *a, size_t *item, evaluate_point *points)
{
    for (size_t first = 0; first < e->masks.n;) {
        const size_t end = masks_set_end(&e->masks, first);
        TRY(evaluate_set(c, e, a, first, end, item, points));
        first = end;
    }
    c->evaluate.n_masks += e->masks.n;
    return STATUS_OK;
}

/* Counted in curve points: a mask that serves several ticks for all of them, so the total is known before the rankings are. */
static double work(const stage_ctx *c)
{
    const study *s = c->study;
    double images = 0.0;
    for (size_t i = 0; i < s->n_cells; i++) {
        const sample_list *samples = &s->evaluations[s->tasks[s->cells[i].task].evaluation].samples;
        images += (double)(study_batches(samples, s->config->micro_batch) * s->config->micro_batch * s->config->n_rates);
    }
    return images / (double)c->comm->size;
}

static status run_all(stage_ctx *c, arena *a, arena *small, arena *scratch)
{
    const study *s = c->study;
    size_t item = 0;
    evaluate_point *points = arena_alloc(c->arena, s->n_cells * s->config->n_rates, sizeof *points);
    TRY(comm_agree(c->comm, points == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t m = 0; m < s->n_models; m++) {
        evaluator e;
        arena_release(a);
        arena_release(small);
        TRY(comm_agree(c->comm, evaluator_open(c, a, small, scratch, m, &e)));
        TRY(evaluate_model(c, &e, a, &item, points));
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
