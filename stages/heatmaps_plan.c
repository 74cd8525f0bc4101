/* Which images are explained through which masks, as items. */
#include <string.h>

#include "stages/heatmaps.h"

static size_t block_words(const heatmap_work *w, const heatmap_item *i)
{
    const size_t n = i->n_masks * i->n_samples;
    return n * HEATMAP_WORDS + (n * w->pixels * sizeof(float) + sizeof(int64_t) - 1) / sizeof(int64_t);
}

/* Only what the study asks for; the order, by set and then by mask, stays. */
static void keep_wanted(const study *s, mask_list *l)
{
    const config_heatmaps *h = &s->config->heatmaps;
    size_t n = 0;
    for (size_t u = 0; u < l->n; u++) {
        if (h->rate[l->use[u].rate] && h->criterion[s->cells[l->use[u].cell].criterion]) {
            l->use[n++] = l->use[u];
        }
    }
    l->n = n;
}

/* The mask that removes nothing, which every set has, comes first. */
static status list_masks(arena *a, const mask_list *masks, size_t first, size_t end, heatmap_list *out)
{
    size_t *mask, n = 1;
    out->n_masks = masks_distinct(masks, first, end);
    TRY_ALLOC(mask, a, out->n_masks);
    for (size_t u = first; u < end; u = masks_end(masks, u)) {
        mask[masks->use[u].rate == 0 ? 0 : n++] = u;
    }
    out->mask = mask;
    return STATUS_OK;
}

static status list_sets(arena *a, const study *s, heatmap_work *w)
{
    heatmap_list *lists;
    TRY_ALLOC(lists, a, s->n_evaluations);
    for (size_t first = 0, end; first < w->masks.n; first = end) {
        heatmap_list *l = &lists[w->n_lists++];
        end = masks_set_end(&w->masks, first);
        *l = (heatmap_list){.evaluation = w->masks.use[first].evaluation, .first_item = w->n_items};
        l->samples = &s->evaluations[l->evaluation].heatmaps;
        l->n_batches = study_batches(l->samples, w->micro_batch);
        TRY(list_masks(a, &w->masks, first, end, l));
        l->n_groups = (l->n_masks + HEATMAP_MASKS - 1) / HEATMAP_MASKS;
        w->n_items += l->n_batches * l->n_groups;
    }
    w->lists = lists;
    return STATUS_OK;
}

status heatmaps_plan(arena *a, const stage_ctx *c, size_t model, heatmap_work *out)
{
    const study *s = c->study;
    const shape input = s->models[model].logits_graph->input;
    size_t *offset;
    *out = (heatmap_work){.model = model,
                          .micro_batch = s->config->micro_batch,
                          .pixels = s->config->heatmaps.keep ? input.dim[1] * input.dim[2] : 0};
    TRY(masks_collect(a, s, model, c->prune.removed_at, c->prune.removed, &out->masks));
    keep_wanted(s, &out->masks);
    TRY(list_sets(a, s, out));
    TRY_ALLOC(offset, a, out->n_items + 1);
    for (size_t i = 0; i < out->n_items; i++) {
        const heatmap_item item = heatmaps_item(out, i);
        offset[i + 1] = offset[i] + block_words(out, &item);
    }
    out->offset = offset;
    return STATUS_OK;
}

heatmap_item heatmaps_item(const heatmap_work *w, size_t item)
{
    size_t k = w->n_lists - 1;
    while (w->lists[k].first_item > item) {
        k--;
    }
    const heatmap_list *l = &w->lists[k];
    const size_t index = (item - l->first_item) / l->n_groups, group = (item - l->first_item) % l->n_groups;
    const size_t left = l->samples->n - index * w->micro_batch, masks = l->n_masks - group * HEATMAP_MASKS;
    return (heatmap_item){.list = l,
                          .batch = index,
                          .n_samples = left < w->micro_batch ? left : w->micro_batch,
                          .first_mask = group * HEATMAP_MASKS,
                          .n_masks = masks < HEATMAP_MASKS ? masks : HEATMAP_MASKS};
}

void heatmaps_place(const heatmap_work *w, size_t item, const int64_t *block, int64_t *all)
{
    memcpy(all + w->offset[item], block, (w->offset[item + 1] - w->offset[item]) * sizeof *all);
}
