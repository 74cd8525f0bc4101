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

/* Every channel that is left keeps its plane, and its place in every token. */
static status shrink(const shrink_call *c, node *out, channel_map *map)
{
    (void)out;
    const shape in = c->in_shape[0];
    const size_t plane = in.rank == 3 ? in.dim[1] * in.dim[2] : 1, tokens = in.rank == 2 ? in.dim[0] : 1;
    const size_t each = c->in[0].n * plane, whole_each = shape_channels(in) * plane;
    uint32_t *channel;
    TRY_ALLOC(channel, c->arena, tokens * each);
    for (size_t i = 0; i < tokens * each; i++) {
        const uint32_t whole = c->in[0].channel[i % each / plane];
        channel[i] = whole == NO_CHANNEL ? NO_CHANNEL : (uint32_t)(i / each * whole_each + whole * plane + i % plane);
    }
    *map = (channel_map){.n = tokens * each, .channel = channel, .whole = c->in[0].whole};
    return STATUS_OK;
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
    .shrink = shrink,
};
