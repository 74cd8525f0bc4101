#include "nn/op.h"

/* [C,H,W] -> [C H W]: from blocks of channels to the plain order, where images end. */
static status infer(const node *n, const shape in[], shape *out)
{
    (void)n;
    *out = (shape){.rank = 1, .dim = {shape_count(in[0])}};
    return STATUS_OK;
}

static void forward(const op_call *c)
{
    images_load(c->batch, c->in_shape[0], c->block, c->in[0], c->out);
}

static void relevance(const relevance_call *c)
{
    images_store(c->batch, c->in_shape[0], c->block, c->r_out, c->r_in[0]);
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
    .keeps_nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_MOVES,
    .relevance = relevance,
    .relevance_name = "pass",
    .gradient_way = RELEVANCE_MOVES,
    .gradient = relevance,
    .live = live,
};
