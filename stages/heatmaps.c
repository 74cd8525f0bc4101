/* How explanations change under pruning (docs/heatmaps.md): evaluation images are explained by every network and by what each mask leaves of it.
 * The work of a model is a list of items that know nothing of each other; equal masks of several cells are explained once. */
#include <string.h>

#include "stages/heatmaps.h"
#include "stages/item_keys.h"

/* One model on this rank: its items, and the blocks of answers that were computed or found. An item's payload is its block. */
typedef struct block_store {
    stage_ctx *c;
    const heatmap_work *w;
    heatmapper *h;
    arena *arena;
    int64_t *words;  /* rank 0: all of them, by heatmap_work.offset */
    int64_t **block; /* other ranks: [n_items] their own, in the arena */
    int64_t *owner;  /* [n_items] of this rank's own its rank, else 0 */
} block_store;

static size_t words_of(const heatmap_work *w, size_t item)
{
    return w->offset[item + 1] - w->offset[item];
}

size_t heatmaps_store_bytes(const stage_ctx *c, const heatmap_work *w)
{
    const bool lasts = c->comm->rank == 0 && w->pixels > 0; /* in the stage's output */
    const size_t lists = forecast_block(w->n_items, sizeof(int64_t)) + forecast_block(w->n_items, sizeof(int64_t *));
    const size_t all = forecast_block(w->offset[w->n_items], sizeof(int64_t));
    size_t most = 0;
    for (size_t i = 0; i < w->n_items; i++) {
        most = words_of(w, i) > most ? words_of(w, i) : most;
    }
    return lists + (lasts ? 0 : c->comm->rank == 0 ? all : all / (size_t)c->comm->size) + items_bytes(w->n_items, most * sizeof(int64_t));
}

static void key_of(const void *context, size_t item, journal_key *out)
{
    const block_store *s = context;
    *out = (journal_key){ITEM_HEATMAPS, (uint32_t)s->w->model, 0, (uint32_t)item, {0}};
}

static size_t payload_of(const void *context, size_t item)
{
    const block_store *s = context;
    return words_of(s->w, item) * sizeof(int64_t);
}

static double images_of(const void *context, size_t item)
{
    const block_store *s = context;
    const heatmap_item at = heatmaps_item(s->w, item);
    double n = 0.0;
    for (size_t k = 0; k < at.n_masks; k++) {
        const size_t use = at.list->mask[at.first_mask + k];
        n += (double)(s->w->micro_batch * (masks_end(&s->w->masks, use) - use));
    }
    return n;
}

static status compute(void *context, size_t item, void *payload)
{
    const block_store *s = context;
    return heatmaps_compute(s->h, item, payload);
}

static status take(void *context, size_t item, const void *payload)
{
    block_store *s = context;
    s->owner[item] = s->c->comm->rank;
    if (s->c->comm->rank == 0) {
        heatmaps_place(s->w, item, payload, s->words);
        return STATUS_OK;
    }
    TRY_ALLOC(s->block[item], s->arena, words_of(s->w, item));
    memcpy(s->block[item], payload, payload_of(s, item));
    return STATUS_OK;
}

/* Collective. One block after the other, straight to where it belongs. */
static void gather(const block_store *s)
{
    const comm *c = s->c->comm;
    comm_sum_i64(c, s->w->n_items, s->owner);
    for (size_t i = 0; i < s->w->n_items; i++) {
        comm_fetch(c, (int)s->owner[i], payload_of(s, i), c->rank == 0 ? s->words + s->w->offset[i] : s->block[i]);
    }
}

static size_t largest_payload(const block_store *s)
{
    size_t most = 0;
    for (size_t i = 0; i < s->w->n_items; i++) {
        most = payload_of(s, i) > most ? payload_of(s, i) : most;
    }
    return most;
}

