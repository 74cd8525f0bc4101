/* What the attribute stage will do, take and last. */
#include "parallel/node_weights.h"
#include "stages/attribute_parts.h"
#include "stages/items.h"
#include "stages/work_list.h"

extern const stage_def stage_attribute;

/* How often every micro-batch goes through a model's network for one criterion. */
size_t attribute_passes(const study *s, size_t model, size_t criterion)
{
    const criterion_setup setup = study_setup(s, model, criterion);
    return criterion_passes(s->config->criteria[criterion].method, &setup);
}

/* What an explainer of these images takes whose method takes so much and gives rows of n_values. Weights in the kernels' order are counted by
 * themselves where ranks share memory. */
static void forecast_explainer(const stage_ctx *c, size_t model, const sample_list *list, size_t method, size_t n_values, const weight_list *weights,
                               stage_forecast *out)
{
    const study *s = c->study;
    const graph *g = s->models[model].graph;
    const size_t micro_batch = s->config->micro_batch, batches = study_batches(list, micro_batch);
    const size_t sums = forecast_block(s->n_references * n_values, sizeof(exact_sum));
    const size_t weight_bytes = weights->floats * sizeof(float);
    out->shared = c->comm->node_size > 1 ? weight_bytes : 0;
    forecast_add(out, "activations and relevance", method);
    forecast_add(out, "weights in the order of the kernels", weight_bytes - out->shared);
    forecast_add(out, "sums of relevance", sums);
    forecast_add(out, "sums of other ranks", comm_reduce_bytes(c->comm, sums));
    forecast_add(out, "rows of relevance", items_bytes(batches, attribute_rows_at(s) + micro_batch * n_values * sizeof(float)));
    forecast_add(out, "micro-batches read ahead",
                 batch_source_bytes(micro_batch, shape_count(g->input), s->config->decode_threads, BATCHES_AHEAD));
    forecast_add(out, "a micro-batch of images",
                 forecast_block(micro_batch * shape_count(g->input), sizeof(float)) + 2 * forecast_block(micro_batch, sizeof(size_t)));
}

/* In double precision, of all reference sets. */
static size_t rounded_sums(const study *s, size_t n_values)
{
    return forecast_block(s->n_references * n_values, sizeof(double));
}

static status forecast_memory(const stage_ctx *c, size_t model, size_t criterion, stage_forecast *out)
{
    const criterion_def *method = c->study->config->criteria[criterion].method;
    weight_list weights = weights_open(NULL);
    criterion_setup setup = study_setup(c->study, model, criterion);
    size_t bytes = 0;
    setup.weights = node_weights_list(c->comm, &weights);
    TRY(method->bytes(&setup, &bytes));
    forecast_explainer(c, model, study_explained(c->study, model, criterion), bytes, criterion_row(method, &setup), &weights, out);
    out->kept += rounded_sums(c->study, criterion_row(method, &setup));
    rows_forecast(c, model, criterion, out);
    return STATUS_OK;
}

/* Counts add up over models and criteria, which come one after the other; of memory the largest counts. */
static status forecast_pair(const stage_ctx *c, size_t model, size_t criterion, uint8_t read[], stage_forecast *out)
{
    stage_forecast one = {0};
    const sample_list *list = study_explained(c->study, model, criterion);
    const size_t batches = study_batches(list, c->study->config->micro_batch);
    TRY(forecast_memory(c, model, criterion, &one));
    forecast_keep_most(out, &one, c->comm->node_size);
    out->kept += one.kept;
    out->gathered += one.gathered;
    out->items += batches;
    out->passes += batches * attribute_passes(c->study, model, criterion);
    out->images += forecast_unread(list, read);
    return STATUS_OK;
}

static size_t count_needed(const study *s, size_t model, size_t criterion)
{
    size_t n = 0;
    for (size_t r = 0; r < s->n_references; r++) {
        n += study_needs(s, model, criterion, r);
    }
    return n;
}

