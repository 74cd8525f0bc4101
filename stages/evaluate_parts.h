#ifndef STAGES_EVALUATE_PARTS_H
#define STAGES_EVALUATE_PARTS_H
/* What the evaluate stage and its forecast share.
 *
 * The micro-batches of an evaluation set are taken in runs: what a run reads serves all masks, and the network that is cut out for a mask serves
 * all of a run. Runs depend on the study alone. */
#include "stages/batch_source.h"
#include "stages/item_keys.h"
#include "stages/marks.h"
#include "stages/masks.h"
#include "stages/pruned.h"
#include "stages/stage.h"

/* One distinct mask on one evaluation set. */
typedef struct mask_point {
    size_t first, end;   /* its uses in mask_list */
    size_t counters;     /* where its counters begin */
    uint8_t digest[16];  /* of which components are alive */
    bool unpruned;
    bool known;          /* its counters come from an earlier round of a search */
} mask_point;

/* An evaluation set with all of its masks, and how its items are numbered. */
typedef struct set_plan {
    const study_evaluation *set;
    size_t evaluation;     /* which of the study's */
    size_t n_batches, n_runs;
    size_t n_points, n_new; /* n_new: pruned networks that are to be evaluated */
    mask_point *points;    /* [n_points], the unpruned one first, those that are known last */
    size_t first_run;      /* number of its first run among those of all sets */
    size_t first_whole;    /* number of its first item with the unpruned network: an item is a micro-batch; it has none where that network is known */
    size_t first_pruned;   /* ... with the others: by run, then by mask */
    size_t predictions;    /* where those of its first sample are */
} set_plan;

/* One model on this rank. */
typedef struct evaluator {
    stage_ctx *stage;
    size_t model;
    mask_list masks;
    size_t n_sets;
    set_plan *sets;        /* [n_sets] */
    size_t n_runs;         /* of all sets */
    size_t n_whole, n_pruned; /* items */
    size_t n_counters;
    int64_t *counters;     /* [n_counters] of all points */
    size_t n_predictions;
    uint32_t *unpruned;    /* [n_predictions] what the whole network takes each sample of each set for, padding included */
    pruned pruned;
    size_t most_run;       /* micro-batches that have room in memory */
    batch *run;            /* [most_run] */
    size_t loaded, asked;  /* which run is there, or on its way, and which was asked for last; NO_RUN: none */
    size_t n_loaded;       /* of its micro-batches, from the first */
    float *logits;         /* [micro_batch, classes of the model] of an evaluation set's classes */
    batch_source *images;
    arena *scratch;        /* of one image */
} evaluator;
#define NO_RUN ((size_t)-1)

enum { EVALUATE_STRETCH = 16 }; /* masks of a run that one rank computes together: reading the run costs little beside them */

/* The numbering alone: no counters, no networks. */
MUST_CHECK status evaluator_plan(const stage_ctx *c, arena *a, size_t model, evaluator *out);
/* The rest of what evaluator_plan() has made in `a`. `small`: of a pruned network. */
MUST_CHECK status evaluator_open(stage_ctx *c, arena *a, arena *small, arena *scratch, evaluator *e);
size_t evaluate_most_run(const study *s, size_t model); /* micro-batches of the longest run */
void set_run(const set_plan *p, size_t run, size_t *first, size_t *end); /* its micro-batches */

/* A micro-batch through the network at hand; counter [counters_size()] is added to. unpruned [micro_batch]: what the whole network says; it is
 * written where `whole`. */
MUST_CHECK status evaluate_batch(evaluator *e, const set_plan *p, const batch *b, bool whole, uint32_t *unpruned, int64_t counter[]);

/* The two lists of items: the unpruned network, whose predictions the others are compared with; then all others. */
MUST_CHECK status evaluate_whole(evaluator *e, arena *a);
MUST_CHECK status evaluate_pruned(evaluator *e, arena *a);
size_t evaluate_whole_payload(const evaluator *e, const set_plan *p); /* bytes of an item's payload */
/* On rank 0, once per journal: which items make which points of curves. */
MUST_CHECK status evaluate_note_curves(const evaluator *e, arena *a);

status evaluate_forecast(stage_ctx *c, arena *scratch, stage_forecast *out);
status evaluate_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds);

#endif
