#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-flat (docs/attribution.md, section c; Lapuschkin et al. 2019): every input that an output sees gets the same share, whatever
 * its value:  R_in = 1' (R_out / st(1 * 1)), where 1 * 1 counts the inputs that are there. No bias, no factor x. For the first layer. */
enum { EPSILON, FIELDS };

static const field fields[FIELDS] = {[EPSILON] = RULE_EPSILON};

static rule_terms terms(const double p[])
{
    (void)p;
    return (rule_terms){
        .n_groups = 1,
        .group = {{.coef = 1.0, .n_terms = 1, .term = {{.input = INPUT_ONE, .weights = {.one = 1.0}, .flat = true}}}},
    };
}

const rule_def rule_flat = {
    .name = "flat",
    .help = "equal shares for all inputs that an output sees",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