/* The settings of a search for a model: one tree, and sums of each of them. */
static status forecast_tree(const stage_ctx *c, arena *a, arena *scratch, size_t model, stage_forecast *out)
{
    const study *s = c->study;
    const sample_list *list = NULL; /* the same for all settings */
    weight_list weights = weights_open(NULL);
    criterion_setup *setup;
    lrp_tree_need need;
    stage_forecast one = {0};
    size_t n = 0;
    TRY_ALLOC(setup, a, s->config->n_criteria);
    one.kept = forecast_block(s->config->n_criteria, sizeof(size_t)); /* which criteria these are */
    for (size_t k = 0; k < s->config->n_criteria; k++) {
        if (attribute_explains(s, model, k)) {
            setup[n] = study_setup(s, model, k);
            setup[n++].weights = node_weights_list(c->comm, &weights);
            list = study_explained(s, model, k);
            one.kept += count_needed(s, model, k) * forecast_block(criterion_row(s->config->criteria[k].method, &setup[n - 1]), sizeof(double));
        }
    }
    if (n == 0 || list->n == 0) {
        out->kept += one.kept;
        return STATUS_OK;
    }
    const size_t batches = study_batches(list, s->config->micro_batch);
    TRY(lrp_tree_needs(scratch, n, setup, &need));
    forecast_explainer(c, model, list, need.bytes, need.row, &weights, &one);
    forecast_add(&one, "sums of the tree, rounded", rounded_sums(s, need.row));
    forecast_keep_most(out, &one, c->comm->node_size);
    out->kept += one.kept;
    out->items += batches;
    out->passes += batches * attribute_tree_passes(n);
    out->macs += (double)need.macs * (double)(batches * s->config->micro_batch);
    out->images = list->n;
    return STATUS_OK;
}

static status forecast_trees(const stage_ctx *c, arena *scratch, stage_forecast *out)
{
    arena *a = NULL;
    TRY(arena_open("settings", &a));
    status st = STATUS_OK;
    for (size_t m = 0; m < c->study->n_models && status_ok(st); m++) {
        st = forecast_tree(c, a, scratch, m, out);
    }
    arena_close(&a);
    return st;
}

status attribute_forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    const study *s = c->study;
    uint8_t *read;
    const size_t pairs = s->n_models * s->config->n_criteria;
    *out = (stage_forecast){.kept = forecast_block(pairs * s->n_references, sizeof(double *)) + forecast_block(pairs, sizeof(float *))};
    if (s->part == PART_TUNING) {
        TRY(forecast_trees(c, scratch, out));
    }
    arena_reset(scratch);
    TRY_ALLOC(read, scratch, s->reference_data->n_samples);
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            if (attribute_explains(s, m, k) && s->part != PART_TUNING) {
                TRY(forecast_pair(c, m, k, read, out));
            }
        }
    }
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        if (cell->reference != NO_REFERENCE) {
            out->unshared += study_batches(&s->references[cell->reference].samples, s->config->micro_batch) *
                             attribute_passes(s, cell->model, cell->criterion);
        }
    }
    return STATUS_OK;
}

/* What a micro-batch of a list takes: all of it, and reading its images alone. */
typedef struct trial_steps {
    trial_clock all, read;
    size_t n_values;
} trial_steps;

/* Local. What a thread may do ahead. */
static status try_reading(explainer *e, trial_clock *clock)
{
    const study *s = e->stage->study;
    const size_t n = study_batches(e->list, s->config->micro_batch);
    for (size_t i = 0; i < 2 && e->stage->noted != NULL; i++) {
        const trial_moment started = trial_now();
        TRY(batch_read(e->scratch, s->reference_data, e->list, ((size_t)e->stage->comm->rank + i) % n, s->config->micro_batch,
                       &e->model->preprocess, e->stage->reference_mark, &e->batch));
        trial_since(clock, started);
        arena_reset(e->scratch);
    }
    return STATUS_OK;
}

/* Local. Micro-batches as they come, again and again, until the time is over. Ranks begin in different places. */
static status try_batches(explainer *e, float *rows, double budget, trial_clock *clock)
{
    const stage_ctx *c = e->stage;
    const size_t n = study_batches(e->list, c->study->config->micro_batch);
    size_t asked = (size_t)c->comm->rank;
    explainer_expect(e, asked++ % n);
    while (clock->n == 0 || clock->sum < budget) {
        const trial_moment started = trial_now();
        explainer_expect(e, asked++ % n);
        TRY(explain_batch(e, rows));
        trial_since(clock, started);
    }
    return STATUS_OK;
}

