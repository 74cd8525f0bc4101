/* Computes an item: a micro-batch explained by the unpruned network and by some pruned ones. */
#include <math.h>
#include <string.h>

#include "attribution/heatmap.h"
#include "attribution/walk_pruned.h"
#include "parallel/node_weights.h"
#include "stages/heatmaps.h"

struct heatmapper {
    stage_ctx *c;
    const heatmap_work *w;
    const graph *g;
    const composite *rules;
    arena *small, *images;
    weight_list weights;
    walk *whole;
    const heatmap_list *list; /* whose micro-batch `index` is at hand, and explained by the whole network; NULL: none is */
    size_t index, channels, pixels;
    batch batch;
    size_t *target;               /* [micro_batch] */
    float *before, *after;        /* [micro_batch, input] relevance */
    float *before_map, *after_map; /* [micro_batch, height, width] */
    float *before_logits;         /* [micro_batch, classes of the model] */
};

status heatmaps_open(stage_ctx *c, arena *a, arena *small, arena *images, const heatmap_work *w, heatmapper **out)
{
    const criterion_setup setup = study_heatmap_setup(c->study, w->model);
    const size_t n = w->micro_batch, input = shape_count(setup.graph->input);
    uint8_t *all;
    heatmapper *h;
    TRY_ALLOC(h, a, 1);
    *h = (heatmapper){.c = c, .w = w, .g = setup.graph, .small = small, .images = images, .weights = weights_open(a),
                      .channels = setup.graph->input.dim[0]};
    h->pixels = input / h->channels;
    TRY_ALLOC(h->batch.images, a, n * input);
    TRY_ALLOC(h->target, a, n);
    TRY_ALLOC(h->before, a, n * input);
    TRY_ALLOC(h->after, a, n * input);
    TRY_ALLOC(h->before_map, a, n * h->pixels);
    TRY_ALLOC(h->after_map, a, n * h->pixels);
    TRY_ALLOC(h->before_logits, a, n * h->g->n_classes);
    TRY_ALLOC(all, a, h->g->n_components);
    memset(all, 1, h->g->n_components);
    TRY(c->study->config->heatmaps.explanation.method->composite(a, &setup, &h->rules));
    *out = h;
    return walk_pruned_build(a, h->g, all, h->rules, setup.backend, n, node_weights_list(c->comm, &h->weights), &h->whole);
}

status heatmaps_ready(stage_ctx *c, arena *a, status opened, heatmapper *h)
{
    TRY(comm_agree(c->comm, opened));
    return node_weights_place(c->comm, a, &h->weights);
}

size_t heatmaps_bytes(const stage_ctx *c, size_t model)
{
    const graph *g = c->study->models[model].logits_graph;
    const size_t n = c->study->config->micro_batch, input = shape_count(g->input), pixels = g->input.dim[1] * g->input.dim[2];
    return 3 * forecast_block(n * input, sizeof(float)) + 2 * forecast_block(n * pixels, sizeof(float)) + forecast_block(n, sizeof(size_t)) +
           forecast_block(n * g->n_classes, sizeof(float)) + forecast_block(g->n_components, 1);
}

/* r [micro_batch, input] of the logit of each image's class, and its sum over the channels. Padding is explained too, and left alone. */
static void explain(const heatmapper *h, walk *w, float *r, float *map)
{
    walk_run_from(w, h->batch.images, &(walk_start){.value = START_ONE}, h->target, 0, NULL); /* no components: no rows */
    walk_read_input(w, r);
    for (size_t i = 0; i < h->batch.n; i++) {
        heatmap_fold(h->channels, h->pixels, r + i * h->channels * h->pixels, map + i * h->pixels);
    }
}

/* What pruned networks are compared with has to be there. */
static status check_finite(const heatmapper *h)
{
    const study *s = h->c->study;
    const study_model *m = &s->models[h->w->model];
    const size_t input = h->channels * h->pixels;
    for (size_t i = 0; i < h->batch.n; i++) {
        bool logits = true, relevance = true;
        for (size_t k = 0; k < h->g->n_classes; k++) {
            logits = logits && isfinite(h->before_logits[i * h->g->n_classes + k]);
        }
        for (size_t k = 0; k < input; k++) {
            relevance = relevance && isfinite(h->before[i * input + k]);
        }
        if (!logits || !relevance) {
            return FAIL(ST_DATA, "%s: expected finite %s of the unpruned network '%s' for %s/%s, found others; %s", m->config->checkpoint,
                        logits ? "relevance" : "logits", m->config->name, s->evaluation_data->root, s->evaluation_data->path[h->batch.sample[i]],
                        logits ? "take a larger heatmaps.epsilon or another heatmaps.composite" : "is the checkpoint damaged?");
        }
    }
    return STATUS_OK;
}

