/* Explains every reference image once per (model, criterion with scores of its own) and adds its row, exactly, to every reference set that contains it. */
#include <string.h>

#include "parallel/node_weights.h"
#include "stages/batch_source.h"
#include "stages/rows.h"
#include "stages/stage.h"

/* The earliest criterion with the same scores, which share one explanation. */
static size_t same_scores(const config *cfg, size_t criterion)
{
    size_t first = 0;
    while (strcmp(cfg->scoring[first], cfg->scoring[criterion]) != 0) {
        first++;
    }
    return first;
}

/* Does the stage explain images for this criterion? */
static bool is_explained(const config *cfg, size_t criterion)
{
    return cfg->criteria[criterion].method->uses_samples && same_scores(cfg, criterion) == criterion;
}

size_t attribute_index(const study *s, size_t model, size_t criterion, size_t reference)
{
    return (model * s->config->n_criteria + same_scores(s->config, criterion)) * s->n_references + reference;
}

/* One (model, criterion) on this rank. */
typedef struct explainer {
    const study_model *model;
    const criterion_def *method;
    void *state;
    size_t n_values; /* the length of a row */
    size_t passes;   /* of a micro-batch through the network */
    exact_sum *sums; /* [n_references, n_values] */
    float *rows;     /* [micro_batch, n_values] */
    size_t *target;  /* [micro_batch] */
    uint64_t *sample; /* [micro_batch] index in the data set */
    row_keeper rows_kept; /* with `rows: keep` */
    batch batch;
    batch_source *images; /* of all explainers, one after the other */
    weight_list weights;  /* that the ranks of a node share */
} explainer;

/* Local. Explains nothing before explainer_ready(). */
static status explainer_open(const stage_ctx *c, arena *a, batch_source *images, size_t model, size_t criterion, explainer *out)
{
    const study *s = c->study;
    const config_criterion *cc = &s->config->criteria[criterion];
    const size_t micro_batch = s->config->micro_batch;
    explainer *e = out;
    *e = (explainer){.model = &s->models[model], .method = cc->method, .images = images, .weights = weights_open(a)};
    criterion_setup setup = study_setup(s, model, criterion);
    setup.weights = node_weights_list(c->comm, &e->weights);
    e->n_values = criterion_row(e->method, &setup);
    e->passes = criterion_passes(e->method, &setup);
    TRY_ALLOC(e->sums, a, s->n_references * e->n_values);
    TRY_ALLOC(e->rows, a, micro_batch * e->n_values);
    TRY_ALLOC(e->target, a, micro_batch);
    TRY_ALLOC(e->sample, a, micro_batch);
    TRY_ALLOC(e->batch.images, a, micro_batch * shape_count(setup.graph->input));
    TRY(rows_open(c, a, model, criterion, &e->rows_kept));
    return e->method->open(a, &setup, &e->state);
}

/* Collective. */
static status explainer_ready(const stage_ctx *c, arena *a, status opened, explainer *e)
{
    TRY(comm_agree(c->comm, opened));
    return node_weights_place(c->comm, a, &e->weights);
}

static bool contains(const sample_list *list, size_t sample)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (list->sample[middle] < sample) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < list->n && list->sample[low] == sample;
}

static void add_rows(const study *s, explainer *e)
{
    for (size_t i = 0; i < e->batch.n; i++) {
        const float *row = e->rows + i * e->n_values;
        for (size_t r = 0; r < s->n_references; r++) {
            if (contains(&s->references[r].samples, e->batch.sample[i])) {
                exact_sum *sums = e->sums + r * e->n_values;
                for (size_t k = 0; k < e->n_values; k++) {
                    exact_sum_add(&sums[k], row[k]);
                }
            }
        }
    }
}

/* The next of its micro-batches, whose number is `index`. */
static status explain_batch(stage_ctx *c, explainer *e, size_t index)
{
    const study *s = c->study;
    const dataset *d = s->reference_data;
    const size_t micro_batch = s->config->micro_batch;
    TRY(batch_source_take(e->images, &e->batch));
    for (size_t i = 0; i < micro_batch; i++) {
        e->sample[i] = e->batch.sample[i < e->batch.n ? i : 0];
        e->target[i] = d->label[e->sample[i]];
    }
    const criterion_batch b = {.images = e->batch.images, .target = e->target, .sample = e->sample};
    e->method->rows(e->state, &b, e->rows);
    add_rows(s, e);
    rows_keep(&e->rows_kept, index, e->batch.n, e->rows, e->n_values);
    c->tick(c->progress, (double)(micro_batch * e->passes));
    return STATUS_OK;
}

