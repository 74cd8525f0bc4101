#include "nn/op.h"

#include <string.h>

#define OP(name) &op_##name,
const op_def *const op_table[] = {
#include "nn/ops/ops.def"
};
#undef OP
const size_t op_count = COUNT(op_table);

void op_input_shapes(const node nodes[], const node *n, shape in[])
{
    for (size_t i = 0; i < n->n_in; i++) {
        in[i] = nodes[n->in[i]].out;
    }
}

status op_append(node nodes[], size_t *n_nodes, const node *n, node_id *out)
{
    shape in[MAX_INPUTS] = {{0}};
    node *to = &nodes[*n_nodes];
    *to = *n;
    op_input_shapes(nodes, n, in);
    *out = (*n_nodes)++;
    return n->op->infer(to, in, &to->out);
}

shape op_same_shape(const shape in[])
{
    return in[0];
}

void op_live_same(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                  uint8_t *out_live)
{
    (void)in;
    (void)alive;
    memcpy(out_live, in_live[0], shape_channels(n->out));
}

status op_shrink_same(const shrink_call *c, node *out, channel_map *map)
{
    (void)out;
    *map = c->in[0];
    return STATUS_OK;
}

status op_cut_weights(const shrink_call *c, const channel_map *row, const channel_map *column, size_t all_columns, size_t taps,
                      node *out)
{
    weight_cut *cut;
    if (row->whole && column->whole) {
        return STATUS_OK;
    }
    TRY_ALLOC(cut, c->arena, 1);
    *cut = (weight_cut){.row = *row, .column = *column, .all_columns = all_columns, .taps = taps};
    out->cut = cut;
    out->n_weight = row->n * column->n * taps;
    out->n_bias = c->node->n_bias == 0 ? 0 : row->n;
    return STATUS_OK;
}

size_t op_count_live(const uint8_t *live, size_t from, size_t to)
{
    if (live == NULL) {
        return to - from;
    }
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        count += live[i] != 0;
    }
    return count;
}
