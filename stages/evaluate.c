/* Measures what pruned networks still know: every distinct (model, mask, evaluation set) once, counts added as integers. */
#include <stdlib.h>
#include <string.h>

#include "pruning/curve.h"
#include "pruning/ranking.h"
#include "stages/batch.h"
#include "stages/stage.h"

/* One point of a curve wants this mask on this evaluation set. */
typedef struct use {
    size_t evaluation, cell, rate;
    uint64_t hash;
    const uint8_t *alive; /* [graph->n_components] */
    size_t n_alive;       /* bytes of it, for the comparison */
} use;

/* Counters of one distinct mask: correct, top5, one per class, the words of the exact loss sum. Plain integers, so that ranks add up. */
enum { COUNT_CORRECT, COUNT_TOP5, COUNT_CLASSES };
static size_t counter_size(const study_evaluation *e)
{
    return COUNT_CLASSES + e->n_classes + EXACT_WORDS;
}

/* One model on this rank. */
typedef struct evaluator {
    size_t model;
    forward *forward;
    batch batch;
    arena *scratch; /* of one image */
    use *uses;      /* [n_uses], equal masks next to each other */
    size_t n_uses;
} evaluator;

static uint64_t hash_bytes(const uint8_t *data, size_t n) /* FNV-1a: only to sort; equality is checked byte by byte */
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ data[i]) * 1099511628211u;
    }
    return h;
}

static int compare_masks(const use *a, const use *b)
{
    if (a->evaluation != b->evaluation) {
        return a->evaluation < b->evaluation ? -1 : 1;
    }
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return memcmp(a->alive, b->alive, a->n_alive);
}

static int compare_uses(const void *left, const void *right)
{
    const use *a = left, *b = right;
    const int masks = compare_masks(a, b);
    if (masks != 0) {
        return masks;
    }
    const size_t ia[] = {a->cell, a->rate}, ib[] = {b->cell, b->rate};
    return ia[0] != ib[0] ? (ia[0] < ib[0] ? -1 : 1) : (ia[1] > ib[1]) - (ia[1] < ib[1]);
}

static status collect_uses(const stage_ctx *c, arena *a, evaluator *e)
{
    const study *s = c->study;
    const study_model *m = &s->models[e->model];
    const size_t n_rates = s->config->n_rates, n_alive = m->graph->n_components;
    size_t n_cells = 0;
    for (size_t i = 0; i < s->n_cells; i++) {
        n_cells += s->cells[i].model == e->model;
    }
    TRY_ALLOC(e->uses, a, n_cells * n_rates);
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        for (size_t r = 0; r < n_rates && cell->model == e->model; r++) {
            uint8_t *alive;
            TRY_ALLOC(alive, a, n_alive);
            memset(alive, 1, n_alive);
            for (size_t k = 0; k < m->n_components[cell->kind]; k++) {
                alive[m->component[cell->kind][k]] = c->prune.removed_at[i][k] > r;
            }
            e->uses[e->n_uses++] = (use){.evaluation = s->tasks[cell->task].evaluation, .cell = i, .rate = r,
                                         .hash = hash_bytes(alive, n_alive), .alive = alive, .n_alive = n_alive};
        }
    }
    qsort(e->uses, e->n_uses, sizeof e->uses[0], compare_uses);
    return STATUS_OK;
}

static status evaluator_open(const stage_ctx *c, arena *a, arena *scratch, size_t model, evaluator *e)
{
    const study *s = c->study;
    const graph *g = s->models[model].graph;
    const size_t micro_batch = s->config->micro_batch;
    *e = (evaluator){.model = model, .scratch = scratch};
    TRY_ALLOC(e->batch.images, a, micro_batch * shape_count(g->input));
    TRY(collect_uses(c, a, e));
    return forward_build(a, g, s->backend, micro_batch, KEEP_LOGITS, &e->forward);
}

/* End of the run of uses that share the mask of uses[first]. */
static size_t same_mask_end(const evaluator *e, size_t first)
{
    size_t end = first + 1;
    while (end < e->n_uses && compare_masks(&e->uses[first], &e->uses[end]) == 0) {
        end++;
    }
    return end;
}

static void count_batch(const evaluator *e, const dataset *d, const study_evaluation *set, size_t n_logits, int64_t *counter)
{
    exact_sum loss;
    memcpy(&loss, counter + COUNT_CLASSES + set->n_classes, sizeof loss);
    for (size_t i = 0; i < e->batch.n; i++) {
        const uint32_t label = d->label[e->batch.sample[i]];
        const verdict v = curve_verdict(forward_logits(e->forward) + i * n_logits, set->n_classes, set->classes, label);
        size_t slot = 0;
        while (set->classes[slot] != label) {
            slot++;
        }
        counter[COUNT_CORRECT] += v.correct;
        counter[COUNT_TOP5] += v.top5;
        counter[COUNT_CLASSES + slot] += v.correct;
        exact_sum_add(&loss, v.loss);
    }
    exact_sum_carry(&loss);
    memcpy(counter + COUNT_CLASSES + set->n_classes, &loss, sizeof loss);
}

