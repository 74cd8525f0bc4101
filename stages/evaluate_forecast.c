/* What the evaluate stage will do, take and last. */
#include <math.h>

#include "stages/counters.h"
#include "stages/evaluate_parts.h"
#include "stages/work_list.h"

extern const stage_def stage_evaluate;

static size_t images_bytes(const study *s, size_t model)
{
    return forecast_block(s->config->micro_batch * shape_count(s->models[model].logits_graph->input), sizeof(float));
}

/* One model's masks, set by set. */
static void forecast_sets(const evaluator *e, stage_forecast *out)
{
    const mask_list *l = &e->masks;
    for (size_t i = 0; i < e->n_sets; i++) {
        const set_plan *p = &e->sets[i];
        const size_t first = p->points[0].first;
        out->passes += p->n_batches * p->n_points;
        out->unshared += p->n_batches * (masks_set_end(l, first) - masks_set_begin(l, first));
        out->masks += masks_set_end(l, first) - masks_set_begin(l, first);
        out->distinct += p->n_points;
        out->at_most = out->at_most || l->use[masks_set_end(l, first) - 1].unknown != 0; /* these come last */
        out->kept += p->n_points * forecast_block(CURVE_PREDICTIONS * p->set->n_classes, sizeof(uint64_t));
    }
    out->items += e->n_whole + e->n_pruned;
}

/* Numbering, counters, predictions, and the lists of items. */
static size_t bookkeeping(const evaluator *e)
{
    size_t payload = 0, points = 0;
    const size_t items = e->n_whole > e->n_pruned ? e->n_whole : e->n_pruned;
    for (size_t i = 0; i < e->n_sets; i++) {
        const size_t bytes = evaluate_whole_payload(e, &e->sets[i]);
        payload = bytes > payload ? bytes : payload;
        points += forecast_block(e->sets[i].n_points, sizeof(mask_point));
    }
    return forecast_block(e->n_sets, sizeof(set_plan)) + points + forecast_block(e->n_predictions, sizeof(uint32_t)) +
           items_bytes(e->n_whole, payload) + items_bytes(items, payload);
}

static status forecast_model(stage_ctx *c, arena *scratch, size_t model, stage_forecast *out)
{
    const study *s = c->study;
    const size_t network = pruned_bytes(scratch, s, model), most_run = evaluate_most_run(s, model);
    stage_forecast one = {0};
    evaluator e;
    if (network == SIZE_MAX) {
        return (status){ST_CONFIG};
    }
    arena_reset(scratch);
    TRY(evaluator_plan(c, scratch, model, &e));
    e.stage = c;
    forecast_sets(&e, out);
    const size_t counters = forecast_block(e.n_counters, sizeof(int64_t));
    forecast_add(&one, "a pruned network", network);
    forecast_add(&one, "micro-batches read ahead",
                 batch_source_bytes(s->config->micro_batch, shape_count(s->models[model].logits_graph->input), s->config->decode_threads,
                                    most_run));
    forecast_add(&one, "micro-batches of images", most_run * images_bytes(s, model));
    forecast_add(&one, "masks", masks_bytes(s, model));
    forecast_add(&one, "items", bookkeeping(&e));
    forecast_add(&one, "counters", counters);
    forecast_add(&one, "counters of other ranks", comm_reduce_bytes(c->comm, counters));
    forecast_keep_most(out, &one, c->comm->node_size);
    return STATUS_OK;
}

static status count_images(const study *s, arena *scratch, size_t *out)
{
    uint8_t *read;
    arena_reset(scratch);
    TRY_ALLOC(read, scratch, s->evaluation_data->n_samples);
    for (size_t i = 0; i < s->n_evaluations; i++) {
        *out += forecast_unread(&s->evaluations[i].samples, read);
    }
    return STATUS_OK;
}

status evaluate_forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    const study *s = c->study;
    *out = (stage_forecast){.kept = forecast_block(s->n_cells * s->config->n_rates, sizeof(evaluate_point))};
    TRY(count_images(s, scratch, &out->images));
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(forecast_model(c, scratch, m, out));
    }
    return STATUS_OK;
}

/* What one model's steps take with each of its networks (trial_network). */
typedef struct trial_steps {
    trial_clock read, cut[TRIAL_NETWORKS], pass[TRIAL_NETWORKS]; /* a micro-batch; a network; a micro-batch */
    trial_clock cost;                                            /* what is left of a network, once per mask */
    uint64_t macs[TRIAL_NETWORKS];
} trial_steps;

