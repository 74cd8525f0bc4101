#ifndef IO_CONFIG_COMPOSITE_H
#define IO_CONFIG_COMPOSITE_H
/* The key `composite:` of a criterion: a preset's name, a section of a preset and its parameters, or a list of entries. */
#include "io/config.h"
#include "io/config_yaml.h"

/* Fills composite, preset and preset_parameters; `at` NULL is the default. Errors: ST_CONFIG with the place, ST_ENVIRONMENT. */
MUST_CHECK status composite_read(arena *a, const yaml_node *at, config_criterion *c);

/* As one line of YAML that reads as the same list again: "[{type: conv2d, rule: gamma, gamma: 0.25, epsilon: 1e-06}, {rule: epsilon,
 * epsilon: 1e-06}]". A stabiliser that is not stated (NAN) is left out. NULL when memory is gone. */
const char *composite_text(arena *a, const composite *c);
const char *composite_entry_text(arena *a, const composite_entry *e);

/* The value of the key in a resolved study: a preset with its parameters, or the list with an entry a line. NULL as above. */
const char *composite_stated_text(arena *a, const config_criterion *c);

/* The method with its parameters, "lrp composite=epsilon-plus epsilon=1e-06 ..."; a stated list is called `list`. NULL as above. */
const char *criterion_text(arena *a, const config_criterion *c);

#endif
