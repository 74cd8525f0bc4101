#ifndef IO_CONFIG_SEARCH_H
#define IO_CONFIG_SEARCH_H
/* The section `search:` of a study. */
#include "io/config.h"
#include "io/config_yaml.h"

/* Fills out->search; `at` NULL leaves it off. Criteria and tasks of *out are there. Errors: ST_CONFIG with the place, ST_ENVIRONMENT. */
MUST_CHECK status search_read(arena *a, const yaml_node *at, config *out);

extern const char *const search_objective_names[CONFIG_OBJECTIVES + 1]; /* as studies and results call them; NULL at the end */
const preset_def *search_preset(void); /* four-groups: its first SEARCH_GROUPS fields are the rules of low, mid, high, fc */

#endif
