#include "nn/passes/own_weights.h"

#include <string.h>

#include "nn/passes/channel_map.h"

static status copy_cut(arena *a, node *n)
{
    float *weight, *bias = NULL;
    TRY_ALLOC(weight, a, n->n_weight);
    weight_cut_matrix(n->cut, n->weight, weight);
    if (n->bias != NULL) {
        TRY_ALLOC(bias, a, n->n_bias);
        weight_cut_vector(n->cut, n->bias, bias);
    }
    n->weight = weight;
    n->bias = bias;
    n->cut = NULL;
    return STATUS_OK;
}

status graph_own_weights(arena *a, const graph *g, const graph **out)
{
    node *nodes;
    graph *own;
    bool any = false;
    *out = g;
    for (node_id id = 0; id < g->n_nodes; id++) {
        any = any || g->nodes[id].cut != NULL;
    }
    if (!any) {
        return STATUS_OK;
    }
    TRY_ALLOC(own, a, 1);
    TRY_ALLOC(nodes, a, g->n_nodes);
    memcpy(nodes, g->nodes, g->n_nodes * sizeof *nodes);
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (nodes[id].cut != NULL) {
            TRY(copy_cut(a, &nodes[id]));
        }
    }
    *own = *g;
    own->nodes = nodes;
    *out = own;
    return STATUS_OK;
}
