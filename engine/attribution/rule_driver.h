#ifndef ATTRIBUTION_RULE_DRIVER_H
#define ATTRIBUTION_RULE_DRIVER_H
/* Runs a rule's term table for one convolution or linear layer over a micro-batch: a rule does not know layers, a layer does not know
 * rules. Prepared once per layer: the backend's plans, and the weights that the terms ask for in the order of those plans. */
#include "attribution/rule.h"
#include "nn/op.h"

typedef struct product_pool product_pool; /* attribution/product_pool.h */

typedef struct rule_plan rule_plan;

/* A layer for which a rule is built. Everything is borrowed. */
typedef struct rule_layer {
    const node *n;
    const backend_def *backend;
    const conv_shape *shape; /* the product that the node is (forward_product_shape) */
    size_t batch;
    bool spread_bias; /* the projection bias quirk: rule_spread_bias() */
    bool nonnegative; /* no input is below 0 */
    bool gated;       /* R_out is 0 wherever the output is not above 0 */
    bool by_terms;    /* every table term by term, as it is written: what the short ways are compared with */
    rule_pixels pixels;
    weight_list *weights; /* where products want their weights; NULL: in the plan's arena. The node must live as long as the plan */
    product_pool *pool;   /* products of this layer that other rules have too; NULL: each rule has its own. Lives as long as the plan */
} rule_layer;

/* Lives in `a`. load false: sizes only, not to run. Errors: ST_CONFIG where the rule needs pixels that the layer does not see. */
MUST_CHECK status rule_build(arena *a, const rule_def *rule, const double parameters[], const rule_layer *l, bool load,
                             const rule_plan **out);
/* How often a call computes the product that the layer is, forward or transposed. */
size_t rule_products(const rule_plan *p);
size_t rule_workspace(const rule_plan *p); /* floats */
size_t rule_floats(const rule_plan *p);    /* of weights and the like of its own, which load takes from the arena; not what it wants of
                                              `weights`, which is counted there where load is false */

/* Arrays as stored (nn/images.h), relevance as in nn/op.h. */
typedef struct rule_call {
    const float *in;  /* [batch, in] the layer's input x */
    const float *out; /* [batch, out] the layer's output z, bias included; where R is 0 it may be anything that does not
                                    exceed 0 (a fused ReLU's 0). Read by rules that use it */
    const float *r_out, *factor; /* [batch, out] R = r_out factor; factor NULL: R = r_out */
    float *r_in; /* [batch, in] overwritten by the quotient, R_in = r_in x, or by R_in itself (rule_is_whole, gradient).
                                    Distinct from r_out */
    const float *sums; /* [rule_sums()] what rule_find_sums() has left for this input; NULL: it is found on the way */
    float *work; /* [rule_workspace()] */
} rule_call;

void rule_relevance(const rule_plan *p, const rule_call *c);

/* The forward products of a rule follow from the layer's input alone, so that all calls for one input, and rules with the same key, can share
 * them: the same numbers, bit for bit. */
size_t rule_sums(const rule_plan *p);        /* floats; 0: the rule has no forward product */
const void *rule_sums_key(const rule_plan *p); /* rules of one layer and one pool whose key is the same have the same sums */
size_t rule_sum_products(const rule_plan *p); /* how many of rule_products() they are */
void rule_find_sums(const rule_plan *p, const rule_call *c, float *out); /* reads c->in and c->work; out [rule_sums()] */

#endif
