#ifndef ATTRIBUTION_RULE_FORM_H
#define ATTRIBUTION_RULE_FORM_H
/* Most tables are of one form. Products x w are sorted by their sign: with the bias,
 *
 *   A = x+ * W+ + x- * W- + b+  (>= 0)      O = x+ * W- + x- * W+ + b-  (<= 0)      A + O = z
 *
 * and a group is two numbers, how much of each it takes (docs/attribution.md, section c):
 *
 *   D = agree A + oppose O (+ extra)        R_in += coef [ agree (A's terms) + oppose (O's terms) ]' s
 *
 * epsilon (1, 1); z+ (1, 0); alpha-beta (1, 0) and (0, 1); gamma (1 + g, 1) and (1, 1 + g). So the sums A and O of a layer serve every such rule,
 * and all groups share their transposed products. */
#include "attribution/rule.h"

typedef struct signed_group {
    double coef, agree, oppose;
    rule_gate gate;
    double extra_positive,
        extra_negative; /* of b+ and b- in the denominator, beyond what A and O bring: the projection bias quirk */
} signed_group;

typedef struct signed_form {
    size_t n_groups; /* those with a coefficient of 0, and those that `gated` shuts out, are left out */
    signed_group group[MAX_RULE_GROUPS];
} signed_form;

/* nonnegative: no input is below 0, so terms of negative inputs do not count. gated: R_out is 0 wherever z <= 0. false: the table is not of
 * this form. */
bool rule_find_form(const rule_terms *t, bool nonnegative, bool gated, signed_form *out);

#endif
