#ifndef ATTRIBUTION_RULE_SIGNED_H
#define ATTRIBUTION_RULE_SIGNED_H
/* Runs rules of the signed form (rule_form.h) with at most one forward product and two transposed ones.
 *
 * One product finds what the kept output z lacks:
 *   x >= 0      A = x * W+ + b+            O = z - A
 *   else        V = |x| * |W| + |b|        A = (z + V)/2,  O = (z - V)/2
 * Where such a difference cancels, rounding would be divided by what is left: an element whose denominator is small against |A| + |O| is
 * computed again, in double and from its own products alone (rule_exact.h). The rest errs as the direct sums do.
 *
 * One pass over the elements gives all shares s of all groups, and the way back is, with S_A = sum coef agree s and S_O = sum coef oppose s,
 *   x >= 0, one group     (agree W+ + oppose W-)' (coef s)
 *   x >= 0                W+' S_A + W-' S_O, as one product with twice the inputs
 *   one group             (agree W+ + oppose W-)' (coef s) where x > 0, (oppose W+ + agree W-)' (coef s) where x < 0
 *   else                  W' (S_A + S_O)/2 + sign(x) |W|' (S_A - S_O)/2
 * The last one cancels too: elements that were computed again stay out of it and hand on their shares one by one. */
#include "attribution/rule_driver.h"
#include "attribution/rule_exact.h"
#include "attribution/rule_form.h"
#include "attribution/rule_shares.h"

typedef enum signed_sums { SUMS_NONE, SUMS_POSITIVE, SUMS_ABSOLUTE } signed_sums; /* nothing, A or V */

typedef enum signed_back {
    BACK_ONE,    /* one product */
    BACK_SELECT, /* of one array with two parts, of which the input's sign chooses */
    BACK_ADD     /* of two arrays; the second's result counts with the input's sign */
} signed_back;

typedef struct signed_plan {
    signed_sums sums;
    signed_back back;
    share_rule shares;
    exact_layer exact;
    const product *forward, *adjoint[2]; /* NULL: there is none */
    size_t n_rows, row; /* rows of outputs, floats in one; a linear layer has one for each token, an image is one */
    size_t n_in;        /* floats of the batch */
    struct {
        size_t sums, shares, input, marks, op, total; /* where they lie in `work` */
    } scratch;
} signed_plan;

/* Adds what `load` takes from `a` to *floats. */
MUST_CHECK status signed_build(arena *a, const signed_form *form, double epsilon, const rule_layer *l, bool load,
                               signed_plan *out, size_t *floats);
size_t signed_products(const signed_plan *p); /* as rule_products() */
size_t signed_sums_floats(const signed_plan *p); /* as rule_sums() */
void signed_find_sums(const signed_plan *p, const rule_call *c, float *out);
void signed_relevance(const signed_plan *p, const rule_call *c);

#endif
