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

/* Does the method try every setting? */
static inline bool search_is_whole(const config_search *o)
{
    return o->method == SEARCH_EVERYTHING || o->method == SEARCH_BY_HALVING;
}

/* How many searches a model has, and what each is of: an exhaustive one of all kinds, which share the explanations of the same settings, else one of each
 * kind. */
static inline size_t search_targets(const study *s, size_t model)
{
    return s->config->search.method == SEARCH_EVERYTHING ? 1 : s->models[model].n_kinds;
}
static inline size_t search_target_kind(const study *s, size_t target)
{
    return s->config->search.method == SEARCH_EVERYTHING ? ALL_KINDS : target;
}

/* Local. How many settings are tried. Errors: ST_CONFIG (more than an exhaustive search takes). */
MUST_CHECK status search_study_trials(const search_study *s, size_t *out);
/* Local. The settings points [n, space.n] become the criteria. `a`: of the round. */
MUST_CHECK status search_study_settings(arena *a, search_study *s, size_t n, const double points[]);


/* A rung of a race: the first of the whole study's seeds, some of its rates, and of its images the first `parts.end[n - 1]` of `of` shares of each class,
 * as parts that begin where the one before ends. */
typedef struct search_rung {
    size_t n_seeds, n_rates;
    const double *rates;  /* [n_rates] ascending, with 0 */
    size_t of, n_parts;
    const size_t *end;    /* [n_parts] ascending */
} search_rung;

/* Local. The study of a rung, without settings; its evaluation sets are of all its images. part [n_parts]: those of each part, in the same order, with
 * numbers that are the same on every rung. `a`: of the rung. Errors: ST_CONFIG. */
MUST_CHECK status search_study_rung(arena *a, arena *scratch, const search_study *whole, const search_rung *r, search_study *out,
                                    const study_evaluation *part[]);

#endif
