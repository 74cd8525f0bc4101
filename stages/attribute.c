/* Explains the reference images once per (model, criterion with scores of its own) and adds their rows, exactly, to every reference set that contains
 * them: those of the sets that cells with these scores have (study_explained()). */
#include <string.h>

#include "io/sha256.h"
#include "parallel/node_weights.h"
#include "stages/attribute_parts.h"
#include "stages/item_keys.h"
#include "stages/marks.h"
#include "stages/work_list.h"

extern const stage_def stage_attribute;

/* The earliest criterion with the same scores, which share one explanation. */
static size_t same_scores(const config *cfg, size_t criterion)
{
    size_t first = 0;
    while (strcmp(cfg->scoring[first], cfg->scoring[criterion]) != 0) {
        first++;
    }
    return first;
}

/* Some criterion with these scores has to be for the model. */
bool attribute_explains(const study *s, size_t model, size_t criterion)
{
    const config *cfg = s->config;
    if (!cfg->criteria[criterion].method->uses_samples || same_scores(cfg, criterion) != criterion) {
        return false;
    }
    size_t k = criterion;
    while (k < cfg->n_criteria && !(study_wants(s, model, k) && strcmp(cfg->scoring[k], cfg->scoring[criterion]) == 0)) {
        k++;
    }
    return k < cfg->n_criteria;
}

size_t attribute_index(const study *s, size_t model, size_t criterion, size_t reference)
{
    return (model * s->config->n_criteria + same_scores(s->config, criterion)) * s->n_references + reference;
}

/* Where in a payload the rows [micro_batch, n_values] begin: aligned as an arena's blocks are. */
size_t attribute_rows_at(const study *s)
{
    return forecast_block(s->config->micro_batch, sizeof(noted_mark));
}

static status open_images(stage_ctx *c, const study_model *m, batch_source **out)
{
    const batch_setup setup = {.data = c->study->reference_data,
                               .micro_batch = c->study->config->micro_batch,
                               .image_size = batch_image_size(&m->preprocess),
                               .most_asked = BATCHES_AHEAD,
                               .threads = c->study->config->decode_threads,
                               .ahead = BATCHES_AHEAD,
                               .mark = c->reference_mark,
                               .waited = &c->image_seconds};
    return batch_source_open(&setup, out);
}

/* In single walks, for progress alone: much is shared. */
size_t attribute_tree_passes(size_t n)
{
    return 1 + n / 4;
}

/* The settings of a search agree in everything but their rules. One alone makes a tree too: criterion 0 is another one in every round, so its items
 * have to be known by its rules, and sums of a tree serve it whichever `absolute` it has; and by the images, of which a later rung of a race has more. */
static status open_tree(arena *a, explainer *e, weight_list *weights)
{
    const study *s = e->stage->study;
    criterion_setup *setups;
    uint8_t digest[32];
    TRY_ALLOC(setups, a, e->n_members);
    for (size_t i = 0; i < e->n_members; i++) {
        setups[i] = study_setup(s, e->model_index, e->member[i]);
        setups[i].weights = weights;
    }
    char *all, *to;
    const size_t samples = e->list->n * sizeof e->list->sample[0];
    size_t size = samples;
    for (size_t i = 0; i < e->n_members; i++) {
        size += strlen(s->config->scoring[e->member[i]]) + 1;
    }
    TRY_ALLOC(all, a, size);
    to = all;
    for (size_t i = 0; i < e->n_members; i++) {
        to = stpcpy(to, s->config->scoring[e->member[i]]) + 1;
    }
    memcpy(to, e->list->sample, samples);
    sha256(all, size, digest);
    memcpy(e->digest, digest, sizeof e->digest);
    TRY(lrp_tree_open(a, e->n_members, setups, &e->tree));
    e->n_values = lrp_tree_row(e->tree);
    return STATUS_OK;
}

