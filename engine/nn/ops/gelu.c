#include <math.h>

#include "nn/op.h"

static status infer(const node *n, const shape in[], shape *out)
{
    (void)n;
    *out = op_same_shape(in);
    return STATUS_OK;
}

/* x Phi(x) = x/2 (1 + erf(x/sqrt 2)), the exact form. erfc instead of 1 + erf keeps the relative precision of negative x. */
static void forward(const op_call *c)
{
    const size_t count = c->batch * shape_count(c->node->out);
    for (size_t i = 0; i < count; i++) {
        const float x = c->in[0][i];
        c->out[i] = 0.5f * x * erfcf(-x * 0.707106781f);
    }
}

const op_def op_gelu = {
    .name = "gelu",
    .help = "x Phi(x), exact",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .relevance = op_pass_relevance,
    .relevance_name = "pass",
    .in_place = true,
    .live = op_live_same,
};
