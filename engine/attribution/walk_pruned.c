#include "attribution/walk_pruned.h"

#include "nn/passes/compact.h"
#include "nn/passes/own_weights.h"

/* The entries of the whole network's layers for those of the small one, which are the same in the same order but for what passes have put in.
 * Choosing again there would be wrong: sums have become layers of another type. */
static status carry_rules(arena *a, const graph *whole, const composite *c, const graph *small, const composite_entry *const **out)
{
    const composite_entry *const *rules;
    const composite_entry **carried;
    node_id from = 0;
    TRY(composite_resolve(a, c, whole, &rules));
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
