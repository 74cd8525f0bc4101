#ifndef IO_CONFIG_SET_H
#define IO_CONFIG_SET_H
/* Overrides of the command line, put into the tree before it is checked: "tasks.seeds=2", "models[0].name=x", "tasks.classes=[3]". */
#include "io/config_yaml.h"

/* Puts the value, itself YAML, where the path points. Keys that are not there yet are made, list elements are not. `set` is borrowed.
 * Errors: ST_CONFIG, ST_ENVIRONMENT. */
MUST_CHECK status config_set(arena *a, yaml_node *root, const char *set);

#endif
