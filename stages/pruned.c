#include "stages/pruned.h"

#include <string.h>

#include "nn/passes/compact.h"
#include "stages/forecast.h"

status pruned_open(arena *a, const study *s, size_t model, arena *small, pruned *out)
{
    *out = (pruned){.whole = s->models[model].logits_graph,
                    .backend = s->backend,
                    .batch = s->config->micro_batch,
                    .winograd = s->config->winograd,
                    .small = small};
    TRY_ALLOC(out->wanted, a, out->whole->n_classes);
    return STATUS_OK;
}

void pruned_want(pruned *p, size_t n, const uint32_t classes[])
{
    memset(p->wanted, 0, p->whole->n_classes);
    for (size_t i = 0; i < n; i++) {
        p->wanted[classes[i]] = 1;
    }
}

status pruned_cut(pruned *p, const uint8_t alive[], bool all_logits)
{
    const graph *g;
    arena_reset(p->small);
    TRY(graph_compact(p->small, p->whole, alive, all_logits ? NULL : p->wanted, p->backend->block(), &g));
    p->n_logits = g->n_classes;
    return forward_build_for_logits(p->small, g, p->backend, p->batch, p->winograd, &p->run);
}

/* A network that is cut copies weights that the whole one borrows, and one that has lost next to nothing copies the most of them. */
static status cut_bytes(arena *scratch, const study *s, const graph *whole, bool cut, size_t *bytes)
{
    uint8_t *alive, *wanted;
    const graph *g;
    arena_reset(scratch);
    TRY_ALLOC(alive, scratch, whole->n_components);
    TRY_ALLOC(wanted, scratch, whole->n_classes);
    memset(alive, 1, whole->n_components);
    memset(wanted, 1, whole->n_classes);
    wanted[0] = !cut || whole->n_classes == 1; /* logits that nobody wants are cut too */
    for (size_t k = 0; k < whole->n_layers && cut; k++) {
        alive[whole->nodes[whole->layers[k]].first_component] = 0;
    }
    TRY(graph_compact(scratch, whole, alive, wanted, s->backend->block(), &g));
    const size_t of_graph = arena_bytes(scratch);
    *bytes = forward_bytes_for_logits(g, s->backend, s->config->micro_batch, s->config->winograd);
    *bytes = *bytes == SIZE_MAX ? SIZE_MAX : *bytes + of_graph;
    return STATUS_OK;
}

size_t pruned_bytes(arena *scratch, const study *s, size_t model)
{
    const graph *whole = s->models[model].logits_graph;
    size_t all = 0, cut = 0;
    if (!status_ok(cut_bytes(scratch, s, whole, false, &all)) || !status_ok(cut_bytes(scratch, s, whole, true, &cut))) {
        return SIZE_MAX;
    }
    return all > cut ? all : cut;
}
