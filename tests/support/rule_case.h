#ifndef SUPPORT_RULE_CASE_H
#define SUPPORT_RULE_CASE_H
/* The single layers of tests/golden/unit_rules.h5, and any rule run on one of them on the backend under test. */
#include "support/backends.h"
#include "support/golden.h"

#include "attribution/rule_driver.h"

extern const char *const rule_cases[]; /* NULL-terminated */

/* One layer with its input, output and relevance, in plain order. */
typedef struct rule_case {
    const char *name;
    node node;
    conv_attr conv;
    linear_attr linear;
    size_t batch, n_in, n_out; /* n_in, n_out: floats of the batch */
    shape in_shape;
    const float *x, *z, *r_out;
} rule_case;

void rule_case_read(golden *g, const char *name, rule_case *c); /* fails the test where something is missing */

/* A rule with its parameters: the defaults, and then those that are named. */
typedef struct rule_choice {
    const char *rule;
    struct {
        const char *name;
        double value;
    } set[4]; /* until the first without a name */
    bool spread_bias;
} rule_choice;
const rule_def *rule_choice_read(const rule_choice *r, double parameters[MAX_RULE_PARAMETERS]);

/* The plan of a rule for the layer; `layer` gives what is neither node, shape, backend nor batch. All in `a`. */
const rule_plan *rule_case_plan(arena *a, const rule_case *c, const rule_def *rule, const double parameters[],
                                const rule_layer *layer);
/* R_in [n_in] for this R_out; the arrays that the driver gets start as NaN where it has to write. */
const float *rule_case_relevance(arena *a, const rule_case *c, const rule_def *rule, const double parameters[],
                                 const rule_layer *layer, const float *r_out);

#endif
