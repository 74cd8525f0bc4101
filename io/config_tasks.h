#ifndef IO_CONFIG_TASKS_H
#define IO_CONFIG_TASKS_H
/* The section `tasks`: class subsets that are drawn or stated, seeds, numbers of reference images. */
#include "io/config.h"
#include "io/config_read.h"

/* Fills in the fields of `c` from task_classes to references. Errors: ST_CONFIG, ST_ENVIRONMENT. */
MUST_CHECK status tasks_read(arena *a, const yaml_node *at, config *c);

/* Ascending sizes; where `at` is NULL, the setting's one default. */
MUST_CHECK status sizes_read(arena *a, const yaml_node *at, const setting *s, size_t *n, const size_t **out);
/* A count n, which stands for 0 .. n-1, or a list of different seeds; where `at` is NULL, the setting's default. */
MUST_CHECK status seeds_read(arena *a, const yaml_node *at, const setting *s, size_t *n, const uint64_t **out);

#endif