/* Reads a micro-batch, and sends it through one of the two networks. */
static status try_once(stage_ctx *c, evaluator *e, size_t round, uint8_t *alive, int64_t *counter, trial_steps *t)
{
    const study *s = c->study;
    const study_evaluation *set = e->sets[0].set;
    const study_model *m = &s->models[e->model];
    const size_t n = study_batches(&set->samples, s->config->micro_batch);
    const size_t tried = trial_network(round, m->graph->n_components, alive);
    uint64_t parameters;
    const trial_moment started = trial_now();
    TRY(batch_read(e->scratch, s->evaluation_data, &set->samples, (round + (size_t)c->comm->rank) % n, s->config->micro_batch,
                   &m->evaluation_preprocess, c->evaluation_mark, &e->run[0]));
    trial_since(&t->read, started);
    const trial_moment before_cut = trial_now();
    TRY(pruned_cut(&e->pruned, alive, tried == TRIAL_WHOLE));
    trial_since(&t->cut[tried], before_cut);
    const trial_moment before_pass = trial_now();
    TRY(evaluate_batch(e, &e->sets[0], &e->run[0], tried == TRIAL_WHOLE, e->unpruned, counter));
    trial_since(&t->pass[tried], before_pass);
    arena_reset(e->scratch);
    const trial_moment before_cost = trial_now();
    TRY(graph_cost_left(e->scratch, m->graph, alive, &parameters, &t->macs[tried]));
    trial_since(&t->cost, before_cost);
    return STATUS_OK;
}

static status try_rounds(stage_ctx *c, arena *a, evaluator *e, double budget, trial_steps *t)
{
    const study_evaluation *set = e->sets[0].set;
    uint8_t *alive;
    int64_t *counter;
    TRY_ALLOC(alive, a, c->study->models[e->model].graph->n_components);
    TRY_ALLOC(counter, a, counters_size(set));
    pruned_want(&e->pruned, set->n_classes, set->classes);
    const double started = log_seconds();
    for (size_t round = 0; round < TRIAL_NETWORKS || log_seconds() - started < budget; round++) {
        TRY(try_once(c, e, round, alive, counter, t));
    }
    return STATUS_OK;
}

/* What every distinct mask leaves of its network: *out [masks], at the first use of each. */
static status mask_costs(const stage_ctx *c, arena *a, arena *scratch, const evaluator *e, double **out)
{
    const mask_list *l = &e->masks;
    TRY_ALLOC(*out, a, l->n);
    for (size_t u = 0; u < l->n; u = masks_end(l, u)) {
        TRY(masks_macs(scratch, c->study, e->model, &l->use[u], c->prune.removed, &(*out)[u]));
    }
    return STATUS_OK;
}

/* One model: all its sets. */
static void trial_total(const stage_ctx *c, const evaluator *e, const trial_steps *t, const double macs[], size_t tried, double *seconds)
{
    const study *s = c->study;
    const mask_list *l = &e->masks;
    for (size_t first = 0, end; first < l->n; first = end) {
        const size_t batches = study_batches(&s->evaluations[l->use[first].evaluation].samples, s->config->micro_batch);
        const size_t mine = forecast_share(batches, c->comm->size), most = evaluate_most_run(s, e->model);
        const double passes = (double)(mine * s->config->micro_batch) / (double)tried, runs = ceil((double)mine / (double)most);
        const double reading = passes * trial_mean(&t->read);
        double computing = 0.0;
        end = masks_set_end(l, first);
        for (size_t u = first; u < end; u = masks_end(l, u)) {
            computing += passes * trial_line(t->pass, t->macs, macs[u], trial_mean) + runs * trial_line(t->cut, t->macs, macs[u], trial_mean);
            computing += trial_mean(&t->cost); /* every rank works this out for itself */
        }
        *seconds += s->config->decode_threads == 0 ? reading + computing : fmax(reading, computing);
    }
}

/* The lists of a model for who wants to know how they would do on other ranks: a part for every set. `images`: of a micro-batch, in those of one
 * that was tried. */
typedef struct set_parts {
    size_t n;
    work_part *whole, *pruned; /* [n] */
    size_t payload;            /* of counters */
    size_t points;
} set_parts;

