/* When two walks do the same at a layer. */
#include "attribution/tree_grow.h"

static bool is_own(const walk_step *s)
{
    return s->rule == NULL || s->rule->rule->kind == RULE_OWN;
}

/* Layers with a rule of their own depend on what their composite says for the whole network. */
static bool same_own(const graph *g, const walk_step *a, const walk_step *b)
{
    const unsigned reads = g->nodes[a->id].op->relevance_reads;
    return ((reads & READS_EPSILON) == 0 || a->composite->epsilon == b->composite->epsilon) &&
           ((reads & READS_SOFTMAX_RULE) == 0 || a->composite->softmax_rule == b->composite->softmax_rule);
}

/* Not so the normalisation of the images: rules with bounds in pixels are for the layer that reads the image, below which there is no
 * component. */
static bool same_terms(const walk_step *a, const walk_step *b)
{
    const rule_def *rule = a->rule->rule;
    for (size_t i = 0; i < rule->n_fields; i++) {
        if (a->rule->parameters[i] != b->rule->parameters[i]) {
            return false;
        }
    }
    return a->spread_bias == b->spread_bias && a->nonnegative == b->nonnegative && a->gated == b->gated;
}

bool tree_same_step(const graph *g, const walk_step *a, const walk_step *b)
{
    if (a->id != b->id || a->runs != b->runs || a->way != b->way) {
        return false;
    }
    if (!a->runs || a->way == RELEVANCE_PASSES) {
        return true; /* no rule is run */
    }
    if (is_own(a) || is_own(b)) {
        return is_own(a) && is_own(b) && same_own(g, a, b);
    }
    return a->rule->rule == b->rule->rule && (a->rule->rule->kind != RULE_TERMS || same_terms(a, b));
}
