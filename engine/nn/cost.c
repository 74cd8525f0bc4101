/* Parameters and multiply-adds of a network and of what compaction leaves of it (docs/attribution.md, section h). */
#include <string.h>

#include "nn/op.h"

static void input_shapes(const graph *g, const node *n, shape in[MAX_INPUTS])
{
    for (size_t i = 0; i < n->n_in; i++) {
        in[i] = g->nodes[n->in[i]].out;
    }
}

static op_cost node_cost(const graph *g, const node *n, const uint8_t *in_live, const uint8_t *out_live)
{
    shape in[MAX_INPUTS] = {{0}};
    input_shapes(g, n, in);
    return n->op->cost == NULL ? (op_cost){0} : n->op->cost(n, in, in_live, out_live);
}

/* What all heads of an attention layer cost outside of it: rows of q, k, v, and columns (without the bias) of what reads them. */
static op_cost projections_cost(const graph *g, node_id id)
{
    const node *n = &g->nodes[id];
    op_cost sum = {0};
    for (size_t i = 0; i < n->n_in; i++) {
        const op_cost c = node_cost(g, &g->nodes[n->in[i]], NULL, NULL);
        sum.parameters += c.parameters;
        sum.macs += c.macs;
    }
    for (size_t j = id + 1; j < g->n_nodes; j++) {
        const node *reader = &g->nodes[j];
        if (reader->n_in == 1 && reader->in[0] == id) {
            const op_cost c = node_cost(g, reader, NULL, NULL);
            sum.parameters += c.parameters - reader->n_bias;
            sum.macs += c.macs;
        }
    }
    return sum;
}

void graph_cost(const graph *g, uint64_t *total_parameters, uint64_t *total_macs, uint64_t parameters[],
                uint64_t macs[])
{
    *total_parameters = 0;
    *total_macs = 0;
    for (size_t id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        op_cost own = node_cost(g, n, NULL, NULL);
        *total_parameters += own.parameters;
        *total_macs += own.macs;
        if (n->components == COMPONENT_HEAD) {
            const op_cost around = projections_cost(g, id);
            own.parameters += around.parameters;
            own.macs += around.macs;
        }
        for (size_t c = 0; c < n->n_components; c++) { /* all components of a layer are equally large */
            if (parameters != NULL) {
                parameters[n->first_component + c] = own.parameters / n->n_components;
            }
            if (macs != NULL) {
                macs[n->first_component + c] = own.macs / n->n_components;
            }
        }
    }
}

/* Which channels of every node's output are not 0, and which are read at all. */
typedef struct channel_sets {
    uint8_t **live, **needed; /* [n_nodes][channels] */
} channel_sets;

static const uint8_t *alive_of(const node *n, const uint8_t alive[])
{
    return n->components == COMPONENT_NONE ? NULL : alive + n->first_component;
}

static void find_live(const graph *g, const node *n, const uint8_t alive[], uint8_t **live, uint8_t *out)
{
    shape in[MAX_INPUTS] = {{0}};
    const uint8_t *in_live[MAX_INPUTS] = {NULL};
    input_shapes(g, n, in);
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
    input_shapes(g, n, in);
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

static status find_sets(arena *scratch, const graph *g, const uint8_t alive[], channel_sets *s)
{
    uint8_t *read[MAX_INPUTS] = {NULL};
    size_t most = 0;
    TRY_ALLOC(s->live, scratch, g->n_nodes);
    TRY_ALLOC(s->needed, scratch, g->n_nodes);
    for (size_t id = 0; id < g->n_nodes; id++) {
        const size_t channels = shape_channels(g->nodes[id].out);
        most = channels > most ? channels : most;
        TRY_ALLOC(s->live[id], scratch, channels);
        TRY_ALLOC(s->needed[id], scratch, channels);
        find_live(g, &g->nodes[id], alive, s->live, s->live[id]);
    }
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        TRY_ALLOC(read[i], scratch, most);
    }
    memset(s->needed[g->n_nodes - 1], 1, g->n_classes);
    for (size_t id = g->n_nodes; id-- > 0;) {
        mark_needed(g, &g->nodes[id], alive, read, s->needed);
    }
    return STATUS_OK;
}

status graph_cost_left(arena *scratch, const graph *g, const uint8_t alive[], uint64_t *parameters, uint64_t *macs)
{
    channel_sets s = {0};
    TRY(find_sets(scratch, g, alive, &s));
    *parameters = 0;
    *macs = 0;
    for (size_t id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        for (size_t c = 0; c < shape_channels(n->out); c++) {
            s.live[id][c] &= s.needed[id][c];
        }
        /* Inputs come first in the order of nodes, so theirs is already the intersection: what compaction keeps of them. */
        const op_cost c = node_cost(g, n, n->n_in == 0 ? NULL : s.live[n->in[0]], s.live[id]);
        *parameters += c.parameters;
        *macs += c.macs;
    }
    return STATUS_OK;
}
