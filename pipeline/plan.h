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

/* Local (pipeline/plan_explained.c). Which images are explained, once the reference sets are drawn; and once models and criteria are known too, which
 * of them for each. */
MUST_CHECK status plan_explained(arena *a, study *s);
MUST_CHECK status plan_explanations(arena *a, study *s);
/* Local. The same sets for all models and criteria, needed [n_references], which is borrowed. */
MUST_CHECK status plan_explain_sets(arena *a, study *s, const uint8_t needed[]);

/* How many of a class's evaluation images a search judges by. */
size_t plan_tuning_count(const study *s, size_t class);

/* The classes of a stated subset: stated [subset->n] in the order of the study. A name of a class comes before a number. Errors: ST_CONFIG
 * with place and closest name (pipeline/plan_subsets.c). */
MUST_CHECK status plan_subset(arena *scratch, const dataset *d, const config_subset *subset, uint32_t stated[]);

/* Local, of `heatmaps:` (pipeline/plan_heatmaps.c): draws the images of every evaluation set; and, before anything is computed, whether the
 * composite is one for every network. Errors: ST_CONFIG. */
MUST_CHECK status plan_heatmaps(arena *a, arena *scratch, study *s);
MUST_CHECK status plan_heatmaps_check(arena *scratch, const study *s);

/* Local. The cells of a study whose config, samples and models are there, and what is explained for them. Errors: ST_CONFIG (a model that no criterion is for). */
MUST_CHECK status plan_cells(arena *a, study *s);

/* The draws of `sampling: torch` (pipeline/plan_torch.c): classes [t->n_classes] in the drawn order; sample [t->n_classes * per_class] of
 * which *n are used, class by class in the drawn or the stated order. */
MUST_CHECK status plan_torch_classes(arena *scratch, const dataset *d, const study_task *t, uint32_t classes[]);
MUST_CHECK status plan_torch_references(arena *scratch, const dataset *d, const study_task *t, size_t per_class, size_t *n, size_t sample[]);

#endif