/* Collective. */
static status run_items(block_store *s)
{
    const item_list list = {.n = s->w->n_items,
                            .stretch = 4, /* of one micro-batch, mostly */
                            .most_payload = largest_payload(s),
                            .context = s,
                            .key = key_of,
                            .payload = payload_of,
                            .images = images_of,
                            .compute = compute,
                            .take = take};
    TRY(items_run(s->c->items, s->arena, &list));
    gather(s);
    return STATUS_OK;
}

/* What an item's block says, into the set's answers; maps stay in the block. */
static void read_block(const heatmap_work *w, size_t item, const int64_t *block, heatmap_answer_pair *answers, const float **maps)
{
    const heatmap_item at = heatmaps_item(w, item);
    for (size_t k = 0; k < at.n_masks * at.n_samples; k++) {
        const int64_t *word = block + k * HEATMAP_WORDS;
        const size_t mask = at.first_mask + k / at.n_samples, of_list = at.batch * w->micro_batch + k % at.n_samples;
        const size_t to = mask * at.list->samples->n + of_list;
        double real[HEATMAP_REALS];
        memcpy(real, word, sizeof real);
        answers[to] = (heatmap_answer_pair){.cosine = real[HEATMAP_COSINE],
                                            .map_cosine = real[HEATMAP_MAP_COSINE],
                                            .logit = real[HEATMAP_LOGIT],
                                            .confidence = real[HEATMAP_CONFIDENCE],
                                            .prediction = word[HEATMAP_PREDICTION],
                                            .gone = word[HEATMAP_GONE] != 0};
        if (maps != NULL) {
            maps[to] = (const float *)(block + at.n_masks * at.n_samples * HEATMAP_WORDS) + k * w->pixels;
        }
    }
}

/* Rank 0: the answers of a set. */
static status read_set(stage_ctx *c, const heatmap_work *w, size_t list, const int64_t *words, heatmap_set *out)
{
    const heatmap_list *l = &w->lists[list];
    heatmap_answer_pair *answers;
    const float **maps = NULL;
    TRY_ALLOC(answers, c->arena, l->n_masks * l->samples->n);
    if (w->pixels > 0) {
        TRY_ALLOC(maps, c->arena, l->n_masks * l->samples->n);
    }
    for (size_t i = l->first_item; i < l->first_item + l->n_batches * l->n_groups; i++) {
        read_block(w, i, words + w->offset[i], answers, maps);
    }
    out->answers = answers;
    out->maps = maps;
    return STATUS_OK;
}

/* Which of the sets and masks a cell's points are. */
static void spread(const stage_ctx *c, const heatmap_work *w, size_t first_set, size_t *set, size_t *mask)
{
    for (size_t k = 0; k < w->n_lists; k++) {
        for (size_t m = 0; m < w->lists[k].n_masks; m++) {
            const size_t first = w->lists[k].mask[m], end = masks_end(&w->masks, first);
            for (size_t u = first; u < end; u++) {
                const mask_use *to = &w->masks.use[u];
                set[to->cell] = first_set + k;
                mask[to->cell * c->study->config->n_rates + to->rate] = m;
            }
        }
    }
}

/* The index arrays that all models fill, writable. */
typedef struct output_index {
    heatmap_set *sets;
    size_t *set, *mask;
} output_index;

static status store_open(stage_ctx *c, arena *a, const heatmap_work *w, heatmapper *h, block_store *out)
{
    arena *where = w->pixels > 0 ? c->arena : a; /* maps stay where they are */
    *out = (block_store){.c = c, .w = w, .h = h, .arena = a};
    TRY_ALLOC(out->owner, a, w->n_items);
    TRY_ALLOC(out->block, a, w->n_items);
    if (c->comm->rank == 0) {
        TRY_ALLOC(out->words, where, w->offset[w->n_items]);
    }
    return STATUS_OK;
}

