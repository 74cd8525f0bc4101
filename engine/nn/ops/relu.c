#include "core/vector.h"
#include "nn/op.h"

static status infer(const node *n, const shape in[], shape *out)
{
    (void)n;
    *out = op_same_shape(in);
    return STATUS_OK;
}

/* Written so that a not-a-number stays one. */
VECTOR_KERNEL
static void rectify(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] <= 0.0f ? 0.0f : x[i];
    }
}

VECTOR_KERNEL
static void rectify_in_place(size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] <= 0.0f ? 0.0f : x[i];
    }
}

static void forward(const op_call *c)
{
    const size_t count = c->batch * images_floats(c->node->out, c->block);
    if (c->out == c->in[0]) {
        rectify_in_place(count, c->out);
    } else {
        rectify(count, c->in[0], c->out);
    }
}

const op_def op_relu = {
    .name = "relu",
    .help = "max(x, 0)",
    .nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_PASSES,
    .relevance_name = "pass",
    .in_place = true,
    .live = op_live_same,
};
