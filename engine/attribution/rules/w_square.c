#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-w^2 (docs/attribution.md, section c; Montavon et al. 2017, eq. 8): shares by the squared weights, whatever the input's value:
 *   D = 1 * W^2 + b^2,   R_in = (W^2)' (R_out / st(D)).
 * The squared bias takes its share; no factor x. For the first layer. */
enum { EPSILON, FIELDS };

static const field fields[FIELDS] = {[EPSILON] = RULE_EPSILON};

static rule_terms terms(const double p[])
{
    (void)p;
    const rule_map square = {.square = 1.0};
    return (rule_terms){
        .n_groups = 1,
        .group = {{.coef = 1.0,
                   .n_terms = 1,
                   .term = {{.input = INPUT_ONE, .weights = square, .bias = square, .flat = true}}}},
    };
}

const rule_def rule_w_square = {
    .name = "w-square",
    .help = "shares by the squared weights",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