/* This rank's share of the micro-batches; ends early when another rank has failed. `item` counts over models and criteria. */
static status explain_share(stage_ctx *c, explainer *e, status st, size_t *item)
{
    const size_t n = study_batches(&c->study->explained, c->study->config->micro_batch);
    for (size_t b = 0; b < n; b++, (*item)++) {
        if (comm_alarm(c->comm, st)) {
            break;
        }
        if (*item % (size_t)c->comm->size == (size_t)c->comm->rank) {
            st = explain_batch(c, e, b);
        }
    }
    return st;
}

/* Sums over the ranks, rounded once, into the stage's output. */
static status reduce(stage_ctx *c, explainer *e, size_t model, size_t criterion, const double **sums)
{
    const study *s = c->study;
    const size_t n = s->n_references * e->n_values;
    double *value = arena_alloc(c->arena, n, sizeof *value);
    TRY(comm_agree(c->comm, value == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t i = 0; i < n; i++) {
        exact_sum_carry(&e->sums[i]);
    }
    comm_sum_i64(c->comm, n * EXACT_WORDS, (int64_t *)e->sums); /* an exact_sum is its words */
    for (size_t i = 0; i < n; i++) {
        value[i] = exact_sum_value(&e->sums[i]);
    }
    for (size_t r = 0; r < s->n_references; r++) {
        sums[attribute_index(s, model, criterion, r)] = value + r * e->n_values;
    }
    return STATUS_OK;
}

static status explain(stage_ctx *c, arena *a, batch_source *images, size_t model, size_t criterion, size_t *item, const double **sums,
                      const float **rows)
{
    explainer e;
    const double started = log_seconds(), waited = c->image_seconds;
    TRY(explainer_ready(c, a, explainer_open(c, a, images, model, criterion, &e), &e));
    const status st = explain_share(c, &e, STATUS_OK, item);
    const double finished = log_seconds();
    c->busy_seconds += finished - started - (c->image_seconds - waited);
    TRY(comm_agree(c->comm, st));
    c->idle_seconds += log_seconds() - finished;
    rows_gather(c->comm, &e.rows_kept, &rows[attribute_index(c->study, model, criterion, 0) / c->study->n_references]);
    return reduce(c, &e, model, criterion, sums);
}

/* For how many criteria images are explained. */
static size_t explaining(const study *s)
{
    size_t n = 0;
    for (size_t k = 0; k < s->config->n_criteria; k++) {
        n += is_explained(s->config, k);
    }
    return n;
}

/* How often every micro-batch goes through a model's network for one criterion. */
static size_t passes_of(const study *s, size_t model, size_t criterion)
{
    const criterion_setup setup = study_setup(s, model, criterion);
    return criterion_passes(s->config->criteria[criterion].method, &setup);
}

static double work(const stage_ctx *c)
{
    const study *s = c->study;
    const size_t batches = study_batches(&s->explained, s->config->micro_batch);
    double passes = 0.0;
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            passes += is_explained(s->config, k) ? (double)passes_of(s, m, k) : 0.0;
        }
    }
    return passes * (double)(batches * s->config->micro_batch) / (double)c->comm->size;
}

static status explain_all(stage_ctx *c, arena *a, batch_source *images)
{
    const study *s = c->study;
    size_t item = 0;
    const double **sums = arena_alloc(c->arena, s->n_models * s->config->n_criteria * s->n_references, sizeof *sums);
    const float **rows = arena_alloc(c->arena, s->n_models * s->config->n_criteria, sizeof *rows);
    TRY(comm_agree(c->comm, sums == NULL || rows == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            if (is_explained(s->config, k)) {
                arena_release(a);
                TRY(explain(c, a, images, m, k, &item, sums, rows));
            }
        }
    }
    c->attribute = (attribute_output){sums, rows};
    return STATUS_OK;
}

