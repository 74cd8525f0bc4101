#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-epsilon (docs/attribution.md, section c; Bach et al. 2015, eq. 58):  s = R_out / st(z),  R_in = x . (W' s).
 * The stabiliser keeps relevance finite where contributions cancel; what it absorbs is lost. */
enum { EPSILON, FIELDS };

static const field fields[FIELDS] = {[EPSILON] = RULE_EPSILON};

static rule_terms terms(const double p[])
{
    (void)p;
    return (rule_terms){
        .n_groups = 1,
        .group = {{.coef = 1.0,
                   .n_terms = 1,
                   .term = {{.input = INPUT_ALL, .weights = {.all = 1.0}, .bias = {.all = 1.0}}}}},
    };
}

const rule_def rule_epsilon = {
    .name = "epsilon",
    .help = "contributions divided by the stabilised output",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
