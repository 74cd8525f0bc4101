#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-alpha-beta (docs/attribution.md, section c; Bach et al. 2015, eq. 60): positive and negative contributions are normalised each by its own
 * sum, and share the relevance alpha to -beta:
 *   D+ = x+ * W+ + x- * W- + b+     R_in =  alpha [ x+ . (W+' s+) + x- . (W-' s+) ],   s+ = R_out / st(D+)
 *   D- = x+ * W- + x- * W+ + b-            - beta [ x+ . (W-' s-) + x- . (W+' s-) ],   s- = R_out / st(D-)
 * Relevance is conserved where alpha - beta = 1, so beta is no parameter of its own: nothing can contradict, and a search has one axis, not
 * two with a constraint. With alpha = 1 the second group is left out, which is the z+ rule to the bit. */
enum { ALPHA, EPSILON, FIELDS };

static const field fields[FIELDS] = {
    [ALPHA] = {.name = "alpha",
               .kind = FIELD_REAL,
               .def = 2.0,
               .min = 1.0,
               .max = 100.0,
               .help = "share of the positive contributions; that of the negative ones is beta = alpha - 1"},
    [EPSILON] = RULE_EPSILON,
};

static rule_terms terms(const double p[])
{
    return (rule_terms){
        .n_groups = 2,
        .group = {{.coef = p[ALPHA],
                   .n_terms = 2,
                   .term = {{.input = INPUT_POSITIVE, .weights = {.positive = 1.0}, .bias = {.positive = 1.0}},
                            {.input = INPUT_NEGATIVE, .weights = {.negative = 1.0}}}},
                  {.coef = 1.0 - p[ALPHA],
                   .n_terms = 2,
                   .term = {{.input = INPUT_POSITIVE, .weights = {.negative = 1.0}, .bias = {.negative = 1.0}},
                            {.input = INPUT_NEGATIVE, .weights = {.positive = 1.0}}}}},
    };
}

const rule_def rule_alpha_beta = {
    .name = "alpha-beta",
    .help = "positive and negative contributions by alpha to -beta, alpha - beta = 1",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
