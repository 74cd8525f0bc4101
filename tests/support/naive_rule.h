#ifndef SUPPORT_NAIVE_RULE_H
#define SUPPORT_NAIVE_RULE_H
/* The float64 twin of the rule driver: a table of terms as it is written (attribution/rule.h), term by term, in loops. One sample, plain order. */
#include "backend/backend.h"

#include "attribution/rule.h"

typedef struct naive_layer {
    conv_shape shape;
    const double *w, *b;      /* b NULL: no bias */
    const double *low, *high; /* per input channel; NULL: those of the table */
} naive_layer;

size_t naive_inputs(const conv_shape *s); /* floats of a sample */
size_t naive_outputs(const conv_shape *s);

/* z = x * W + b */
void naive_layer_forward(const naive_layer *l, const double *x, double *z);
void naive_layer_gradient(const naive_layer *l, const double *r_out, double *r_in); /* W' R */
/* total: what a rule hands on in all by the adjoint identity, sum coef (D without what the bias adds) s. condition: the most that a denominator's
 * rounding is magnified, the largest (sum of the sizes of what D adds up) / |st(D)|. */
typedef struct naive_facts {
    double total, condition;
    bool *silent; /* the caller's, or NULL; [outputs] is set where a denominator that counts is exactly 0: its relevance goes nowhere */
} naive_facts;

/* facts: may be NULL. */
void naive_rule(const naive_layer *l, const rule_terms *t, double epsilon, const double *x, const double *z,
                const double *r_out, double *r_in, naive_facts *facts);

#endif