/* An item of a part of the study's images is no item of another part, though all else be the same. */
static void digest_list(const study *s, explainer *e)
{
    uint8_t digest[32];
    if (e->list->n < s->explained.n) {
        sha256(e->list->sample, e->list->n * sizeof e->list->sample[0], digest);
        memcpy(e->digest, digest, sizeof e->digest);
    }
}

status explainer_open(stage_ctx *c, arena *a, arena *scratch, size_t model, size_t n, const size_t criterion_of[], explainer *e)
{
    const study *s = c->study;
    const size_t criterion = criterion_of[0];
    const config_criterion *cc = &s->config->criteria[criterion];
    const size_t micro_batch = s->config->micro_batch;
    *e = (explainer){.stage = c, .model_index = model, .criterion = criterion, .model = &s->models[model], .method = cc->method,
                     .list = study_explained(s, model, criterion), .scratch = scratch, .weights = weights_open(a), .n_members = n,
                     .member = criterion_of};
    digest_list(s, e);
    criterion_setup setup = study_setup(s, model, criterion);
    setup.weights = node_weights_list(c->comm, &e->weights);
    e->n_values = criterion_row(e->method, &setup);
    e->passes = criterion_passes(e->method, &setup);
    if (s->part == PART_TUNING) {
        e->passes = attribute_tree_passes(n);
        TRY(open_tree(a, e, setup.weights));
    }
    TRY_ALLOC(e->sums, a, s->n_references * e->n_values);
    TRY_ALLOC(e->target, a, micro_batch);
    TRY_ALLOC(e->sample, a, micro_batch);
    TRY_ALLOC(e->batch.images, a, micro_batch * shape_count(setup.graph->input));
    TRY(rows_open(c, a, model, criterion, &e->rows_kept));
    TRY(open_images(c, e->model, &e->images));
    return e->tree != NULL ? STATUS_OK : e->method->open(a, &setup, &e->state);
}

status explainer_ready(const stage_ctx *c, arena *a, status opened, explainer *e)
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

/* Which samples a micro-batch has. */
static batch describe(const explainer *e, size_t index)
{
    batch b = {.images = NULL};
    batch_describe(e->list, index, e->stage->study->config->micro_batch, &b);
    return b;
}

static void key_of(const void *context, size_t index, journal_key *out)
{
    const explainer *e = context;
    *out = (journal_key){e->tree == NULL ? ITEM_ROWS : ITEM_TREE, (uint32_t)e->model_index, (uint32_t)e->criterion, (uint32_t)index, {0}};
    memcpy(out->content, e->digest, sizeof out->content);
}

void explainer_expect(void *context, size_t index)
{
    explainer *e = context;
    batch_source_ask(e->images, e->list, &e->model->preprocess, index);
}

/* A run of a tree takes as long as many walks. */
static void tick_claims(void *to)
{
    const explainer *e = to;
    claims_tick(e->stage->items->claims);
}

status explain_batch(explainer *e, float *rows)
{
    const study *s = e->stage->study;
    const size_t micro_batch = s->config->micro_batch;
    TRY(batch_source_take(e->images, &e->batch));
    for (size_t i = 0; i < micro_batch; i++) {
        e->sample[i] = e->batch.sample[i < e->batch.n ? i : 0];
        e->target[i] = s->reference_data->label[e->sample[i]];
    }
    const criterion_batch b = {.images = e->batch.images, .target = e->target, .sample = e->sample};
    if (e->tree != NULL) {
        lrp_tree_rows(e->tree, &b, rows, e->stage->items == NULL ? NULL : tick_claims, e); /* a trial has no items */
    } else {
        e->method->rows(e->state, &b, rows);
    }
    e->stage->tick(e->stage->progress, (double)(micro_batch * e->passes));
    return STATUS_OK;
}

static status compute(void *context, size_t index, void *payload)
{
    explainer *e = context;
    const study *s = e->stage->study;
    (void)index; /* items are computed in the order in which they are expected */
    memset(payload, 0, attribute_rows_at(s));
    TRY(explain_batch(e, (float *)((char *)payload + attribute_rows_at(s))));
    marks_note(s->reference_data, e->batch.n, e->batch.sample, e->stage->reference_mark, payload);
    return STATUS_OK;
}

