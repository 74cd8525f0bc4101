#include <string.h>

#include "nn/op.h"

/* [C,H,W] -> [C H W]: the same numbers in the same order. */
static status infer(const node *n, const shape in[], shape *out)
{
    (void)n;
    *out = (shape){.rank = 1, .dim = {shape_count(in[0])}};
    return STATUS_OK;
}

static void forward(const op_call *c)
{
    if (c->out != c->in[0]) {
        memcpy(c->out, c->in[0], c->batch * shape_count(c->node->out) * sizeof *c->out);
    }
}

static void live(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live)
{
    (void)alive;
    const size_t plane = in[0].rank == 3 ? in[0].dim[1] * in[0].dim[2] : 1, channels = shape_channels(in[0]);
    for (size_t i = 0; i < n->out.dim[0]; i++) {
        out_live[i] = in_live[0][i / plane % channels];
    }
}

const op_def op_flatten = {
    .name = "flatten",
    .help = "one axis instead of three",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .relevance = op_pass_relevance,
    .relevance_name = "pass",
    .in_place = true,
    .live = live,
};