/* One micro-batch through every distinct mask of uses[first..end), which all want this evaluation set. */
static status evaluate_batch(stage_ctx *c, evaluator *e, size_t first, size_t end, size_t index, int64_t *counters)
{
    const study *s = c->study;
    const study_model *m = &s->models[e->model];
    const study_evaluation *set = &s->evaluations[e->uses[first].evaluation];
    const size_t micro_batch = s->config->micro_batch;
    TRY(batch_read(e->scratch, s->evaluation_data, &set->samples, index, micro_batch, &m->preprocess, c->evaluation_mark,
                   &e->batch));
    for (size_t u = first; u < end; u = same_mask_end(e, u), counters += counter_size(set)) {
        forward_run(e->forward, e->batch.images, e->uses[u].alive);
        count_batch(e, s->evaluation_data, set, m->graph->n_classes, counters);
        c->tick(c->progress, (double)(micro_batch * (same_mask_end(e, u) - u)));
    }
    return STATUS_OK;
}

/* What the counters of one distinct mask say for every curve point that wants it. */
static status spread(stage_ctx *c, const evaluator *e, size_t first, size_t end, const int64_t *counter, evaluate_point *points)
{
    const study *s = c->study;
    const graph *g = s->models[e->model].graph;
    const study_evaluation *set = &s->evaluations[e->uses[first].evaluation];
    evaluate_point point = {.correct = (uint64_t)counter[COUNT_CORRECT], .top5 = (uint64_t)counter[COUNT_TOP5]};
    exact_sum loss;
    uint64_t *class_correct;
    memcpy(&loss, counter + COUNT_CLASSES + set->n_classes, sizeof loss);
    point.loss_sum = exact_sum_value(&loss);
    TRY_ALLOC(class_correct, c->arena, set->n_classes);
    for (size_t k = 0; k < set->n_classes; k++) {
        class_correct[k] = (uint64_t)counter[COUNT_CLASSES + k];
    }
    point.class_correct = class_correct;
    arena_reset(e->scratch);
    TRY(graph_cost_left(e->scratch, g, e->uses[first].alive, &point.parameters_left, &point.macs_left));
    for (size_t u = first; u < end; u++) {
        const use *to = &e->uses[u];
        point.removed = ranking_count(c->prune.n_components[to->cell], s->config->rates[to->rate]);
        points[to->cell * s->config->n_rates + to->rate] = point;
    }
    return STATUS_OK;
}

/* All masks of one evaluation set: uses[first..end). */
static status evaluate_set(stage_ctx *c, evaluator *e, arena *a, size_t first, size_t end, size_t *item, evaluate_point *points)
{
    const study *s = c->study;
    const study_evaluation *set = &s->evaluations[e->uses[first].evaluation];
    const size_t batches = study_batches(&set->samples, s->config->micro_batch);
    const double started = log_seconds();
    size_t n_masks = 0;
    for (size_t u = first; u < end; u = same_mask_end(e, u)) {
        n_masks++;
    }
    int64_t *counters = arena_alloc(a, n_masks * counter_size(set), sizeof *counters);
    status st = counters == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
    for (size_t b = 0; b < batches; b++, (*item)++) {
        if (comm_alarm(c->comm, st)) {
            break;
        }
        if (*item % (size_t)c->comm->size == (size_t)c->comm->rank) {
            st = evaluate_batch(c, e, first, end, b, counters);
        }
    }
    const double finished = log_seconds();
    c->busy_seconds += finished - started;
    TRY(comm_agree(c->comm, st));
    comm_sum_i64(c->comm, n_masks * counter_size(set), counters);
    c->idle_seconds += log_seconds() - finished;
    for (size_t u = first, k = 0; u < end && status_ok(st); u = same_mask_end(e, u), k++) {
        st = spread(c, e, u, same_mask_end(e, u), counters + k * counter_size(set), points);
    }
    c->evaluate.n_evaluated += n_masks;
    return comm_agree(c->comm, st);
}

static status evaluate_model(stage_ctx *c, evaluator *e, arena *a, size_t *item, evaluate_point *points)
{
    for (size_t first = 0; first < e->n_uses;) {
        size_t end = first;
        while (end < e->n_uses && e->uses[end].evaluation == e->uses[first].evaluation) {
            end++;
        }
        TRY(evaluate_set(c, e, a, first, end, item, points));
        first = end;
    }
    c->evaluate.n_masks += e->n_uses;
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
        arena_reset(a);
        TRY(comm_agree(c->comm, evaluator_open(c, a, scratch, m, &e)));
        TRY(evaluate_model(c, &e, a, &item, points));
    }
    c->evaluate.points = points;
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
};
