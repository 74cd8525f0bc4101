/* Parameters and multiply-adds of a network and of what compaction leaves of it (docs/attribution.md, section h). */
#include "nn/op.h"
#include "nn/passes/channels.h"

static op_cost node_cost(const graph *g, const node *n, const uint8_t *in_live, const uint8_t *out_live)
{
    shape in[MAX_INPUTS] = {{0}};
    op_input_shapes(g->nodes, n, in);
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

status graph_cost_left(arena *scratch, const graph *g, const uint8_t alive[], uint64_t *parameters, uint64_t *macs)
{
    uint8_t **kept;
    TRY(graph_channels_kept(scratch, g, alive, NULL, &kept));
    *parameters = 0;
    *macs = 0;
    for (size_t id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        const op_cost c = node_cost(g, n, n->n_in == 0 ? NULL : kept[n->in[0]], kept[id]);
        *parameters += c.parameters;
        *macs += c.macs;
    }
    return STATUS_OK;
}
