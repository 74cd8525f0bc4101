#include "nn/passes/compact.h"

#include "nn/op.h"
#include "nn/passes/channels.h"

typedef struct compaction {
    arena *a;
    const graph *g;
    size_t block;
    uint8_t **kept;   /* [n_nodes][channels] */
    channel_map *map; /* [n_nodes] of the node's place in the new graph */
    node_id *of;      /* [n_nodes] that place */
    node *nodes;      /* of the new graph */
    size_t n_nodes;
} compaction;

/* The whole width again, for a layer that reads all channels in their places. */
static status widen(compaction *p, node_id id, node_id *out)
{
    const node *whole = &p->g->nodes[id];
    node n = {.op = &op_widen, .in = {p->of[id]}, .n_in = 1, .group = whole->group, .inserted = true};
    channel_map all;
    TRY_TEXT(n.name, p->a, "%s.wide", whole->name);
    TRY(channel_map_whole(p->a, shape_channels(whole->out), &all));
    TRY(scatter_attr_make(p->a, 1, &p->map[id], &all, &n.attr));
    return op_append(p->nodes, &p->n_nodes, &n, out);
}

static bool takes_whole(const node *n)
{
    return n->op->shrink == NULL || (n->op->takes_whole != NULL && n->op->takes_whole(n));
}

/* The inputs of a node in the new graph, and what they are there. */
static status connect(compaction *p, node_id id, node *n, shape in_shape[], channel_map in[])
{
    for (size_t i = 0; i < n->n_in; i++) {
        const node_id input = p->g->nodes[id].in[i];
        in_shape[i] = p->g->nodes[input].out;
        in[i] = p->map[input];
        n->in[i] = p->of[input];
        if (!in[i].whole && takes_whole(n)) {
            TRY(widen(p, input, &n->in[i]));
            TRY(channel_map_whole(p->a, shape_channels(in_shape[i]), &in[i]));
        }
    }
    return STATUS_OK;
}

static status add_node(compaction *p, node_id id)
{
    const node *whole = &p->g->nodes[id];
    node n = *whole;
    shape in_shape[MAX_INPUTS] = {{0}};
    channel_map in[MAX_INPUTS] = {{0}};
    const shrink_call c = {
        .arena = p->a, .node = whole, .in_shape = in_shape, .in = in, .kept = p->kept[id], .block = p->block};
    TRY(connect(p, id, &n, in_shape, in));
    TRY(n.op->shrink == NULL ? channel_map_whole(p->a, shape_channels(whole->out), &p->map[id])
                             : n.op->shrink(&c, &n, &p->map[id]));
    n.components = COMPONENT_NONE;
    n.n_components = n.first_component = 0;
    return op_append(p->nodes, &p->n_nodes, &n, &p->of[id]);
}

/* The last layer gives what was asked for, and in its order. */
static status check_logits(const compaction *p, const uint8_t logits[])
{
    const node *last = &p->g->nodes[p->g->n_nodes - 1];
    const channel_map *m = &p->map[p->g->n_nodes - 1];
    size_t n = 0;
    bool fits = true;
    for (size_t c = 0; c < p->g->n_classes; c++) {
        if (logits == NULL || logits[c]) {
            fits = fits && n < m->n && m->channel[n] == c;
            n++;
        }
    }
    return fits && n == m->n ? STATUS_OK
                             : FAIL(ST_BUG, "'%s': a network that ends with a layer of type %s cannot leave logits out", last->name, last->op->name);
}

status graph_compact(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[], size_t block,
                     const graph **out)
{
    const channel_map *map;
    return graph_compact_mapped(a, g, alive, logits, block, out, &map);
}

status graph_compact_mapped(arena *a, const graph *g, const uint8_t alive[], const uint8_t logits[], size_t block,
                            const graph **out, const channel_map **map)
{
    compaction p = {.a = a, .g = g, .block = block};
    graph *small;
    TRY(graph_channels_kept(a, g, alive, logits, &p.kept));
    TRY_ALLOC(small, a, 1);
    TRY_ALLOC(p.map, a, g->n_nodes);
    TRY_ALLOC(p.of, a, g->n_nodes);
    TRY_ALLOC(p.nodes, a, (1 + MAX_INPUTS) * g->n_nodes); /* at most every input is made whole again */
    for (node_id id = 0; id < g->n_nodes; id++) {
        TRY(add_node(&p, id));
    }
    TRY(check_logits(&p, logits));
    *small = *g;
    small->n_nodes = p.n_nodes;
    small->nodes = p.nodes;
    small->n_classes = shape_channels(p.nodes[p.n_nodes - 1].out);
    small->n_layers = small->n_components = 0;
    small->layers = NULL;
    *out = small;
    *map = p.map;
    return STATUS_OK;
}
