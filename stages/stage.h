#ifndef STAGES_STAGE_H
#define STAGES_STAGE_H
/* The stage family: one file each in stages/, listed in stages.def in the order in which they run. A stage is a collective function of the
 * study and earlier stages' outputs to one output; it knows no config file, no environment and no result file. */
#include "core/exact_sum.h"
#include "core/log.h"
#include "parallel/comm.h"
#include "pruning/curve.h"
#include "stages/batch.h"
#include "stages/forecast.h"
#include "stages/items.h"
#include "stages/mask_cache.h"
#include "stages/study.h"

/* Exact sums of rows (pruning/criterion.h) over the reference samples, rounded once. One per (model, criterion, reference); NULL for criteria
 * without samples, and where no cell needs them (study_needs()). Index: attribute_index(), the same for criteria of the same scores. */
typedef struct attribute_output {
    const double *const *sums;
    const float *const *rows; /* [models, criteria] with `rows: keep`, on rank 0: stages/rows.h; NULL for criteria without samples */
} attribute_output;
bool attribute_explains(const study *s, size_t model, size_t criterion); /* are images explained for it? Else it has none, or another's scores */
size_t attribute_index(const study *s, size_t model, size_t criterion, size_t reference);

/* Per cell, over the components of its kind. */
typedef struct prune_output {
    const double *const *score;       /* [n_cells][n] */
    const uint32_t *const *order;     /* [n_cells][n] what is removed first comes first; indices within the kind */
    const uint16_t *const *removed_at; /* [n_cells][n] index of the first rate without it; n_rates = never */
    const size_t *const *removed;     /* [n_cells][n_rates] how many of `order` are gone; also where `order` is not known yet */
    const size_t *n_components;       /* [n_cells] */
} prune_output;

/* Per cell and rate; counts of right answers by either prediction. */
typedef struct evaluate_point {
    uint64_t correct[CURVE_PREDICTIONS], top5[CURVE_PREDICTIONS];
    const uint64_t *class_correct[CURVE_PREDICTIONS]; /* [n_classes of the cell's task] */
    uint64_t agree; /* images that are taken for the same class as by the unpruned network, right or wrong */
    double loss_sum;
    double seconds_per_image; /* of the compacted network, building aside; padding counts as images */
    uint64_t parameters_left, macs_left, removed, layers_emptied;
} evaluate_point;
typedef struct evaluate_output {
    const evaluate_point *points; /* [n_cells, n_rates] */
    size_t n_masks, n_evaluated;  /* cells x rates, and how many distinct ones were run */
    uint64_t n_images;            /* through the networks of these, the unpruned one among them; padding aside */
} evaluate_output;

size_t evaluate_runs(const study *s, size_t model, size_t evaluation); /* runs of micro-batches, each an item with each pruned network */

struct spectrum_pair; /* stages/spectrum.h */
typedef struct spectrum_output {
    const struct spectrum_pair *pairs; /* [models, criteria]; NULL without `spectrum: true` */
} spectrum_output;

/* An image explained by a network and by what pruning left of it. */
typedef struct heatmap_answer_pair {
    double cosine, map_cosine; /* of the relevances of the input, and of their sums over the channels: attribution/heatmap.h */
    double logit, confidence;  /* of the image's class after pruning; confidence over the classes of the task */
    int64_t prediction;        /* class number after pruning; -1 where a logit is not a number */
    uint8_t gone;              /* nothing of the explanation is left: all relevance is 0 */
} heatmap_answer_pair;

/* All of one model and evaluation set. */
typedef struct heatmap_set {
    size_t model, evaluation, n_masks, n_images;
    const heatmap_answer_pair *answers; /* [n_masks, n_images]; mask 0 removes nothing. On rank 0, NULL elsewhere */
    const float *const *maps; /* [n_masks, n_images] of [height, width] relevance, with `keep`; else NULL */
} heatmap_set;

typedef struct heatmaps_output {
    size_t n_sets; /* 0 without `heatmaps:` */
    const heatmap_set *sets;
    const size_t *set;  /* [n_cells] index into sets; NO_HEATMAPS: not asked for */
    const size_t *mask; /* [n_cells, n_rates] which of the set's masks; NO_HEATMAPS: a rate that is not asked for */
    size_t n_wanted, n_explained; /* points, and distinct networks that were explained */
} heatmaps_output;
#define NO_HEATMAPS ((size_t)-1)

typedef struct stage_ctx {
    comm *comm;
    const study *study;
    arena *arena;                 /* outputs live here */
    /* Local. Tells how much of the work of this rank is done, in images through a network; may redraw a progress line. */
    void (*tick)(void *progress, double images);
    void *progress;
    file_mark *reference_mark, *evaluation_mark; /* [n_samples] of the files this rank has read, zeros else */
    item_service *items;          /* of all stages that deal out work; who only forecasts needs none */
    mask_cache *cache;            /* of masks that an earlier round of a search has evaluated; NULL: there is none */
    double image_seconds;         /* of this rank: waiting for images */
    struct work_notes *noted; /* of trials: the lists of items that run() will have (stages/work_list.h); NULL: nobody wants them */
    const arena *watched; /* memory of a trial besides what it was given, for who measures; NULL: none */
    attribute_output attribute;
    prune_output prune;
    evaluate_output evaluate;
    spectrum_output spectrum;
    heatmaps_output heatmaps;
} stage_ctx;

double stage_part(const stage_ctx *c); /* of a stage's images, those that a rank has on the average: of a job of an array, of its share */

typedef struct stage_def {
    const char *name, *help;
    /* Images that this rank will send through a network at most, and in a job of an array its share of them: the work that tick() counts down, and
     * skip() of the items takes back. Local. */
    double (*work)(const stage_ctx *c);
    status (*run)(stage_ctx *c); /* Collective: all ranks leave with OK or none does. */
    bool at_the_end;             /* not run by a job of an array: it deals out no items, and works on what all jobs have computed */

    /* What run() will do. Called in the order of stages, because one stage's work depends on another's output: prune leaves those
     * rankings that need no images, and NULL for the others. Local; `scratch` is reset. */
    status (*forecast)(stage_ctx *c, arena *scratch, stage_forecast *out);
    /* After all forecasts: does a little of the work, for about `budget` seconds or the shortest piece that there is. *seconds: what run() will
     * take on a rank like this one, of c->comm->size. Collective; `a` and `images` are reset. */
    status (*trial)(stage_ctx *c, arena *a, arena *images, double budget, double *seconds);
} stage_def;

extern const stage_def *const stage_table[];
extern const size_t stage_count;
const stage_def *stage_find(const char *name); /* NULL if unknown */

#endif
