#ifndef ATTRIBUTION_RULE_DRIVER_H
#define ATTRIBUTION_RULE_DRIVER_H
/* Runs a rule's term table for one linear layer over a micro-batch: a rule does not know layers, a layer does not know
 * rules. */
#include "attribution/rule.h"
#include "nn/op.h"

typedef struct rule_call {
    const rule_def *rule;
    const double *parameters; /* in the order of rule->fields */
    const node *node;         /* op->linear and op->adjoint are there */
    const backend_def *backend;
    size_t batch;
    const shape *in_shape; /* [1] */
    const float *in;       /* [batch, in] the layer's input x */
    const float *out;      /* [batch, out] the layer's output z, bias included */
    const float *r_out;    /* [batch, out] */
    float *r_in;           /* [batch, in] overwritten; distinct from r_out */
    float *work;           /* [rule_workspace()] */
} rule_call;

void rule_relevance(const rule_call *c);
size_t rule_workspace(const rule_def *rule, const node *n, const shape in[], size_t batch); /* floats */

/* The one term (x, W, b) shares its denominator with the forward pass: no forward operator is run. */
bool rule_uses_output(const rule_def *rule);

#endif
