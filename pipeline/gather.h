#ifndef PIPELINE_GATHER_H
#define PIPELINE_GATHER_H
/* From the outputs of the stages to the contents of the result file. Local; the same on every rank, but only rank 0 needs it. */
#include "io/results.h"
#include "pipeline/plan.h"
#include "stages/stage.h"

extern const double gather_kept_accuracy; /* 0.95: share of the unpruned accuracy that "still works" means */

/* Fills everything but /provenance; *out points into `a`, the study and the stage outputs. */
MUST_CHECK status gather_results(arena *a, const study *s, const stage_ctx *c, results *out);
/* [n_criteria] names, and methods with their parameters: "lrp composite=epsilon epsilon=1e-06 ...". */
MUST_CHECK status gather_criteria(arena *a, const config *cfg, const char ***names, const char ***methods);
size_t gather_bytes(const study *s); /* what it takes, without the names and inputs of /provenance */

/* Local: one cell's curve. */
MUST_CHECK status gather_cell(arena *a, const study *s, const stage_ctx *c, size_t index, result_cell *out);

#endif