/* This rank's micro-batches of all explainers, in the order of explain_all(): item i is of rank i % ranks. */
static status read_ahead(stage_ctx *c, arena *a, batch_source **out)
{
    const study *s = c->study;
    const size_t n = study_batches(&s->explained, s->config->micro_batch), ranks = (size_t)c->comm->size;
    batch_run *run;
    batch_setup setup = {.data = s->reference_data,
                         .micro_batch = s->config->micro_batch,
                         .threads = s->config->decode_threads,
                         .ahead = BATCHES_AHEAD,
                         .mark = c->reference_mark,
                         .waited = &c->image_seconds};
    TRY_ALLOC(run, a, s->n_models * explaining(s));
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < explaining(s); k++) {
            const size_t first = ((size_t)c->comm->rank + ranks - setup.n_runs * n % ranks) % ranks;
            run[setup.n_runs++] = (batch_run){&s->explained, &s->models[m].preprocess, first, ranks, n};
        }
    }
    setup.run = run;
    return batch_source_open(&setup, out);
}

static status run_all(stage_ctx *c, arena *a, arena *order)
{
    batch_source *images = NULL;
    status st = comm_agree(c->comm, read_ahead(c, order, &images));
    if (status_ok(st)) {
        st = explain_all(c, a, images);
    }
    batch_source_close(&images);
    return st;
}

/* What an explainer takes. Weights in the kernels' order are counted by themselves where ranks share memory. */
static status forecast_memory(const stage_ctx *c, size_t model, size_t criterion, stage_forecast *out)
{
    const study *s = c->study;
    const config_criterion *cc = &s->config->criteria[criterion];
    const graph *g = s->models[model].graph;
    weight_list weights = weights_open(NULL);
    criterion_setup setup = study_setup(s, model, criterion);
    setup.weights = node_weights_list(c->comm, &weights);
    const size_t micro_batch = s->config->micro_batch, n_values = criterion_row(cc->method, &setup);
    const size_t sums = forecast_block(s->n_references * n_values, sizeof(exact_sum));
    size_t method = 0;
    TRY(cc->method->bytes(&setup, &method));
    const size_t weight_bytes = weights.floats * sizeof(float);
    out->shared = c->comm->node_size > 1 ? weight_bytes : 0;
    forecast_add(out, "activations and relevance", method);
    forecast_add(out, "weights in the order of the kernels", weight_bytes - out->shared);
    forecast_add(out, "sums of relevance", sums);
    forecast_add(out, "sums of other ranks", c->comm->size > 1 ? sums : 0);
    forecast_add(out, "rows of relevance", forecast_block(micro_batch * n_values, sizeof(float)));
    forecast_add(out, "micro-batches read ahead",
                 batch_source_bytes(micro_batch, shape_count(g->input), s->config->decode_threads, BATCHES_AHEAD));
    forecast_add(out, "a micro-batch of images",
                 forecast_block(micro_batch * shape_count(g->input), sizeof(float)) + 2 * forecast_block(micro_batch, sizeof(size_t)));
    out->kept += forecast_block(s->n_references * n_values, sizeof(double));
    rows_forecast(c, model, criterion, out);
    return STATUS_OK;
}

/* Counts add up over models and criteria, which come one after the other; of memory the largest counts. */
static status forecast_pair(const stage_ctx *c, size_t model, size_t criterion, stage_forecast *out)
{
    stage_forecast one = {0};
    const size_t batches = study_batches(&c->study->explained, c->study->config->micro_batch);
    TRY(forecast_memory(c, model, criterion, &one));
    const size_t ranks = (size_t)c->comm->node_size;
    if (ranks * forecast_bytes(&one) + one.shared > ranks * forecast_bytes(out) + out->shared) {
        memcpy(out->part, one.part, sizeof out->part);
        out->n_parts = one.n_parts;
        out->shared = one.shared;
    }
    out->kept += one.kept;
    out->items += batches;
    out->passes += batches * passes_of(c->study, model, criterion);
    out->images = c->study->explained.n;
    return STATUS_OK;
}

