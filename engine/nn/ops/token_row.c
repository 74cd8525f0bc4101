#include <string.h>

#include "nn/op.h"

/* One token: [T,E] -> [E], or [1,E] where more layers on tokens follow. Relevance of the other rows is 0 (docs/attribution.md, section d, "Ends"). */
static status infer(const node *n, const shape in[], shape *out)
{
    const token_row_attr *a = n->attr;
    char text[SHAPE_TEXT];
    if (in[0].rank != 2 || a->row >= in[0].dim[0]) {
        return FAIL(ST_DATA, "%s: expected an input [tokens, features] with a row %zu, found %s", n->name, a->row,
                    shape_text(in[0].rank, in[0].dim, text));
    }
    *out = a->keep_axis ? (shape){.rank = 2, .dim = {1, in[0].dim[1]}} : (shape){.rank = 1, .dim = {in[0].dim[1]}};
    return STATUS_OK;
}

static void forward(const op_call *c)
{
    const token_row_attr *a = c->node->attr;
    const size_t t = c->in_shape[0].dim[0], e = c->in_shape[0].dim[1];
    for (size_t b = 0; b < c->batch; b++) {
        memcpy(c->out + b * e, c->in[0] + (b * t + a->row) * e, e * sizeof *c->out);
    }
}

static void relevance(const relevance_call *c)
{
    const token_row_attr *a = c->node->attr;
    const size_t t = c->in_shape[0].dim[0], e = c->in_shape[0].dim[1];
    memset(c->r_in[0], 0, c->batch * t * e * sizeof *c->r_in[0]);
    for (size_t b = 0; b < c->batch; b++) {
        memcpy(c->r_in[0] + (b * t + a->row) * e, c->r_out + b * e, e * sizeof *c->r_out);
    }
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const token_row_attr *a = n->attr;
    out[0] = (op_fact){"row", 1, {a->row, 0}, 0.0};
    return 1;
}

const op_def op_token_row = {
    .name = "token_row",
    .help = "one token's row",
    .keeps_nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_MOVES,
    .relevance = relevance,
    .relevance_name = "pass",
    .gradient_way = RELEVANCE_MOVES,
    .gradient = relevance,
    .live = op_live_same,
    .shrink = op_shrink_same,
    .facts = facts,
};
