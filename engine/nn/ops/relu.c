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

/* [z > 0], asked of the output: relu(z) > 0 is the same, and z is not kept where the layer before does the ReLU. */
VECTOR_KERNEL
static void pass_where_alive(size_t n, const float *restrict y, const float *restrict g, float *restrict g_in)
{
    for (size_t i = 0; i < n; i++) {
        g_in[i] = y[i] <= 0.0f ? 0.0f : g[i];
    }
}

static void gradient(const relevance_call *c)
{
    pass_where_alive(c->batch * images_floats(c->node->out, c->block), c->out, c->r_out, c->r_in[0]);
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
    .gradient_way = RELEVANCE_WHOLE,
    .gradient = gradient,
    .in_place = true,
    .by_row = 1,
    .live = op_live_same,
    .shrink = op_shrink_same,
};
