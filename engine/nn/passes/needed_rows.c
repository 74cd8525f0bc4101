#include "nn/passes/needed_rows.h"

#include <stdint.h>

#include "nn/op.h"

/* Which rows of a node's output [T,E] are needed: the number of one row, or one of these. */
static const size_t NOBODY = SIZE_MAX, ALL = SIZE_MAX - 1;
static const node_id NONE = (node_id)-1;

typedef struct narrowing {
    arena *a;
    const graph *g;
    size_t *needed;  /* [n_nodes] */
    node_id *of;     /* [n_nodes] the node in the new graph */
    node_id *row_of; /* [n_nodes] the new node that takes the needed row of a whole output; NONE: there is none yet */
    size_t *row_at;  /* [n_nodes] which row that is */
    node *nodes;     /* of the new graph */
    size_t n_nodes;
} narrowing;

/* Row t of the node's output can be computed alone, and no other is needed. */
static bool is_narrow(const narrowing *p, node_id id)
{
    const node *n = &p->g->nodes[id];
    return p->needed[id] != NOBODY && p->needed[id] != ALL && n->op->by_row != 0 && n->out.rank == 2 &&
           n->out.dim[0] > 1;
}

static bool reads_by_row(const node *n, size_t input)
{
    return (n->op->by_row >> input & 1u) != 0;
}

/* What a node needs of its input i. */
static size_t needed_of_input(const narrowing *p, node_id id, size_t i)
{
    const node *n = &p->g->nodes[id];
    if (n->op == &op_token_row) {
        const token_row_attr *a = n->attr;
        return a->row;
    }
    return is_narrow(p, id) && reads_by_row(n, i) ? p->needed[id] : ALL;
}

/* From the logits back: readers come after what they read, so a node's needs are complete when its turn comes. */
static void find_needed(const narrowing *p)
{
    const graph *g = p->g;
    for (node_id id = 0; id < g->n_nodes; id++) {
        p->needed[id] = NOBODY;
    }
    p->needed[g->n_nodes - 1] = ALL;
    for (node_id id = g->n_nodes; id-- > 0;) {
        for (size_t i = 0; i < g->nodes[id].n_in; i++) {
            size_t *of_input = &p->needed[g->nodes[id].in[i]];
            const size_t mine = needed_of_input(p, id, i);
            *of_input = *of_input == NOBODY || *of_input == mine ? mine : ALL;
        }
    }
}

/* [T,E] -> [1,E], shared by all who need this row of a whole output. */
static status take_row(narrowing *p, node_id id, size_t row, node_id *out)
{
    token_row_attr *attr;
    node n = {.op = &op_token_row, .in = {p->of[id]}, .n_in = 1, .group = p->g->nodes[id].group, .inserted = true};
    if (p->row_of[id] == NONE || p->row_at[id] != row) {
        TRY_TEXT(n.name, p->a, "%s.row", p->g->nodes[id].name);
        TRY_ALLOC(attr, p->a, 1);
        *attr = (token_row_attr){.row = row, .keep_axis = true};
        n.attr = attr;
        TRY(op_append(p->nodes, &p->n_nodes, &n, &p->row_of[id]));
        p->row_at[id] = row;
    }
    *out = p->row_of[id];
    return STATUS_OK;
}

static status add_node(narrowing *p, node_id id)
{
    node n = p->g->nodes[id];
    for (size_t i = 0; i < n.n_in; i++) {
        const node_id in = p->g->nodes[id].in[i];
        n.in[i] = p->of[in];
        if (is_narrow(p, id) && reads_by_row(&n, i) && !is_narrow(p, in)) {
            TRY(take_row(p, in, p->needed[id], &n.in[i]));
        }
    }
    if (n.op == &op_token_row && is_narrow(p, p->g->nodes[id].in[0])) { /* the only row that is left */
        token_row_attr *attr;
        TRY_ALLOC(attr, p->a, 1);
        *attr = *(const token_row_attr *)n.attr;
        attr->row = 0;
        n.attr = attr;
    }
    return op_append(p->nodes, &p->n_nodes, &n, &p->of[id]);
}

static status build(narrowing *p, const graph **out)
{
    graph *g;
    node_id *layers;
    TRY_ALLOC(g, p->a, 1);
    TRY_ALLOC(layers, p->a, p->g->n_layers);
    TRY_ALLOC(p->of, p->a, p->g->n_nodes);
    TRY_ALLOC(p->row_of, p->a, p->g->n_nodes);
    TRY_ALLOC(p->row_at, p->a, p->g->n_nodes);
    TRY_ALLOC(p->nodes, p->a, (1 + MAX_INPUTS) * p->g->n_nodes); /* at most a row for every input */
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        p->row_of[id] = NONE;
    }
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        TRY(add_node(p, id));
    }
    for (size_t k = 0; k < p->g->n_layers; k++) {
        layers[k] = p->of[p->g->layers[k]];
    }
    *g = *p->g;
    g->n_nodes = p->n_nodes;
    g->nodes = p->nodes;
    g->layers = layers;
    *out = g;
    return STATUS_OK;
}

status graph_needed_rows(arena *a, const graph *g, const graph **out)
{
    narrowing p = {.a = a, .g = g};
    bool any = false;
    TRY_ALLOC(p.needed, a, g->n_nodes);
    find_needed(&p);
    for (node_id id = 0; id < g->n_nodes; id++) {
        any = any || is_narrow(&p, id);
    }
    *out = g;
    return any ? build(&p, out) : STATUS_OK;
}
