/* Measures what pruned networks still know: every distinct (model, mask, evaluation set) once, counts added as integers. */
#include <math.h>
#include <string.h>

#include "pruning/curve.h"
#include "stages/batch_source.h"
#include "stages/masks.h"
#include "stages/stage.h"

/* Counters of one distinct mask: for either prediction correct, top5 and one per class; the words of the exact loss sum. Plain integers,
 * so that ranks add up. */
enum { COUNT_CORRECT, COUNT_TOP5, COUNT_CLASSES };
static size_t prediction_size(const study_evaluation *e)
{
    return COUNT_CLASSES + e->n_classes;
}

static size_t loss_at(const study_evaluation *e)
{
    return CURVE_PREDICTIONS * prediction_size(e);
}

static size_t counter_size(const study_evaluation *e)
{
    return loss_at(e) + EXACT_WORDS;
}

/* One model on this rank. */
typedef struct evaluator {
    size_t model;
    forward *forward;
    batch batch;
    batch_source *images; /* of the set that is evaluated */
    arena *scratch; /* of one image */
    mask_list masks;
} evaluator;

static status evaluator_open(const stage_ctx *c, arena *a, arena *scratch, size_t model, evaluator *e)
{
    const study *s = c->study;
    const graph *g = s->models[model].logits_graph;
    const size_t micro_batch = s->config->micro_batch;
    *e = (evaluator){.model = model, .scratch = scratch};
    TRY_ALLOC(e->batch.images, a, micro_batch * shape_count(g->input));
    TRY(masks_collect(a, s, model, c->prune.removed_at, c->prune.removed, &e->masks));
    return forward_build_for_logits(a, g, s->backend, micro_batch, s->config->winograd, &e->forward);
}

static void count_batch(const evaluator *e, const dataset *d, const study_evaluation *set, size_t n_logits, int64_t *counter)
{
    exact_sum loss;
    memcpy(&loss, counter + loss_at(set), sizeof loss);
    for (size_t i = 0; i < e->batch.n; i++) {
        const uint32_t label = d->label[e->batch.sample[i]];
        const verdict v = curve_verdict(n_logits, forward_logits(e->forward) + i * n_logits, set->n_classes, set->classes, label);
        size_t slot = 0;
        while (set->classes[slot] != label) {
            slot++;
        }
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            int64_t *to = counter + p * prediction_size(set);
            to[COUNT_CORRECT] += v.correct[p];
            to[COUNT_TOP5] += v.top5[p];
            to[COUNT_CLASSES + slot] += v.correct[p];
        }
        exact_sum_add(&loss, v.loss);
    }
    exact_sum_carry(&loss);
    memcpy(counter + loss_at(set), &loss, sizeof loss);
}

/* An accuracy of a network that computes no numbers would be a number all the same. */
static status check_logits(const study *s, const evaluator *e)
{
    const study_model *m = &s->models[e->model];
    const size_t n = m->graph->n_classes;
    for (size_t i = 0; i < e->batch.n * n; i++) {
        if (!isfinite(forward_logits(e->forward)[i])) {
            return FAIL(ST_DATA, "%s: expected finite logits of the unpruned network '%s', found %f for %s/%s; is the checkpoint damaged?",
                        m->config->checkpoint, m->config->name, (double)forward_logits(e->forward)[i], s->evaluation_data->root,
                        s->evaluation_data->path[e->batch.sample[i / n]]);
        }
    }
    return STATUS_OK;
}

/* The next micro-batch through every distinct mask of uses[first..end), which all want this evaluation set. */
static status evaluate_batch(stage_ctx *c, evaluator *e, size_t first, size_t end, int64_t *counters)
{
    const study *s = c->study;
    const study_model *m = &s->models[e->model];
    const study_evaluation *set = &s->evaluations[e->masks.use[first].evaluation];
    const size_t micro_batch = s->config->micro_batch;
    TRY(batch_source_take(e->images, &e->batch));
    for (size_t u = first; u < end; u = masks_end(&e->masks, u), counters += counter_size(set)) {
        forward_run(e->forward, e->batch.images, e->masks.use[u].alive);
        if (e->masks.use[u].rate == 0) {
            TRY(check_logits(s, e));
        }
        count_batch(e, s->evaluation_data, set, m->graph->n_classes, counters);
        c->tick(c->progress, (double)(micro_batch * (masks_end(&e->masks, u) - u)));
    }
    return STATUS_OK;
}

