#ifndef ATTRIBUTION_RULE_FLAT_H
#define ATTRIBUTION_RULE_FLAT_H
/* A rule whose weights are all the same: R_in = value 1' (R_out / st(value count)), with count the inputs that an output sees. No product is
 * needed: relevance is summed over the outputs' channels, spread by a box filter, and is the same for all channels of the input. */
#include "attribution/rule_driver.h"

typedef struct flat_plan {
    conv_shape shape;
    size_t batch, in_block, out_block, in_floats, out_floats; /* floats of a sample as stored */
    double value, coef, epsilon;
} flat_plan;

/* Whether the table is such a rule, and with which numbers. */
bool flat_find(const rule_terms *t, double *value, double *coef);
size_t flat_workspace(const flat_plan *p); /* floats */
void flat_relevance(const flat_plan *p, const rule_call *c);

#endif
