#include "nn/passes/channels.h"

#include <string.h>

#include "nn/op.h"

static const uint8_t *alive_of(const node *n, const uint8_t alive[])
{
    return n->components == COMPONENT_NONE || alive == NULL ? NULL : alive + n->first_component;
}

static void find_live(const graph *g, const node *n, const uint8_t alive[], uint8_t **live, uint8_t *out)
{
    shape in[MAX_INPUTS] = {{0}};
    const uint8_t *in_live[MAX_INPUTS] = {NULL};
    op_input_shapes(g->nodes, n, in);
    for (size_t i = 0; i < n->n_in; i++) {
        in_live[i] = live[n->in[i]];
    }
    if (n->op->live == NULL) {
        memset(out, 1, shape_channels(n->out));
    } else {
        n->op->live(n, in, alive_of(n, alive), in_live, out);
    }
}

/* Marks what this node reads of its inputs. `read` holds one input at a time, so that readers add up. */
static void mark_needed(const graph *g, const node *n, const uint8_t alive[], uint8_t *read[MAX_INPUTS],
                        uint8_t **needed)
{
    shape in[MAX_INPUTS] = {{0}};
    op_input_shapes(g->nodes, n, in);
    for (size_t i = 0; i < n->n_in; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the caller's allocations were checked */
        memset(read[i], n->op->needs == NULL, shape_channels(in[i]));
    }
    if (n->op->needs != NULL) {
        n->op->needs(n, in, alive_of(n, alive), read);
    }
    for (size_t i = 0; i < n->n_in; i++) {
        for (size_t c = 0; c < shape_channels(in[i]); c++) {
            needed[n->in[i]][c] |= read[i][c];
        }
    }
}

/* Fills live[id] for every node, in order. */
static status find_all_live(arena *a, const graph *g, const uint8_t alive[], uint8_t **live)
{
    for (size_t id = 0; id < g->n_nodes; id++) {
        TRY_ALLOC(live[id], a, shape_channels(g->nodes[id].out));
        find_live(g, &g->nodes[id], alive, live, live[id]);
    }
    return STATUS_OK;
}

static status find_needed(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[], uint8_t ***out)
{
    uint8_t *read[MAX_INPUTS] = {NULL}, **needed;
    size_t most = 0;
    TRY_ALLOC(needed, a, g->n_nodes);
    for (size_t id = 0; id < g->n_nodes; id++) {
        const size_t channels = shape_channels(g->nodes[id].out);
        most = channels > most ? channels : most;
        TRY_ALLOC(needed[id], a, channels);
    }
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        TRY_ALLOC(read[i], a, most);
    }
    for (size_t c = 0; c < g->n_classes; c++) {
        needed[g->n_nodes - 1][c] = logits == NULL || logits[c] != 0;
    }
    for (size_t id = g->n_nodes; id-- > 0;) {
        mark_needed(g, &g->nodes[id], alive, read, needed);
    }
    *out = needed;
    return STATUS_OK;
}

status graph_channels_kept(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[], uint8_t ***out)
{
    uint8_t **kept, **needed = NULL;
    TRY_ALLOC(kept, a, g->n_nodes);
    TRY(find_all_live(a, g, alive, kept));
    TRY(find_needed(a, g, alive, logits, &needed));
    for (size_t id = 0; id < g->n_nodes; id++) {
        for (size_t c = 0; c < shape_channels(g->nodes[id].out); c++) {
            kept[id][c] &= needed[id][c];
        }
    }
    *out = kept;
    return STATUS_OK;
}
