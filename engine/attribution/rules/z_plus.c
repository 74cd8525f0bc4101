#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-z+ (docs/attribution.md, section c; Montavon et al. 2017, eq. 10, for inputs of any sign):
 *   D = x+ * W+ + x- * W- + b+,   s = R_out / st(D),   R_in = x+ . (W+' s) + x- . (W-' s).
 * Only contributions that raise the output are followed, so relevance keeps its sign and cannot explode. */
enum { EPSILON, FIELDS };

static const field fields[FIELDS] = {[EPSILON] = RULE_EPSILON};

static rule_terms terms(const double p[])
{
    (void)p;
    return (rule_terms){
        .n_groups = 1,
        .group = {{.coef = 1.0,
                   .n_terms = 2,
                   .term = {{.input = INPUT_POSITIVE, .weights = {.positive = 1.0}, .bias = {.positive = 1.0}},
                            {.input = INPUT_NEGATIVE, .weights = {.negative = 1.0}}}}},
    };
}

const rule_def rule_z_plus = {
    .name = "z-plus",
    .help = "positive contributions only",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
