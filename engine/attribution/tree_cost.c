#include "attribution/tree_cost.h"

uint64_t node_macs(const graph *g, node_id id)
{
    shape in[MAX_INPUTS] = {{0}};
    const node *n = &g->nodes[id];
    op_input_shapes(g->nodes, n, in);
    return n->op->cost == NULL ? 0 : n->op->cost(n, in, NULL, NULL).macs;
}

/* Attention: S = q k' and O = A v are two products of equal size, so that every product of the adjoint costs half of the forward pass: G v'
 * for the relevance of A, A' G towards v, G k towards q, G' q towards k. */
static uint64_t attention_macs(uint64_t macs, const walk_step *s)
{
    uint64_t products = 1;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        products += s->r_in[i] != NO_BUFFER;
    }
    return macs / 2 * products;
}

static uint64_t sums_macs(const graph *g, const tree_step *s)
{
    return s->rule == NULL ? 0 : node_macs(g, s->step.id) * rule_sum_products(s->rule);
}

static uint64_t back_macs(const graph *g, const tree_step *s)
{
    if (s->rule != NULL) {
        return node_macs(g, s->step.id) * (rule_products(s->rule) - rule_sum_products(s->rule));
    }
    return s->step.runs && g->nodes[s->step.id].op == &op_attention ? attention_macs(node_macs(g, s->step.id), &s->step) : 0;
}

/* The steps of a node and of all above it, each with its own sums. */
static uint64_t path_macs(const graph *g, const tree_program *p, size_t leaf)
{
    uint64_t macs = 0;
    for (size_t k = leaf; k != TREE_NO_NODE; k = p->nodes[k].parent) {
        for (size_t i = 0; i < p->parts[k].n_steps; i++) {
            const tree_step *s = &p->steps[p->parts[k].first_step + i];
            macs += sums_macs(g, s) + back_macs(g, s);
        }
    }
    return macs;
}

tree_cost tree_cost_of(const graph *g, size_t n, const tree_program *p, const size_t first_use[])
{
    tree_cost c = {0};
    uint64_t parameters;
    graph_cost(g, &parameters, &c.forward, NULL, NULL);
    for (size_t i = 0; i < p->n_steps; i++) {
        const tree_step *s = &p->steps[i];
        c.back += back_macs(g, s);
        c.sums += s->sums == NO_SUMS || first_use[s->sums] == i ? sums_macs(g, s) : 0;
    }
    for (size_t i = 0; i < n; i++) {
        c.apart += c.forward + path_macs(g, p, p->leaf[i]);
    }
    return c;
}
