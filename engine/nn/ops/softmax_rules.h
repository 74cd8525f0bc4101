#ifndef NN_OPS_SOFTMAX_RULES_H
#define NN_OPS_SOFTMAX_RULES_H
/* What becomes of relevance at the softmax of attention (docs/attribution.md, section d, steps 6 and 7). One choice for all attention of a
 * network, by index; the names are softmax_rule_names (nn/op.h). */
#include <stdbool.h>
#include <stddef.h>

typedef struct softmax_rule {
    /* One query: relevance r [keys] of its attention a [keys] becomes relevance of its logits s [keys], in place. s is unshifted: the rules are
     * expansions about S = 0 and not invariant to a constant. NULL: none goes to the logits, and so none to queries and keys. */
    void (*row)(size_t keys, double epsilon, const float *s, const float *a, float *r);
    float shares; /* in O = A v: 2 where each factor gets half of the relevance, 1 where each gets all of it */
} softmax_rule;

extern const softmax_rule softmax_rules[];

#endif
