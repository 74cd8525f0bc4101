#ifndef STAGES_HEATMAPS_H
#define STAGES_HEATMAPS_H
/* What the heatmaps stage and its forecast share: the work of one model, cut into items.
 *
 * An item is a micro-batch of an evaluation set's images and some of the distinct masks of that set. It can be computed by itself, on any
 * rank and in any order, and gives a block of words that has a place of its own among those of all items: nothing is added up. Which items there are
 * follows from the study alone. */
#include "attribution/walk.h"
#include "stages/batch.h"
#include "stages/masks.h"
#include "stages/stage.h"

/* Masks of an item: the unpruned network, to which they are compared, is explained once for all of them. */
enum { HEATMAP_MASKS = 8 };

/* An item's block: for each of its masks and images so many words, the first HEATMAP_REALS of them doubles; then, where maps are kept, their
 * float32, in the same order. */
enum { HEATMAP_COSINE, HEATMAP_MAP_COSINE, HEATMAP_LOGIT, HEATMAP_CONFIDENCE, HEATMAP_REALS };
enum { HEATMAP_PREDICTION = HEATMAP_REALS, HEATMAP_GONE, HEATMAP_WORDS };

/* An evaluation set and the masks that are wanted on it. */
typedef struct heatmap_list {
    size_t evaluation;
    const sample_list *samples;
    size_t n_batches, n_masks, n_groups; /* groups of HEATMAP_MASKS masks */
    const size_t *mask;                  /* [n_masks] the first use of each in heatmap_work.masks */
    size_t first_item;                   /* items are by set, then by micro-batch, then by group */
} heatmap_list;

typedef struct heatmap_work {
    size_t model, micro_batch, pixels; /* pixels: of a map that is kept; 0: none is */
    mask_list masks;                   /* only of the cells and rates that are wanted */
    size_t n_lists, n_items;
    const heatmap_list *lists;
    const size_t *offset; /* [n_items + 1] where an item's block begins among all, in words */
} heatmap_work;

/* The same on every rank; also where rankings are not known yet (masks_collect). */
MUST_CHECK status heatmaps_plan(arena *a, const stage_ctx *c, size_t model, heatmap_work *out);

/* One item, unfolded. */
typedef struct heatmap_item {
    const heatmap_list *list;
    size_t batch, n_samples;       /* of the micro-batch, and how many count */
    size_t first_mask, n_masks;    /* in list->mask */
} heatmap_item;
heatmap_item heatmaps_item(const heatmap_work *w, size_t item);

/* This rank's networks and the micro-batch at hand. */
typedef struct heatmapper heatmapper;

/* Local, then heatmaps_ready(), which is collective and takes heatmaps_open()'s verdict. `small` is of one pruned network at a time, `images` of an
 * image file. */
MUST_CHECK status heatmaps_open(stage_ctx *c, arena *a, arena *small, arena *images, const heatmap_work *w, heatmapper **out);
MUST_CHECK status heatmaps_ready(stage_ctx *c, arena *a, status opened, heatmapper *h);
/* Local. Computes an item: block [offset[item + 1] - offset[item]]. Errors: those of batch_read(); ST_DATA where the unpruned network's
 * logits or relevance are not finite. */
MUST_CHECK status heatmaps_compute(heatmapper *h, size_t item, int64_t *block);
/* Puts an item's block where it belongs: all [offset[n_items]]. */
void heatmaps_place(const heatmap_work *w, size_t item, const int64_t *block, int64_t *all);

/* For trials: a micro-batch through a mask; how long it takes to build the network that is left, and to explain the images by it. */
MUST_CHECK status heatmaps_try(heatmapper *h, const heatmap_list *list, size_t index, const uint8_t alive[], double *build, double *run);

size_t heatmaps_bytes(const stage_ctx *c, size_t model);                     /* of a heatmapper, networks aside */
size_t heatmaps_store_bytes(const stage_ctx *c, const heatmap_work *w);      /* of the blocks on a rank, but for those that last */

status heatmaps_forecast(stage_ctx *c, arena *scratch, stage_forecast *out);
status heatmaps_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds);

#endif
