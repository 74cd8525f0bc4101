#include "attribution/rule.h"

/* LRP-epsilon (docs/attribution.md, section c; Bach et al. 2015, eq. 58):  s = R_out / st(z),  R_in = x . (W' s).
 * The stabiliser keeps relevance finite where contributions cancel; what it absorbs is lost. */
static const rule_term terms[] = {
    {.input = PART_ALL, .weights = PART_ALL, .bias = PART_ALL},
};
static const rule_group groups[] = {{.coef = 1.0, .terms = terms, .n_terms = COUNT(terms)}};
static const field fields[] = {
    {.name = "epsilon", .kind = FIELD_REAL, .def = 1e-6, .min = 0.0, .max = 1.0, .scale = SCALE_LOG,
     .help = "stabiliser of the denominator"},
};
const rule_def rule_epsilon = {
    .name = "epsilon",
    .help = "contributions divided by the stabilised output",
    .fields = fields,
    .n_fields = COUNT(fields),
    .groups = groups,
    .n_groups = COUNT(groups),
    .epsilon_field = 0,
};
