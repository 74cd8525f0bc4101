#include "nn/op.h"

static status infer(const node *n, const shape in[], shape *out)
{
    (void)n;
    *out = op_same_shape(in);
    return STATUS_OK;
}

/* Written so that a not-a-number stays one. */
static void forward(const op_call *c)
{
    const size_t count = c->batch * shape_count(c->node->out);
    for (size_t i = 0; i < count; i++) {
        const float x = c->in[0][i];
        c->out[i] = x <= 0.0f ? 0.0f : x;
    }
}

const op_def op_relu = {
    .name = "relu",
    .help = "max(x, 0)",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .relevance = op_pass_relevance,
    .relevance_name = "pass",
    .in_place = true,
    .live = op_live_same,
};
