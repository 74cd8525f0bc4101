#ifndef IO_CONFIG_HEATMAPS_H
#define IO_CONFIG_HEATMAPS_H
/* The section `heatmaps:` of a study. */
#include "io/config.h"
#include "io/config_yaml.h"

/* Fills out->heatmaps; `at` NULL leaves it empty. Criteria and rates of *out are there. *written: the value of the key `composite` in a
 * resolved study (composite_stated_text). Errors: ST_CONFIG with the place, ST_ENVIRONMENT. */
MUST_CHECK status heatmaps_read(arena *a, const yaml_node *at, config *out, const char **written);

/* The value of HEATMAPS_EPSILON or HEATMAPS_SOFTMAX. */
double heatmaps_parameter(const config_heatmaps *h, size_t key);

#endif
