#ifndef STAGES_ATTRIBUTE_PARTS_H
#define STAGES_ATTRIBUTE_PARTS_H
/* What the attribute stage and its forecast share. */
#include "pruning/lrp_tree.h"
#include "stages/batch_source.h"
#include "stages/rows.h"
#include "stages/stage.h"

/* One (model, criterion) on this rank, or in a search all of a model's. An item is one of its micro-batches, a payload the marks of its images and
 * its rows. */
typedef struct explainer {
    stage_ctx *stage;
    size_t model_index, criterion;
    const study_model *model;
    const criterion_def *method;
    void *state;
    size_t n_members;      /* criteria that a tree explains together */
    const size_t *member;  /* [n_members] */
    lrp_tree *tree;        /* of a search; NULL: one criterion by itself */
    uint8_t digest[16];    /* of what the members' scores follow from */
    size_t n_values; /* the length of a row */
    size_t passes;   /* of a micro-batch through the network */
    exact_sum *sums; /* [n_references, n_values] */
    size_t *target;  /* [micro_batch] */
    uint64_t *sample; /* [micro_batch] index in the data set */
    row_keeper rows_kept; /* with `rows: keep` */
    batch batch;
    batch_source *images;
    arena *scratch;       /* of one image */
    weight_list weights;  /* that the ranks of a node share */
} explainer;

/* Local. Explains nothing before explainer_ready(); to be closed whether it is open or not: batch_source_close(&e->images). n criteria: one, or the
 * settings of a search. */
MUST_CHECK status explainer_open(stage_ctx *c, arena *a, arena *scratch, size_t model, size_t n, const size_t criterion_of[], explainer *e);
/* Collective. */
MUST_CHECK status explainer_ready(const stage_ctx *c, arena *a, status opened, explainer *e);
/* Local. Micro-batch `index` is wanted; context: the explainer. */
void explainer_expect(void *context, size_t index);
/* Local. The next micro-batch that is wanted: rows [micro_batch, n_values]. */
MUST_CHECK status explain_batch(explainer *e, float *rows);
size_t attribute_tree_passes(size_t n); /* of every micro-batch for n settings of a search, about */
size_t attribute_rows_at(const study *s); /* where in a payload the rows begin, in bytes */
size_t attribute_passes(const study *s, size_t model, size_t criterion); /* of every micro-batch through the network */

status attribute_forecast(stage_ctx *c, arena *scratch, stage_forecast *out);
status attribute_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds);

#endif
