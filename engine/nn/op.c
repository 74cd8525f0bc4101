#include "nn/op.h"

#include <string.h>

#define OP(name) &op_##name,
const op_def *const op_table[] = {
#include "nn/ops/ops.def"
};
#undef OP
const size_t op_count = COUNT(op_table);

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

void op_pass_relevance(const relevance_call *c)
{
    memcpy(c->r_in[0], c->r_out, c->batch * shape_count(c->node->out) * sizeof *c->r_out);
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

void op_zero_dead_channels(const op_call *c)
{
    if (c->alive == NULL) {
        return;
    }
    const shape s = c->node->out;
    const size_t channels = shape_channels(s), count = shape_count(s);
    const size_t plane = s.rank == 3 ? s.dim[1] * s.dim[2] : 1; /* consecutive elements of a channel */
    for (float *row = c->out, *end = c->out + c->batch * count; row != end; row += channels * plane) {
        for (size_t k = 0; k < channels; k++) {
            for (size_t i = 0; !c->alive[k] && i < plane; i++) {
                row[k * plane + i] = 0.0f;
            }
        }
    }
}
