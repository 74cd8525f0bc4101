#ifndef IO_CONFIG_RATES_H
#define IO_CONFIG_RATES_H
/* Pruning rates in exact decimals: steps are integers, the text is made from them, and the double is what strtod makes of the text.
 * So the same rate written in two ways, or reached by another step, is the same text and the same bits. */
#include "io/config_read.h"

typedef struct rate_list {
    size_t n;
    const double *value;
    const char *const *text;
} rate_list;

/* `node` is the value of `rates`, NULL where it is absent. Errors: ST_CONFIG, ST_ENVIRONMENT. */
MUST_CHECK status rates_read(arena *a, const yaml_node *node, rate_list *out);
/* Some of the study's rates, as the list `at` says with values that ascend: *chosen [rates->n]; NULL: all. s: of the key. Errors as above. */
MUST_CHECK status rates_choose(arena *a, const yaml_node *at, const setting *s, const rate_list *rates, const bool **chosen);

#endif
