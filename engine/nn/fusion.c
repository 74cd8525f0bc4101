#include "nn/fusion.h"

#include "nn/op.h"

typedef struct readers {
    size_t *count; /* [n_nodes] how many inputs read this node */
    node_id *last; /* [n_nodes] the last of the readers */
} readers;

static status find_readers(arena *a, const graph *g, readers *out)
{
    TRY_ALLOC(out->count, a, g->n_nodes);
    TRY_ALLOC(out->last, a, g->n_nodes);
    for (node_id id = 0; id < g->n_nodes; id++) {
        for (size_t i = 0; i < g->nodes[id].n_in; i++) {
            out->count[g->nodes[id].in[i]]++;
            out->last[g->nodes[id].in[i]] = id;
        }
    }
    return STATUS_OK;
}

/* The later summand is a product that only the sum reads, and nobody reads the earlier one from the product on. */
static bool can_add(const graph *g, const readers *r, node_id sum, node_id late, node_id early)
{
    bool free_before = true;
    for (node_id id = late; id < sum; id++) {
        for (size_t i = 0; i < g->nodes[id].n_in; i++) {
            free_before = free_before && g->nodes[id].in[i] != early;
        }
    }
    return g->nodes[late].op->product != NULL && r->count[late] == 1 && early < late && r->last[early] == sum &&
           g->nodes[early].op != &op_input && free_before;
}

/* A sum's summands may themselves be done by others: what counts is where their values come to lie. */
static void fuse_sum(const graph *g, const readers *r, node_id id, fusion *f)
{
    const node *n = &g->nodes[id];
    const node_id late = n->in[0] > n->in[1] ? n->in[0] : n->in[1], early = n->in[0] > n->in[1] ? n->in[1] : n->in[0];
    if (n->op == &op_add && can_add(g, r, id, late, early)) {
        f->done_by[id] = late;
        f->result[late] = id;
        f->adds_to[late] = early;
    }
}

static void fuse_relu(const graph *g, const readers *r, node_id id, fusion *f)
{
    const node_id in = g->nodes[id].in[0], by = f->done_by[in];
    const struct op_def *op = g->nodes[by].op;
    if (g->nodes[id].op == &op_relu && r->count[in] == 1 && (op->product != NULL || op->takes_relu)) {
        f->done_by[id] = by;
        f->result[by] = id;
    }
}

status fusion_plan(arena *a, const graph *g, bool sums, const bool relu_allowed[], fusion *out)
{
    readers r;
    TRY(find_readers(a, g, &r));
    TRY_ALLOC(out->done_by, a, g->n_nodes);
    TRY_ALLOC(out->result, a, g->n_nodes);
    TRY_ALLOC(out->adds_to, a, g->n_nodes);
    for (node_id id = 0; id < g->n_nodes; id++) {
        out->done_by[id] = id;
        out->result[id] = id;
        out->adds_to[id] = id;
        if (sums) {
            fuse_sum(g, &r, id, out);
        }
        if (relu_allowed == NULL || relu_allowed[id]) {
            fuse_relu(g, &r, id, out);
        }
    }
    return STATUS_OK;
}