/* Makes a micro-batch the one at hand. Few images are read, and each is explained many times, so nothing is read ahead. */
static status take(heatmapper *h, const heatmap_list *list, size_t index)
{
    const study *s = h->c->study;
    if (h->list == list && h->index == index) {
        return STATUS_OK;
    }
    const double started = log_seconds();
    h->list = NULL;
    TRY(batch_read(h->images, s->evaluation_data, list->samples, index, h->w->micro_batch, &s->models[h->w->model].evaluation_preprocess,
                   h->c->evaluation_mark, &h->batch));
    h->c->image_seconds += log_seconds() - started;
    for (size_t i = 0; i < h->w->micro_batch; i++) {
        h->target[i] = s->evaluation_data->label[h->batch.sample[i < h->batch.n ? i : 0]];
    }
    explain(h, h->whole, h->before, h->before_map);
    memcpy(h->before_logits, forward_logits(walk_activations(h->whole)), h->w->micro_batch * h->g->n_classes * sizeof(float));
    TRY(check_finite(h));
    h->list = list;
    h->index = index;
    return STATUS_OK;
}

static size_t place_of(const study_evaluation *set, size_t class)
{
    size_t k = 0;
    while (set->classes[k] != class) {
        k++;
    }
    return k;
}

static bool is_zero(size_t n, const float *x)
{
    size_t i = 0;
    while (i < n && x[i] == 0.0f) {
        i++;
    }
    return i == n;
}

/* Image i of the micro-batch: relevance r, its map and the logits of the network at hand. */
static void answer(const heatmapper *h, size_t i, const float *r, const float *map, const float *logits, int64_t word[HEATMAP_WORDS])
{
    const study_evaluation *set = &h->c->study->evaluations[h->list->evaluation];
    const size_t input = h->channels * h->pixels;
    const heatmap_answer a = heatmap_ask(logits + i * h->g->n_classes, set->n_classes, set->classes, place_of(set, h->target[i]));
    const double real[] = {[HEATMAP_COSINE] = heatmap_cosine(input, h->before + i * input, r + i * input),
                           [HEATMAP_MAP_COSINE] = heatmap_cosine(h->pixels, h->before_map + i * h->pixels, map + i * h->pixels),
                           [HEATMAP_LOGIT] = a.logit,
                           [HEATMAP_CONFIDENCE] = a.confidence};
    memcpy(word, real, sizeof real);
    word[HEATMAP_PREDICTION] = a.prediction == NO_ANSWER ? -1 : (int64_t)set->classes[a.prediction];
    word[HEATMAP_GONE] = is_zero(input, r + i * input);
}

/* The micro-batch at hand through a mask: *r, *map and *logits become those of what is left. */
static status explain_pruned(heatmapper *h, const uint8_t alive[], const float **r, const float **map, const float **logits)
{
    walk *w;
    *r = h->before;
    *map = h->before_map;
    *logits = h->before_logits;
    if (memchr(alive, 0, h->g->n_components) == NULL) {
        return STATUS_OK; /* the same network */
    }
    arena_reset(h->small);
    TRY(walk_pruned_build(h->small, h->g, alive, h->rules, h->c->study->backend, h->w->micro_batch, NULL, &w));
    explain(h, w, h->after, h->after_map);
    *r = h->after;
    *map = h->after_map;
    *logits = forward_logits(walk_activations(w));
    return STATUS_OK;
}

status heatmaps_compute(heatmapper *h, size_t item, int64_t *block)
{
    const heatmap_item at = heatmaps_item(h->w, item);
    const mask_list *masks = &h->w->masks;
    const size_t n = at.n_samples, floats = n * h->w->pixels;
    char *maps = (char *)(block + at.n_masks * n * HEATMAP_WORDS);
    TRY(take(h, at.list, at.batch));
    for (size_t k = 0; k < at.n_masks; k++) {
        const float *r, *map, *logits;
        const size_t use = at.list->mask[at.first_mask + k];
        TRY(explain_pruned(h, masks->use[use].alive, &r, &map, &logits));
        for (size_t i = 0; i < n; i++) {
            answer(h, i, r, map, logits, block + (k * n + i) * HEATMAP_WORDS);
        }
        memcpy(maps + k * floats * sizeof(float), map, floats * sizeof(float));
        h->c->tick(h->c->progress, (double)(h->w->micro_batch * (masks_end(masks, use) - use)));
    }
    return STATUS_OK;
}

status heatmaps_try(heatmapper *h, const heatmap_list *list, size_t index, const uint8_t alive[], double *build, double *run)
{
    walk *w;
    TRY(take(h, list, index));
    const double started = log_seconds();
    arena_reset(h->small);
    TRY(walk_pruned_build(h->small, h->g, alive, h->rules, h->c->study->backend, h->w->micro_batch, NULL, &w));
    *build = log_seconds() - started;
    explain(h, w, h->after, h->after_map);
    *run = log_seconds() - started - *build;
    h->c->tick(h->c->progress, (double)h->w->micro_batch);
    return STATUS_OK;
}
