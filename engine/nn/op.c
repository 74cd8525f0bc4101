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
