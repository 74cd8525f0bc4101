#include "attribution/walk_pruned.h"

#include "nn/passes/compact.h"
#include "nn/passes/own_weights.h"

/* The rule `pass` gives the channels of a layer's input what those of its output have. In a whole network it may stand at a convolution or a
 * linear layer with as many of both; but what is cut out in front of it are other channels than those behind it. */
static status check_rules(const graph *whole, const composite_entry *const *rules)
{
    for (node_id id = 0; id < whole->n_nodes; id++) {
        const node *n = &whole->nodes[id];
        if (rules[id] != NULL && rules[id]->rule->kind == RULE_PASS && n->op->product != NULL) {
            return FAIL(ST_CONFIG,
                        "layer '%s' (%s) has the rule '%s', which cannot explain pruned networks there: the channels that are left of its input are "
                        "not those of its output; give it another rule, such as epsilon",
                        n->name, n->op->name, rules[id]->rule->name);
        }
    }
    return STATUS_OK;
}

status walk_pruned_check(arena *scratch, const graph *whole, const composite *c)
{
    const composite_entry *const *rules;
    TRY(composite_resolve(scratch, c, whole, &rules));
    return check_rules(whole, rules);
}

/* The entries of the whole network's layers for those of the small one, which are the same in the same order but for what passes have put in.
 * Choosing again there would be wrong: sums have become layers of another type. */
static status carry_rules(arena *a, const graph *whole, const composite *c, const graph *small, const composite_entry *const **out)
{
    const composite_entry *const *rules;
    const composite_entry **carried;
    node_id from = 0;
    TRY(composite_resolve(a, c, whole, &rules));
    TRY(check_rules(whole, rules));
    TRY_ALLOC(carried, a, small->n_nodes);
    for (node_id id = 0; id < small->n_nodes; id++) {
        if (!small->nodes[id].inserted) {
            while (whole->nodes[from].inserted) {
                from++;
            }
            carried[id] = rules[from++];
        }
    }
    *out = carried;
    return STATUS_OK;
}

/* The small network and how it is walked. Widths are not padded: what only pads would be a channel to rules that count channels (flat). */
static status cut(arena *a, const graph *whole, const uint8_t alive[], const composite *c, const graph **small, walk_options *options)
{
    const graph *shrunk;
    TRY(graph_compact(a, whole, alive, NULL, 1, &shrunk));
    TRY(graph_own_weights(a, shrunk, small));
    options->to_input = true;
    return carry_rules(a, whole, c, *small, &options->rules);
}

status walk_pruned_build(arena *a, const graph *whole, const uint8_t alive[], const composite *c, const backend_def *backend,
                         size_t batch, weight_list *weights, walk **out)
{
    const graph *small;
    walk_options options = {.weights = weights};
    TRY(cut(a, whole, alive, c, &small, &options));
    return walk_build_with(a, small, c, backend, batch, &options, out);
}

status walk_pruned_needs(arena *scratch, const graph *whole, const uint8_t alive[], const composite *c, const backend_def *backend,
                         size_t batch, weight_list *weights, size_t *bytes)
{
    const graph *small;
    walk_options options = {.weights = weights};
    arena_reset(scratch);
    TRY(cut(scratch, whole, alive, c, &small, &options));
    const size_t network = arena_bytes(scratch);
    TRY(walk_needs_with(small, c, backend, batch, &options, bytes));
    *bytes += network;
    return STATUS_OK;
}
