#include <string.h>

#include "core/vector.h"
#include "nn/op.h"
#include "nn/quotient.h"

/* Sum of a shortcut and a branch. */
static status infer(const node *n, const shape in[], shape *out)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (in[0].rank != in[1].rank || memcmp(in[0].dim, in[1].dim, in[0].rank * sizeof in[0].dim[0]) != 0) {
        return FAIL(ST_DATA, "%s: expected two summands of one shape, found %s and %s", n->name,
                    shape_text(in[0].rank, in[0].dim, a), shape_text(in[1].rank, in[1].dim, b));
    }
    *out = in[0];
    return STATUS_OK;
}

VECTOR_KERNEL
static void sum(size_t n, const float *restrict a, const float *restrict b, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
    }
}

VECTOR_KERNEL
static void sum_in_place(size_t n, const float *restrict a, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += a[i];
    }
}

VECTOR_KERNEL
static void rectified_sum_in_place(size_t n, const float *restrict a, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        const float x = y[i] + a[i];
        y[i] = x <= 0.0f ? 0.0f : x;
    }
}

VECTOR_KERNEL
static void rectified_sum(size_t n, const float *restrict a, const float *restrict b, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        const float x = a[i] + b[i];
        y[i] = x <= 0.0f ? 0.0f : x;
    }
}

static void forward(const op_call *c)
{
    const size_t count = c->batch * images_floats(c->node->out, c->block);
    const bool in_place = c->out == c->in[0] || c->out == c->in[1];
    if (c->relu && in_place) {
        rectified_sum_in_place(count, c->in[c->out == c->in[0] ? 1 : 0], c->out);
    } else if (c->relu) {
        rectified_sum(count, c->in[0], c->in[1], c->out);
    } else if (in_place) {
        sum_in_place(count, c->in[c->out == c->in[0] ? 1 : 0], c->out);
    } else {
        sum(count, c->in[0], c->in[1], c->out);
    }
}

/* Norm (docs/attribution.md, section b):  q = R/st(a+b),  R_a = a q,  R_b = b q: q is the quotient of both. */
static void relevance(const relevance_call *c)
{
    quotient(c->batch * images_floats(c->node->out, c->block), (float)c->epsilon, c->r_out, c->factor, c->out,
             c->r_in[0]);
}

/* A channel of the sum lives as long as one of its summands has it. */
static void live(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live)
{
    (void)in;
    (void)alive;
    for (size_t c = 0; c < shape_channels(n->out); c++) {
        out_live[c] = in_live[0][c] || in_live[1][c];
    }
}

static status shrink(const shrink_call *c, node *out, channel_map *map)
{
    if (channel_map_equal(&c->in[0], &c->in[1])) {
        *map = c->in[0];
        return STATUS_OK;
    }
    const size_t channels = shape_channels(c->node->out);
    uint8_t *any;
    TRY_ALLOC(any, c->arena, channels);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < c->in[i].n; k++) {
            if (c->in[i].channel[k] != NO_CHANNEL) {
                any[c->in[i].channel[k]] = 1;
            }
        }
    }
    TRY(channel_map_kept(c->arena, channels, any, 1, map));
    out->op = &op_scatter_add;
    return scatter_attr_make(c->arena, 2, c->in, map, &out->attr);
}

const op_def op_add = {
    .name = "add",
    .help = "residual sum",
    .keeps_nonnegative = true,
    .n_in = 2,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_SHARED,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .gradient_way = RELEVANCE_PASSES, /* to both */
    .by_row = 3, /* both */
    .in_place = true,
    .live = live,
    .shrink = shrink,
    .takes_relu = true,
};
