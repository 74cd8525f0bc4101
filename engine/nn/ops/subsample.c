#include <string.h>

#include "nn/op.h"
#include "nn/sizes.h"

/* Shortcut without parameters (He et al. 2015, option A):  y[c,i,j] = x[c - before, s i, s j],  channels beyond those of x are 0.
 * Elements change place only, so relevance moves with them exactly; pixels that are left out get none. */
static status infer(const node *n, const shape in[], shape *out)
{
    const subsample_attr *a = n->attr;
    char text[SHAPE_TEXT];
    if (in[0].rank != 3 || a->stride == 0 || a->out_channels > MAX_COUNT || a->before > a->out_channels ||
        in[0].dim[0] > a->out_channels - a->before) {
        return FAIL(ST_DATA, "%s: an input %s does not fit into %zu channels from %zu on", n->name,
                    shape_text(in[0].rank, in[0].dim, text), a->out_channels, a->before);
    }
    *out = (shape){.rank = 3,
                   .dim = {a->out_channels, (in[0].dim[1] - 1) / a->stride + 1, (in[0].dim[2] - 1) / a->stride + 1}};
    return STATUS_OK;
}

/* First element of a channel's plane, whose pixels lie `block` apart. */
static size_t plane_of(shape s, size_t block, size_t channel)
{
    return channel / block * block * s.dim[1] * s.dim[2] + channel % block;
}

/* One sample: every element of x that y has, from x to y or, for relevance, from y to x. */
static void move(const subsample_attr *a, shape in, shape out, size_t block, const float *from, float *to, bool back)
{
    for (size_t c = 0; c < in.dim[0]; c++) {
        const size_t small = plane_of(out, block, a->before + c), large = plane_of(in, block, c);
        for (size_t y = 0; y < out.dim[1]; y++) {
            for (size_t x = 0; x < out.dim[2]; x++) {
                const size_t i = small + (y * out.dim[2] + x) * block;
                const size_t k = large + (y * a->stride * in.dim[2] + x * a->stride) * block;
                to[back ? k : i] = from[back ? i : k];
            }
        }
    }
}

static void forward(const op_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t n_in = images_floats(in, c->block), n_out = images_floats(out, c->block);
    memset(c->out, 0, c->batch * n_out * sizeof *c->out);
    for (size_t b = 0; b < c->batch; b++) {
        move(c->node->attr, in, out, c->block, c->in[0] + b * n_in, c->out + b * n_out, false);
    }
}

static void relevance(const relevance_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t n_in = images_floats(in, c->block), n_out = images_floats(out, c->block);
    memset(c->r_in[0], 0, c->batch * n_in * sizeof *c->r_in[0]);
    for (size_t b = 0; b < c->batch; b++) {
        move(c->node->attr, in, out, c->block, c->r_out + b * n_out, c->r_in[0] + b * n_in, true);
    }
}

static void live(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live)
{
    const subsample_attr *a = n->attr;
    (void)alive;
    memset(out_live, 0, a->out_channels);
    memcpy(out_live + a->before, in_live[0], in[0].dim[0]);
}

/* The channels of zeros are gone with the rest. */
static status shrink(const shrink_call *c, node *out, channel_map *map)
{
    const subsample_attr *whole = c->node->attr;
    subsample_attr *a;
    uint32_t *channel;
    TRY_ALLOC(a, c->arena, 1);
    TRY_ALLOC(channel, c->arena, c->in[0].n);
    for (size_t i = 0; i < c->in[0].n; i++) {
        const uint32_t in = c->in[0].channel[i];
        channel[i] = in == NO_CHANNEL ? NO_CHANNEL : (uint32_t)(whole->before + in);
    }
    *a = (subsample_attr){.stride = whole->stride, .out_channels = c->in[0].n};
    out->attr = a;
    *map = (channel_map){.n = c->in[0].n, .channel = channel, .whole = c->in[0].whole && c->in[0].n == whole->out_channels};
    return STATUS_OK;
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const subsample_attr *a = n->attr;
    out[0] = (op_fact){"stride", 1, {a->stride, 0}, 0.0};
    out[1] = (op_fact){"before", 1, {a->before, 0}, 0.0};
    return 2;
}

const op_def op_subsample = {
    .name = "subsample",
    .help = "every s-th pixel, between channels of zeros",
    .keeps_nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_MOVES,
    .relevance = relevance,
    .relevance_name = "pass",
    .gradient_way = RELEVANCE_MOVES,
    .gradient = relevance, /* linear: its transpose is its derivative */
    .live = live,
    .shrink = shrink,
    .facts = facts,
};