static status note_set(const stage_ctx *c, const evaluator *e, const trial_steps *t, const double macs[], double images, size_t first, set_parts *out)
{
    const study *s = c->study;
    const mask_list *l = &e->masks;
    const size_t end = masks_set_end(l, first), evaluation = l->use[first].evaluation;
    const size_t batches = study_batches(&s->evaluations[evaluation].samples, s->config->micro_batch), runs = evaluate_runs(s, e->model, evaluation);
    const size_t counters = counters_size(&s->evaluations[evaluation]) * sizeof(int64_t);
    const double run = (double)batches / (double)runs, read = images * trial_used(&t->read);
    double *whole, *cut;
    size_t n = 0;
    TRY_ALLOC(whole, c->noted->arena, 1);
    TRY_ALLOC(cut, c->noted->arena, masks_distinct(l, first, end));
    *whole = images * trial_used(&t->pass[TRIAL_WHOLE]);
    for (size_t u = first; u < end; u = masks_end(l, u)) {
        if (l->use[u].rate > 0) {
            cut[n++] = run * images * trial_line(t->pass, t->macs, macs[u], trial_used) + trial_line(t->cut, t->macs, macs[u], trial_used);
        }
    }
    out->whole[out->n] = (work_part){.n = batches, .n_kinds = 1, .seconds = whole, .read_seconds = read, .ticks = 1};
    out->pruned[out->n++] = (work_part){.n = runs * n, .n_kinds = n > 0 ? n : 1, .seconds = cut, .read_seconds = run * read, .ticks = (size_t)ceil(run)};
    out->payload = counters > out->payload ? counters : out->payload;
    out->points += n + 1;
    return STATUS_OK;
}

static status note_lists(const stage_ctx *c, const evaluator *e, const trial_steps *t, const double macs[], size_t tried)
{
    const size_t micro_batch = c->study->config->micro_batch;
    const double images = (double)micro_batch / (double)tried;
    set_parts sets = {.n = 0};
    size_t predictions = 0;
    if (c->noted == NULL) {
        return STATUS_OK;
    }
    TRY_ALLOC(sets.whole, c->noted->arena, e->n_sets);
    TRY_ALLOC(sets.pruned, c->noted->arena, e->n_sets);
    for (size_t first = 0; first < e->masks.n; first = masks_set_end(&e->masks, first)) {
        TRY(note_set(c, e, t, macs, images, first, &sets));
        predictions += sets.whole[sets.n - 1].n * micro_batch;
    }
    work_list list = {.stage = stage_evaluate.name, .n_parts = sets.n, .part = sets.whole, .stretch = 1, .payload = sets.payload,
                      .summed = predictions * sizeof(uint32_t)};
    list.payload += forecast_block(micro_batch, sizeof(noted_mark)) + forecast_block(micro_batch, sizeof(uint32_t));
    TRY(work_note(c->noted, &list));
    list.part = sets.pruned;
    list.stretch = EVALUATE_STRETCH;
    list.payload = sets.payload;
    list.summed = e->n_counters * sizeof(int64_t);
    list.every_rank = (double)sets.points * trial_used(&t->cost);
    return work_note(c->noted, &list);
}

static status try_model(stage_ctx *c, arena *a, arena *small, arena *images, size_t model, double budget, double *seconds)
{
    trial narrow;
    trial_steps steps = {0};
    evaluator e;
    uint64_t parameters, macs;
    double *left;
    stage_ctx mine = *c;
    graph_cost(c->study->models[model].graph, &parameters, &macs, NULL, NULL);
    trial_open(c->study, (double)macs, budget / 4.0, &narrow);
    mine.study = &narrow.study;
    arena_release(a);
    TRY(evaluator_plan(&mine, a, model, &e));
    TRY(evaluator_open(&mine, a, small, images, &e));
    TRY(try_rounds(&mine, a, &e, budget, &steps));
    TRY(mask_costs(c, a, images, &e, &left));
    trial_total(c, &e, &steps, left, narrow.config.micro_batch, seconds);
    return note_lists(c, &e, &steps, left, narrow.config.micro_batch);
}

status evaluate_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    arena *small = NULL;
    *seconds = 0.0;
    status st = arena_open("pruned network", &small);
    c->watched = small;
    for (size_t m = 0; m < c->study->n_models && status_ok(st); m++) {
        arena_release(small);
        st = try_model(c, a, small, images, m, budget / (double)c->study->n_models, seconds);
    }
    c->watched = NULL;
    arena_close(&small);
    return st;
}