/* What the counters of one distinct mask say for every curve point that wants it. */
static status spread(stage_ctx *c, const evaluator *e, size_t first, size_t end, const int64_t *counter, evaluate_point *points)
{
    const study *s = c->study;
    const graph *g = s->models[e->model].graph;
    const study_evaluation *set = &s->evaluations[e->masks.use[first].evaluation];
    evaluate_point point = {.removed = 0};
    exact_sum loss;
    uint64_t *class_correct;
    memcpy(&loss, counter + loss_at(set), sizeof loss);
    point.loss_sum = exact_sum_value(&loss);
    TRY_ALLOC(class_correct, c->arena, CURVE_PREDICTIONS * set->n_classes);
    for (size_t p = 0; p < CURVE_PREDICTIONS; p++, counter += prediction_size(set), class_correct += set->n_classes) {
        for (size_t k = 0; k < set->n_classes; k++) {
            class_correct[k] = (uint64_t)counter[COUNT_CLASSES + k];
        }
        point.correct[p] = (uint64_t)counter[COUNT_CORRECT];
        point.top5[p] = (uint64_t)counter[COUNT_TOP5];
        point.class_correct[p] = class_correct;
    }
    arena_reset(e->scratch);
    TRY(graph_cost_left(e->scratch, g, e->masks.use[first].alive, &point.parameters_left, &point.macs_left));
    for (size_t u = first; u < end; u++) {
        const mask_use *to = &e->masks.use[u];
        point.removed = c->prune.removed[to->cell][to->rate];
        points[to->cell * s->config->n_rates + to->rate] = point;
    }
    return STATUS_OK;
}

/* Reads those of an evaluation set's micro-batches that are this rank's, whose first item is `item`. */
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
                               .ahead = BATCHES_AHEAD,
                               .mark = c->evaluation_mark,
                               .waited = &c->image_seconds};
    return batch_source_open(&setup, &e->images);
}