static status explain_model(stage_ctx *c, arena *a, arena *small, arena *images, size_t model, const output_index *index)
{
    heatmap_work w;
    heatmapper *h = NULL;
    block_store store = {0};
    status st = heatmaps_plan(a, c, model, &w);
    if (status_ok(st)) {
        st = heatmaps_open(c, a, small, images, &w, &h);
    }
    if (status_ok(st)) {
        st = store_open(c, a, &w, h, &store);
    }
    TRY(heatmaps_ready(c, a, st, h));
    TRY(run_items(&store));
    st = STATUS_OK;
    const size_t first_set = c->heatmaps.n_sets;
    for (size_t k = 0; k < w.n_lists; k++) {
        heatmap_set *set = &index->sets[c->heatmaps.n_sets++];
        *set = (heatmap_set){.model = model, .evaluation = w.lists[k].evaluation, .n_masks = w.lists[k].n_masks, .n_images = w.lists[k].samples->n};
        c->heatmaps.n_explained += set->n_masks;
        if (status_ok(st) && c->comm->rank == 0) {
            st = read_set(c, &w, k, store.words, set);
        }
    }
    c->heatmaps.n_wanted += w.masks.n;
    spread(c, &w, first_set, index->set, index->mask);
    return comm_agree(c->comm, st);
}

static status index_open(stage_ctx *c, output_index *out)
{
    const study *s = c->study;
    const size_t points = s->n_cells * s->config->n_rates;
    TRY_ALLOC(out->sets, c->arena, s->n_models * s->n_evaluations);
    TRY_ALLOC(out->set, c->arena, s->n_cells);
    TRY_ALLOC(out->mask, c->arena, points);
    for (size_t i = 0; i < points; i++) {
        out->set[i / s->config->n_rates] = out->mask[i] = NO_HEATMAPS;
    }
    return STATUS_OK;
}

static status run_all(stage_ctx *c, arena *a, arena *small, arena *images)
{
    output_index index = {0};
    TRY(comm_agree(c->comm, index_open(c, &index)));
    for (size_t m = 0; m < c->study->n_models; m++) {
        arena_release(a);
        arena_release(small);
        TRY(explain_model(c, a, small, images, m, &index));
    }
    c->heatmaps.sets = index.sets;
    c->heatmaps.set = index.set;
    c->heatmaps.mask = index.mask;
    return STATUS_OK;
}

/* Counted in points, as evaluate does: a mask that serves several ticks for all of them, so the total is known before the rankings are. */
static double work(const stage_ctx *c)
{
    const study *s = c->study;
    const config_heatmaps *h = &s->config->heatmaps;
    double images = 0.0, rates = 0.0;
    for (size_t r = 0; r < s->config->n_rates && h->images > 0; r++) {
        rates += h->rate[r];
    }
    for (size_t i = 0; i < s->n_cells && h->images > 0; i++) {
        const sample_list *samples = &s->evaluations[s->tasks[s->cells[i].task].evaluation].heatmaps;
        const size_t padded = study_batches(samples, s->config->micro_batch) * s->config->micro_batch;
        images += h->criterion[s->cells[i].criterion] ? rates * (double)padded : 0.0;
    }
    return images * stage_part(c);
}

static status run(stage_ctx *c)
{
    arena *a = NULL, *small = NULL, *images = NULL;
    if (c->study->config->heatmaps.images == 0) {
        return STATUS_OK;
    }
    status st = arena_open("heatmaps", &a);
    if (status_ok(st)) {
        st = arena_open("pruned network's walk", &small);
    }
    if (status_ok(st)) {
        st = arena_open("heatmaps images", &images);
    }
    st = comm_agree(c->comm, st);
    if (status_ok(st)) {
        st = run_all(c, a, small, images);
    }
    arena_close(&images);
    arena_close(&small);
    arena_close(&a);
    return st;
}

const stage_def stage_heatmaps = {
    .name = "heatmaps",
    .help = "explain evaluation images before and after pruning, and compare",
    .work = work,
    .run = run,
    .forecast = heatmaps_forecast,
    .trial = heatmaps_trial,
};
