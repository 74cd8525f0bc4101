#ifndef STAGES_EVALUATE_PARTS_H
#define STAGES_EVALUATE_PARTS_H
/* What the evaluate stage and its forecast share. */
#include "stages/batch_source.h"
#include "stages/masks.h"
#include "stages/pruned.h"
#include "stages/stage.h"

/* One model on this rank. */
typedef struct evaluator {
    size_t model;
    pruned pruned;
    size_t n_run, most_run; /* micro-batches that are in memory, and that have room there */
    batch *run;             /* [most_run] */
    uint32_t *unpruned;     /* [most_run, micro_batch] what the whole network takes the images of the run for */
    float *logits;          /* [micro_batch, classes of the model] of an evaluation set's classes */
    batch_source *images;   /* of the set that is evaluated */
    arena *scratch;         /* of one image */
    mask_list masks;
} evaluator;

/* `small`: of a pruned network. */
MUST_CHECK status evaluator_open(const stage_ctx *c, arena *a, arena *small, arena *scratch, size_t model, evaluator *out);
/* Micro-batches that a rank keeps in memory at once: enough that cutting out networks does not count, and no more than the sets have. */
size_t evaluate_most_run(const study *s, size_t model, int ranks);
/* The run in memory through one mask, which serves so many points of curves; counter [counters_size()] is added to. */
MUST_CHECK status evaluate_run(stage_ctx *c, evaluator *e, const study_evaluation *set, const mask_use *mask, size_t served, int64_t counter[]);

status evaluate_forecast(stage_ctx *c, arena *scratch, stage_forecast *out);
status evaluate_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds);

#endif