static status forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    (void)scratch;
    const study *s = c->study;
    const size_t pairs = s->n_models * s->config->n_criteria;
    *out = (stage_forecast){.kept = forecast_block(pairs * s->n_references, sizeof(double *)) + forecast_block(pairs, sizeof(float *))};
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            if (is_explained(s->config, k)) {
                TRY(forecast_pair(c, m, k, out));
            }
        }
    }
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        if (cell->reference != NO_REFERENCE) {
            out->unshared += study_batches(&s->references[cell->reference].samples, s->config->micro_batch) *
                             passes_of(s, cell->model, cell->criterion);
        }
    }
    return STATUS_OK;
}

/* Collective. Micro-batches as they come, again and again, until the time is over. Ranks begin in different places. */
static status try_batches(stage_ctx *c, arena *a, size_t model, size_t criterion, double budget, trial_clock *clock)
{
    const study *s = c->study;
    const preprocess *recipe = &s->models[model].preprocess;
    const size_t n = study_batches(&s->explained, s->config->micro_batch), begin = (size_t)c->comm->rank % n;
    const batch_run run[] = {{&s->explained, recipe, begin, 1, n}, {&s->explained, recipe, 0, 1, begin}};
    const batch_setup setup = {.data = s->reference_data,
                               .micro_batch = s->config->micro_batch,
                               .n_runs = COUNT(run),
                               .run = run,
                               .endless = true,
                               .threads = s->config->decode_threads,
                               .ahead = BATCHES_AHEAD,
                               .mark = c->reference_mark,
                               .waited = &c->image_seconds};
    batch_source *images = NULL;
    explainer e = {.n_values = 0};
    status st = batch_source_open(&setup, &images);
    if (status_ok(st)) {
        st = explainer_open(c, a, images, model, criterion, &e);
    }
    st = explainer_ready(c, a, st, &e);
    for (size_t index = begin; status_ok(st) && (clock->n == 0 || clock->sum < budget); index = (index + 1) % n) {
        const double started = log_seconds();
        st = explain_batch(c, &e, index);
        trial_lap(clock, log_seconds() - started);
    }
    batch_source_close(&images);
    return comm_agree(c->comm, st);
}

/* Collective. Seconds for one image. */
static status try_pair(const stage_ctx *c, arena *a, size_t model, size_t criterion, double budget, double *seconds)
{
    static const double walk_costs = 3.0; /* of a pass, in forward passes, roughly */
    trial t;
    trial_clock clock = {0};
    uint64_t parameters, macs;
    stage_ctx mine = *c;
    graph_cost(c->study->models[model].graph, &parameters, &macs, NULL, NULL);
    const double passes = (double)passes_of(c->study, model, criterion);
    trial_open(c->study, passes * walk_costs * (double)macs, budget / 2.0, &t);
    mine.study = &t.study;
    arena_release(a);
    TRY(try_batches(&mine, a, model, criterion, budget, &clock));
    *seconds = trial_mean(&clock) / (double)t.config.micro_batch;
    return STATUS_OK;
}

/* Every criterion is tried: parameters and rules decide what one costs. */
static status try_model(stage_ctx *c, arena *a, size_t model, double budget, double *seconds)
{
    const study *s = c->study;
    const config *cfg = s->config;
    const size_t batches = study_batches(&s->explained, cfg->micro_batch);
    for (size_t k = 0; k < cfg->n_criteria; k++) {
        double one = 0.0;
        if (is_explained(cfg, k)) {
            TRY(try_pair(c, a, model, k, budget, &one));
            *seconds += one * (double)(forecast_share(batches, c->comm->size) * cfg->micro_batch);
        }
    }
    return STATUS_OK;
}

static status try_all(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    (void)images; /* the threads that read have their own */
    const study *s = c->study;
    *seconds = 0.0;
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(try_model(c, a, m, budget / (double)(s->n_models * (explaining(s) + 1)), seconds));
    }
    return STATUS_OK;
}

static status run(stage_ctx *c)
{
    arena *a = NULL, *order = NULL;
    status st = arena_open("attribute", &a);
    if (status_ok(st)) {
        st = arena_open("attribute: order of images", &order);
    }
    st = comm_agree(c->comm, st);
    if (status_ok(st)) {
        st = run_all(c, a, order);
    }
    arena_close(&order);
    arena_close(&a);
    return st;
}

const stage_def stage_attribute = {
    .name = "attribute",
    .help = "explain the reference images and add up the relevance of every component",
    .work = work,
    .run = run,
    .forecast = forecast,
    .trial = try_all,
};