static status check(void *context, size_t index, const void *payload)
{
    const explainer *e = context;
    const batch b = describe(e, index);
    return marks_check(e->scratch, e->stage->study->reference_data, b.n, b.sample, payload);
}

/* Into the sums of every reference set that has the sample and is wanted. */
static status take(void *context, size_t index, const void *payload)
{
    explainer *e = context;
    const study *s = e->stage->study;
    const batch b = describe(e, index);
    const float *rows = (const float *)((const char *)payload + attribute_rows_at(s));
    marks_take(b.n, b.sample, payload, e->stage->reference_mark);
    for (size_t i = 0; i < b.n; i++) {
        const float *row = rows + i * e->n_values;
        for (size_t r = 0; r < s->n_references; r++) {
            if (study_needs(s, e->model_index, e->criterion, r) && contains(&s->references[r].samples, b.sample[i])) {
                exact_sum *sums = e->sums + r * e->n_values;
                for (size_t k = 0; k < e->n_values; k++) {
                    exact_sum_add(&sums[k], row[k]);
                }
            }
        }
    }
    return rows_keep(&e->rows_kept, index, b.n, rows, e->n_values);
}

static size_t payload_of(const void *context, size_t index)
{
    const explainer *e = context;
    const study *s = e->stage->study;
    (void)index;
    return attribute_rows_at(s) + s->config->micro_batch * e->n_values * sizeof(float);
}

static double images_of(const void *context, size_t index)
{
    const explainer *e = context;
    (void)index;
    return (double)(e->stage->study->config->micro_batch * e->passes);
}

static item_list items_of(explainer *e)
{
    const study *s = e->stage->study;
    return (item_list){.n = study_batches(e->list, s->config->micro_batch),
                       .stretch = 1,
                       .most_payload = payload_of(e, 0),
                       .needed_by_all = true,
                       .context = e,
                       .key = key_of,
                       .payload = payload_of,
                       .images = images_of,
                       .expect = explainer_expect,
                       .compute = compute,
                       .take = take,
                       .check = check};
}

/* Each member's own sums out of those of the tree. */
static status assemble(stage_ctx *c, const explainer *e, size_t model, const double *value, const double **sums)
{
    const study *s = c->study;
    for (size_t i = 0; i < e->n_members; i++) {
        const criterion_setup setup = study_setup(s, model, e->member[i]);
        for (size_t r = 0; r < s->n_references; r++) {
            double *own;
            if (!study_needs(s, model, e->member[i], r)) {
                continue;
            }
            TRY_ALLOC(own, c->arena, criterion_row(e->method, &setup));
            lrp_tree_sums(e->tree, i, value + r * e->n_values, own);
            sums[attribute_index(s, model, e->member[i], r)] = own;
        }
    }
    return STATUS_OK;
}

