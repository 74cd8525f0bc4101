#ifndef PIPELINE_SEARCH_STUDY_H
#define PIPELINE_SEARCH_STUDY_H
/* The studies of a search: one model's settings as criteria, on the search's own part of the images and its own seeds. */
#include "pipeline/plan.h"
#include "pipeline/search_settings.h"

/* Tasks and samples are drawn once for all rounds. */
typedef struct search_study {
    config config;       /* of the round at hand; its criteria are the settings */
    study study;
    study_model model;
    settings_space space;
} search_study;

/* Local. kind: index into the model's kinds; ALL_KINDS: all of them. Errors: ST_CONFIG. */
#define ALL_KINDS ((size_t)-1)
MUST_CHECK status search_study_open(arena *a, arena *scratch, const study *s, size_t model, size_t kind, search_study *out);
/* Local. How many settings are tried. Errors: ST_CONFIG (more than an exhaustive search takes). */
MUST_CHECK status search_study_trials(const search_study *s, size_t *out);
/* Local. The settings points [n, space.n] become the criteria. `a`: of the round. */
MUST_CHECK status search_study_settings(arena *a, search_study *s, size_t n, const double points[]);

#endif
