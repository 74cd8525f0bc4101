#ifndef PIPELINE_SEARCH_SETTINGS_H
#define PIPELINE_SEARCH_SETTINGS_H
/* Settings of a search: points of its space as criteria of a study. */
#include "io/config.h"
#include "search/space.h"
#include "stages/study.h"

/* What is searched of one model. Dimensions: the rules of low, mid, high and fc, `absolute`, for transformers `softmax`; with `continuous` the
 * gamma, alpha and epsilon of each group, where its rule has one. */
typedef struct settings_space {
    const config_search *options;
    space space;
    bool softmax;
    const char *const *choices; /* [space.n] "epsilon,z-plus": what the numbers of a choice stand for; "" for a value */
} settings_space;

MUST_CHECK status settings_open(arena *a, const config_search *o, const study_model *m, settings_space *out);

/* The dimensions of the rules in the order in which a walk from the output down meets them: settings that agree in the first of them share the most of it.
 * Returns how many there are. */
size_t settings_walked(const settings_space *s, size_t dimension[SEARCH_GROUPS + 1]);

/* The criterion of a point: method lrp, no audit. name, models: borrowed. */
MUST_CHECK status settings_criterion(arena *a, const settings_space *s, const double point[], const char *name, config_criterion *out);

/* As a study would state it, on one line: {name: ..., method: lrp, composite: [...], ...}. */
MUST_CHECK status settings_text(arena *a, const config_criterion *c, const char **out);
/* What its scores follow from: criteria with equal texts share an explanation (config.scoring). In a tree whatever `absolute` they have, since its
 * sums are always of |R| of tokens and of R; those of a criterion by itself are what its own `absolute` takes. */
MUST_CHECK status settings_scoring(arena *a, const config_criterion *c, const char **out);
MUST_CHECK status settings_scoring_in_tree(arena *a, const config_criterion *c, const char **out);

#endif