/* Sums over the ranks, rounded once, into the stage's output; those of a tree are not needed any more once the members have theirs. */
static status reduce(stage_ctx *c, arena *a, explainer *e, size_t model, size_t criterion, const double **sums)
{
    const study *s = c->study;
    const size_t n = s->n_references * e->n_values;
    double *value = arena_alloc(e->tree == NULL ? c->arena : a, n, sizeof *value);
    TRY(comm_agree(c->comm, value == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t i = 0; i < n; i++) {
        exact_sum_carry(&e->sums[i]);
    }
    comm_sum_i64(c->comm, n * EXACT_WORDS, (int64_t *)e->sums); /* an exact_sum is its words */
    for (size_t i = 0; i < n; i++) {
        value[i] = exact_sum_value(&e->sums[i]);
    }
    for (size_t r = 0; r < s->n_references && e->tree == NULL; r++) {
        sums[attribute_index(s, model, criterion, r)] = study_needs(s, model, criterion, r) ? value + r * e->n_values : NULL;
    }
    return comm_agree(c->comm, e->tree == NULL ? STATUS_OK : assemble(c, e, model, value, sums));
}

/* n criteria: one, or those of a tree. */
static status explain(stage_ctx *c, arena *a, arena *scratch, size_t model, size_t n, const size_t criterion_of[], const double **sums,
                      const float **rows)
{
    explainer e;
    const size_t criterion = criterion_of[0];
    status st = explainer_ready(c, a, explainer_open(c, a, scratch, model, n, criterion_of, &e), &e);
    if (status_ok(st)) {
        const item_list list = items_of(&e);
        st = items_run(c->items, a, &list);
    }
    batch_source_close(&e.images);
    TRY(st);
    rows_gather(c->comm, &e.rows_kept, &rows[attribute_index(c->study, model, criterion, 0) / c->study->n_references]);
    return reduce(c, a, &e, model, criterion, sums);
}

static double work(const stage_ctx *c)
{
    const study *s = c->study;
    size_t passes = 0;
    for (size_t m = 0; m < s->n_models; m++) {
        size_t settings = 0, batches = 0;
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            const bool explains = attribute_explains(s, m, k);
            passes += explains && s->part != PART_TUNING ? attribute_passes(s, m, k) * study_batches(study_explained(s, m, k), s->config->micro_batch) : 0;
            settings += explains;
            batches = explains ? study_batches(study_explained(s, m, k), s->config->micro_batch) : batches; /* the same for all settings */
        }
        passes += s->part == PART_TUNING ? attribute_tree_passes(settings) * batches : 0;
    }
    return (double)(passes * s->config->micro_batch) * stage_part(c);
}

/* What a search has proposed for a model: all in one tree, for the images of the reference sets whose sums are wanted. */
static status explain_settings(stage_ctx *c, arena *a, arena *scratch, size_t model, const double **sums, const float **rows)
{
    const study *s = c->study;
    size_t n = 0, *member = arena_alloc(c->arena, s->config->n_criteria, sizeof *member);
    TRY(comm_agree(c->comm, member == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t k = 0; k < s->config->n_criteria; k++) {
        if (attribute_explains(s, model, k)) {
            member[n++] = k;
        }
    }
    return n == 0 || study_explained(s, model, member[0])->n == 0 ? STATUS_OK : explain(c, a, scratch, model, n, member, sums, rows);
}

static status run_all(stage_ctx *c, arena *a, arena *scratch)
{
    const study *s = c->study;
    const double **sums = arena_alloc(c->arena, s->n_models * s->config->n_criteria * s->n_references, sizeof *sums);
    const float **rows = arena_alloc(c->arena, s->n_models * s->config->n_criteria, sizeof *rows);
    TRY(comm_agree(c->comm, sums == NULL || rows == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            if (attribute_explains(s, m, k) && s->part != PART_TUNING) {
                arena_release(a);
                TRY(explain(c, a, scratch, m, 1, &k, sums, rows));
            }
        }
        if (s->part == PART_TUNING) {
            arena_release(a);
            TRY(explain_settings(c, a, scratch, m, sums, rows));
        }
    }
    c->attribute = (attribute_output){sums, rows};
    return STATUS_OK;
}

static status run(stage_ctx *c)
{
    arena *a = NULL, *scratch = NULL;
    status st = arena_open("attribute", &a);
    if (status_ok(st)) {
        st = arena_open("image", &scratch);
    }
    st = comm_agree(c->comm, st);
    if (status_ok(st)) {
        st = run_all(c, a, scratch);
    }
    arena_close(&scratch);
    arena_close(&a);
    return st;
}

const stage_def stage_attribute = {
    .name = "attribute",
    .help = "explain the reference images and add up the relevance of every component",
    .work = work,
    .run = run,
    .forecast = attribute_forecast,
    .trial = attribute_trial,
};