static status try_explainer(stage_ctx *c, arena *a, arena *scratch, size_t model, size_t criterion, double budget, trial_steps *steps)
{
    explainer e;
    float *rows = NULL;
    status st = explainer_open(c, a, scratch, model, 1, &criterion, &e);
    if (status_ok(st)) {
        rows = arena_alloc(a, c->study->config->micro_batch * e.n_values, sizeof *rows);
        st = rows == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
    }
    st = explainer_ready(c, a, st, &e);
    if (status_ok(st)) {
        steps->n_values = e.n_values;
        st = try_reading(&e, &steps->read);
    }
    if (status_ok(st)) {
        st = try_batches(&e, rows, budget, &steps->all);
    }
    batch_source_close(&e.images);
    return comm_agree(c->comm, st);
}

/* For who wants to know how the list, of so many micro-batches, would do on other ranks. `images`: of a micro-batch, in those of one that was tried. */
static status note_list(const stage_ctx *c, const trial_steps *t, size_t batches, double images)
{
    const study *s = c->study;
    const size_t micro_batch = s->config->micro_batch;
    if (c->noted == NULL) {
        return STATUS_OK;
    }
    double *seconds;
    work_part *part;
    TRY_ALLOC(seconds, c->noted->arena, 1);
    TRY_ALLOC(part, c->noted->arena, 1);
    const double read = images * trial_used(&t->read), all = images * trial_used(&t->all);
    const double own = s->config->decode_threads == 0 ? all - read : all;
    *seconds = own > 0.0 ? own : 0.0;
    *part = (work_part){.n = batches, .n_kinds = 1, .seconds = seconds, .read_seconds = read, .ticks = 1};
    return work_note(c->noted, &(work_list){.stage = stage_attribute.name,
                                            .n_parts = 1,
                                            .part = part,
                                            .stretch = 1,
                                            .payload = attribute_rows_at(s) + micro_batch * t->n_values * sizeof(float),
                                            .summed = s->n_references * t->n_values * sizeof(exact_sum)});
}

/* Collective. Seconds for one image. */
static status try_pair(const stage_ctx *c, arena *a, arena *scratch, size_t model, size_t criterion, double budget, double *seconds)
{
    static const double walk_costs = 3.0; /* of a pass, in forward passes, roughly */
    trial t;
    trial_steps steps = {.n_values = 0};
    uint64_t parameters, macs;
    stage_ctx mine = *c;
    graph_cost(c->study->models[model].graph, &parameters, &macs, NULL, NULL);
    const double passes = (double)attribute_passes(c->study, model, criterion);
    trial_open(c->study, passes * walk_costs * (double)macs, budget / 2.0, &t);
    mine.study = &t.study;
    arena_release(a);
    TRY(try_explainer(&mine, a, scratch, model, criterion, budget, &steps));
    *seconds = trial_mean(&steps.all) / (double)t.config.micro_batch;
    const size_t batches = study_batches(study_explained(c->study, model, criterion), c->study->config->micro_batch);
    return comm_agree(c->comm, note_list(c, &steps, batches, (double)c->study->config->micro_batch / (double)t.config.micro_batch));
}

/* For how many criteria images are explained. */
static size_t explaining(const study *s, size_t model)
{
    size_t n = 0;
    for (size_t k = 0; k < s->config->n_criteria; k++) {
        n += attribute_explains(s, model, k);
    }
    return n;
}

/* Every criterion is tried: parameters and rules decide what one costs. */
static status try_model(stage_ctx *c, arena *a, arena *scratch, size_t model, double budget, double *seconds)
{
    const study *s = c->study;
    const config *cfg = s->config;
    for (size_t k = 0; k < cfg->n_criteria; k++) {
        const size_t batches = study_batches(study_explained(s, model, k), cfg->micro_batch);
        double one = 0.0;
        if (attribute_explains(s, model, k)) {
            TRY(try_pair(c, a, scratch, model, k, budget, &one));
            *seconds += one * (double)(forecast_share(batches, c->comm->size) * cfg->micro_batch);
        }
    }
    return STATUS_OK;
}

status attribute_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    const study *s = c->study;
    *seconds = 0.0;
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(try_model(c, a, images, m, budget / (double)(s->n_models * (explaining(s, m) + 1)), seconds));
    }
    return STATUS_OK;
}
