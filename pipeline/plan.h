#ifndef PIPELINE_PLAN_H
#define PIPELINE_PLAN_H
/* From a config to a resolved study. The result is the same on every rank and does not depend on their number. */
#include "pipeline/model.h"

typedef struct plan {
    study study;
    const model_inputs *inputs; /* [n_models] */
    char config_sha256[65];
    size_t config_bytes;
} plan;

/* Collective. Reads the config on rank 0, the data set listings, and the networks. Errors: those of every reader; ST_CONFIG where the config
 * asks for more than the data has. */
MUST_CHECK status plan_build(comm *c, arena *a, const char *config_path, size_t n_sets, const char *const sets[], plan *out);

/* Local. Draws the tasks, the evaluation sets and the reference sets (pipeline/plan_samples.c). */
MUST_CHECK status plan_samples(arena *a, arena *scratch, study *s);

#endif