/* All masks of one evaluation set: uses[first..end). */
static status evaluate_set(stage_ctx *c, evaluator *e, arena *a, size_t first, size_t end, size_t *item, evaluate_point *points)
{
    const study *s = c->study;
    const study_evaluation *set = &s->evaluations[e->masks.use[first].evaluation];
    const size_t batches = study_batches(&set->samples, s->config->micro_batch);
    const double started = log_seconds(), waited = c->image_seconds;
    batch_run mine;
    const size_t n_masks = masks_distinct(&e->masks, first, end);
    int64_t *counters = arena_alloc(a, n_masks * counter_size(set), sizeof *counters);
    status st = counters == NULL ? (status){ST_ENVIRONMENT} : read_ahead(c, e, set, *item, &mine);
    for (size_t b = 0; b < batches; b++, (*item)++) {
        if (comm_alarm(c->comm, st)) {
            break;
        }
        if (*item % (size_t)c->comm->size == (size_t)c->comm->rank) {
            st = evaluate_batch(c, e, first, end, counters);
        }
    }
    batch_source_close(&e->images);
    const double finished = log_seconds();
    c->busy_seconds += finished - started - (c->image_seconds - waited);
    TRY(comm_agree(c->comm, st));
    comm_sum_i64(c->comm, n_masks * counter_size(set), counters);
    c->idle_seconds += log_seconds() - finished;
    for (size_t u = first, k = 0; u < end && status_ok(st); u = masks_end(&e->masks, u), k++) {
        st = spread(c, e, u, masks_end(&e->masks, u), counters + k * counter_size(set), points);
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

static status run_all(stage_ctx *c, arena *a, arena *scratch)
{
    const study *s = c->study;
    size_t item = 0;
    evaluate_point *points = arena_alloc(c->arena, s->n_cells * s->config->n_rates, sizeof *points);
    TRY(comm_agree(c->comm, points == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t m = 0; m < s->n_models; m++) {
        evaluator e;
        arena_release(a);
        TRY(comm_agree(c->comm, evaluator_open(c, a, scratch, m, &e)));
        TRY(evaluate_model(c, &e, a, &item, points));
    }
    c->evaluate.points = points;
    return STATUS_OK;
}

/* One model's masks, set by set. `counters` and `passes` are added to. */
static void forecast_sets(const study *s, const mask_list *l, size_t *counters, stage_forecast *out)
{
    for (size_t first = 0, end; first < l->n; first = end) {
        const study_evaluation *set = &s->evaluations[l->use[first].evaluation];
        end = masks_set_end(l, first);
        const size_t distinct = masks_distinct(l, first, end), batches = study_batches(&set->samples, s->config->micro_batch);
        out->items += batches;
        out->passes += batches * distinct;
        out->unshared += batches * (end - first);
        out->masks += end - first;
        out->distinct += distinct;
        out->at_most = out->at_most || l->use[end - 1].unknown != 0; /* these come last */
        out->kept += distinct * forecast_block(CURVE_PREDICTIONS * set->n_classes, sizeof(uint64_t));
        *counters += forecast_block(distinct * counter_size(set), sizeof(int64_t));
    }
}

static status forecast_model(const stage_ctx *c, arena *scratch, size_t model, stage_forecast *out)
{
    const study *s = c->study;
    const graph *g = s->models[model].logits_graph;
    const size_t activations = forward_bytes_for_logits(g, s->backend, s->config->micro_batch, s->config->winograd);
    stage_forecast one = {0};
    mask_list masks;
    size_t counters = 0;
    if (activations == SIZE_MAX) {
        return (status){ST_CONFIG};
    }
    arena_reset(scratch);
    TRY(masks_collect(scratch, s, model, c->prune.removed_at, c->prune.removed, &masks));
    forecast_sets(s, &masks, &counters, out);
    forecast_add(&one, "activations", activations);
    forecast_add(&one, "micro-batches read ahead",
                 batch_source_bytes(s->config->micro_batch, shape_count(g->input), s->config->decode_threads, BATCHES_AHEAD));
    forecast_add(&one, "a micro-batch of images", forecast_block(s->config->micro_batch * shape_count(g->input), sizeof(float)));
    forecast_add(&one, "masks", masks_bytes(s, model));
    forecast_add(&one, "counters", counters);
    forecast_add(&one, "counters of other ranks", c->comm->size > 1 ? counters : 0);
    if (forecast_bytes(&one) > forecast_bytes(out)) {
        memcpy(out->part, one.part, sizeof out->part);
        out->n_parts = one.n_parts;
    }
    return STATUS_OK;
}

static status count_images(const study *s, arena *scratch, size_t *out)
{
    uint8_t *read;
    arena_reset(scratch);
    TRY_ALLOC(read, scratch, s->evaluation_data->n_samples);
    for (size_t i = 0; i < s->n_evaluations; i++) {
        const sample_list *list = &s->evaluations[i].samples;
        for (size_t k = 0; k < list->n; k++) {
            *out += !read[list->sample[k]];
            read[list->sample[k]] = 1;
        }
    }
    return STATUS_OK;
}

static status forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    const study *s = c->study;
    *out = (stage_forecast){.kept = forecast_block(s->n_cells * s->config->n_rates, sizeof(evaluate_point))};
    TRY(count_images(s, scratch, &out->images));
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(forecast_model(c, scratch, m, out));
    }
    return STATUS_OK;
}

/* What one model's steps take. */
typedef struct trial_steps {
    trial_clock read, pass; /* a micro-batch */
    trial_clock cost;       /* what is left of a network, once per mask */
} trial_steps;

/* Reads a micro-batch, and sends it through another mask than the last time, as a run does. */
static status try_once(stage_ctx *c, evaluator *e, size_t round, uint8_t *alive, int64_t *counter, trial_steps *t)
{
    const study *s = c->study;
    const study_evaluation *set = &s->evaluations[0];
    const study_model *m = &s->models[e->model];
    const size_t n = study_batches(&set->samples, s->config->micro_batch);
    uint64_t parameters, macs;
    for (size_t i = 0; i < m->graph->n_components; i++) {
        alive[i] = (i + round) % 2;
    }
    const double started = log_seconds();
    TRY(batch_read(e->scratch, s->evaluation_data, &set->samples, (round + (size_t)c->comm->rank) % n, s->config->micro_batch,
                   &m->evaluation_preprocess, c->evaluation_mark, &e->batch));
    const double was_read = log_seconds();
    forward_run(e->forward, e->batch.images, alive);
    count_batch(e, s->evaluation_data, set, m->graph->n_classes, counter);
    const double passed = log_seconds();
    c->tick(c->progress, (double)s->config->micro_batch);
    arena_reset(e->scratch);
    const double before_cost = log_seconds();
    TRY(graph_cost_left(e->scratch, m->graph, alive, &parameters, &macs));
    trial_lap(&t->cost, log_seconds() - before_cost);
    trial_lap(&t->read, was_read - started);
    trial_lap(&t->pass, passed - was_read);
    return STATUS_OK;
}

static status try_rounds(stage_ctx *c, arena *a, evaluator *e, double budget, trial_steps *t)
{
    uint8_t *alive;
    int64_t *counter;
    TRY_ALLOC(alive, a, c->study->models[e->model].graph->n_components);
    TRY_ALLOC(counter, a, counter_size(&c->study->evaluations[0]));
    for (size_t round = 0; round == 0 || t->read.sum + t->pass.sum < budget; round++) {
        TRY(try_once(c, e, round, alive, counter, t));
    }
    return STATUS_OK;
}

/* One model: all its sets. */
static double trial_total(const stage_ctx *c, const mask_list *l, const trial_steps *t, size_t tried)
{
    const study *s = c->study;
    double seconds = 0.0;
    for (size_t first = 0, end; first < l->n; first = end) {
        end = masks_set_end(l, first);
        const size_t distinct = masks_distinct(l, first, end);
        const size_t batches = study_batches(&s->evaluations[l->use[first].evaluation].samples, s->config->micro_batch);
        const double images = (double)(forecast_share(batches, c->comm->size) * s->config->micro_batch) / (double)tried;
        seconds += images * (trial_mean(&t->read) + (double)distinct * trial_mean(&t->pass));
        seconds += (double)distinct * trial_mean(&t->cost); /* every rank works this out for itself */
    }
    return seconds;
}

static status try_model(stage_ctx *c, arena *a, arena *images, size_t model, double budget, double *seconds)
{
    trial small;
    trial_steps steps = {0};
    evaluator e;
    uint64_t parameters, macs;
    stage_ctx mine = *c;
    graph_cost(c->study->models[model].graph, &parameters, &macs, NULL, NULL);
    trial_open(c->study, (double)macs, budget / 2.0, &small);
    mine.study = &small.study;
    arena_release(a);
    TRY(evaluator_open(&mine, a, images, model, &e));
    TRY(try_rounds(&mine, a, &e, budget, &steps));
    *seconds += trial_total(c, &e.masks, &steps, small.config.micro_batch);
    return STATUS_OK;
}

static status try_all(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    *seconds = 0.0;
    for (size_t m = 0; m < c->study->n_models; m++) {
        TRY(try_model(c, a, images, m, budget / (double)c->study->n_models, seconds));
    }
    return STATUS_OK;
}

static status run(stage_ctx *c)
{
    arena *a = NULL, *scratch = NULL;
    status st = arena_open("evaluate", &a);
    if (status_ok(st)) {
        st = arena_open("evaluate images", &scratch);
    }
    st = comm_agree(c->comm, st);
    if (status_ok(st)) {
        st = run_all(c, a, scratch);
    }
    arena_close(&scratch);
    arena_close(&a);
    return st;
}

const stage_def stage_evaluate = {
    .name = "evaluate",
    .help = "measure the accuracy of every pruned network on the evaluation images",
    .work = work,
    .run = run,
    .forecast = forecast,
    .trial = try_all,
};
