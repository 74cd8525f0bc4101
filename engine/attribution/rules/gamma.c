#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-gamma, generalised to inputs and outputs of any sign (docs/attribution.md, section c; Andeol et al. 2021, after Montavon et al. 2019,
 * section 10.2.3): contributions of the output's own sign count (1 + gamma) times. With G1 = W + gamma W+, G2 = W + gamma W-, g1, g2 alike of b:
 *   z > 0:  D = x+ * G1 + x- * G2 + g1     R_in = x+ . (G1' s) + x- . (G2' s)
 *   z < 0:  D = x+ * G2 + x- * G1 + g2     R_in = x+ . (G2' s) + x- . (G1' s),      s = R_out / st(D)
 * Where z is exactly 0 relevance is dropped. gamma = 0 is the epsilon rule, a large gamma tends to z+ where z > 0. */
enum { GAMMA, EPSILON, FIELDS };

static const field fields[FIELDS] = {
    [GAMMA] = {.name = "gamma",
               .kind = FIELD_REAL,
               .def = 0.25,
               .min = 0.0,
               .max = 1e6,
               .scale = SCALE_LOG,
               .help = "extra weight of the contributions that have the sign of the output"},
    [EPSILON] = RULE_EPSILON,
};

static rule_terms terms(const double p[])
{
    const rule_map g1 = {.all = 1.0, .positive = p[GAMMA]}, g2 = {.all = 1.0, .negative = p[GAMMA]};
    return (rule_terms){
        .n_groups = 2,
        .group = {{.coef = 1.0,
                   .gate = GATE_POSITIVE,
                   .n_terms = 2,
                   .term = {{.input = INPUT_POSITIVE, .weights = g1, .bias = g1},
                            {.input = INPUT_NEGATIVE, .weights = g2}}},
                  {.coef = 1.0,
                   .gate = GATE_NEGATIVE,
                   .n_terms = 2,
                   .term = {{.input = INPUT_POSITIVE, .weights = g2, .bias = g2},
                            {.input = INPUT_NEGATIVE, .weights = g1}}}},
    };
}

const rule_def rule_gamma = {
    .name = "gamma",
    .help = "contributions with the output's sign count (1 + gamma) times",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
