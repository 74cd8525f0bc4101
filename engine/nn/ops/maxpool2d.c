#include <math.h>
#include <string.h>

#include "core/vector.h"
#include "nn/op.h"
#include "nn/sizes.h"

/* Max pooling, floor mode, padding never wins; the winner is the first maximum in row-major order of the window
 * (docs/attribution.md, section a). Winners are saved as their place in the plane, a float: planes up to 2^24 pixels
 * are exact. */
enum { MAX_PLANE = 1 << 24 };

static status infer(const node *n, const shape in[], shape *out)
{
    const maxpool_attr *a = n->attr;
    char text[SHAPE_TEXT];
    /* Half a window of padding at most, so that every window touches the image. */
    if (in[0].rank != 3 || a->stride == 0 || a->kernel == 0 || a->kernel > MAX_COUNT || 2 * a->padding > a->kernel ||
        in[0].dim[1] * in[0].dim[2] > MAX_PLANE || a->kernel > in[0].dim[1] + 2 * a->padding ||
        a->kernel > in[0].dim[2] + 2 * a->padding) {
        return FAIL(ST_DATA,
                    "%s: a window of %zu does not fit into an input %s with padding %zu; is the image size right?",
                    n->name, a->kernel, shape_text(in[0].rank, in[0].dim, text), a->padding);
    }
    *out = in[0];
    for (size_t i = 1; i < 3; i++) {
        out->dim[i] = (in[0].dim[i] + 2 * a->padding - a->kernel) / a->stride + 1;
    }
    return STATUS_OK;
}

static size_t saved(const node *n, const shape in[], size_t block)
{
    (void)in;
    return images_floats(n->out, block);
}

typedef struct range {
    size_t from, to;
} range;

/* What of window `o` lies inside an axis of n elements. */
static range window(const maxpool_attr *a, size_t o, size_t n)
{
    const size_t first = o * a->stride,
                 end = first + a->kernel - a->padding; /* the latter without the padding, the former with */
    return (range){first > a->padding ? first - a->padding : 0, end < n ? end : n};
}

/* Outputs of a row whose window has tap kx inside the image. */
static inline range outputs_of_tap(const maxpool_attr *a, size_t kx, size_t in_width, size_t out_width)
{
    const size_t from = kx >= a->padding ? 0 : (a->padding - kx + a->stride - 1) / a->stride;
    const size_t end = in_width + a->padding <= kx ? 0 : (in_width + a->padding - kx - 1) / a->stride + 1;
    return (range){from, end < out_width ? end : out_width};
}

/* One tap of the windows of one row of outputs, all channels of a block at once; `place` [out_width, block] or NULL. */
static inline void take_tap(size_t block, size_t stride, range outputs, size_t first_place, const float *restrict x,
                            float *restrict most, float *restrict place)
{
    for (size_t o = outputs.from; o < outputs.to; o++, x += stride * block) {
        const float here = (float)(first_place + (o - outputs.from) * stride);
#pragma GCC unroll 1 /* else it is unrolled before it could become a vector operation */
        for (size_t l = 0; l < block; l++) {
            const float old = most[o * block + l], value = x[l];
            const bool wins = !(value <= old) & (old == old); /* a not-a-number wins once; `&`: no branch */
            most[o * block + l] = wins ? value : old;
            if (place != NULL) {
                place[o * block + l] = wins ? here : place[o * block + l];
            }
        }
    }
}

/* One row of outputs: taps in row-major order, so that the first maximum stays. */
static inline void pool_row(size_t block, const maxpool_attr *a, shape in, shape out, size_t oy, const float *plane,
                            float *most, float *place)
{
    const range rows = window(a, oy, in.dim[1]);
    for (size_t ox = 0; ox < out.dim[2]; ox++) {
        const float first = (float)(rows.from * in.dim[2] + window(a, ox, in.dim[2]).from);
        for (size_t l = 0; l < block; l++) {
            most[ox * block + l] = -INFINITY;
            if (place != NULL) {
                place[ox * block + l] = first;
            }
        }
    }
    for (size_t y = rows.from; y < rows.to; y++) {
        for (size_t kx = 0; kx < a->kernel; kx++) {
            const range outputs = outputs_of_tap(a, kx, in.dim[2], out.dim[2]);
            const size_t at = y * in.dim[2] + outputs.from * a->stride + kx - a->padding;
            take_tap(block, a->stride, outputs, at, plane + at * block, most, place);
        }
    }
}

/* block is a constant where this is inlined; saved NULL: nobody wants the winners. */
static inline void pool_planes(size_t block, const op_call *c, float *saved)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t in_plane = in.dim[1] * in.dim[2] * block, row = out.dim[2] * block;
    const size_t planes = c->batch * images_floats(in, block) / in_plane;
    for (size_t k = 0; k < planes * out.dim[1]; k++) {
        pool_row(block, c->node->attr, in, out, k % out.dim[1], c->in[0] + k / out.dim[1] * in_plane, c->out + k * row,
                 saved == NULL ? NULL : saved + k * row);
    }
}

VECTOR_KERNEL
static void pool_single(const op_call *c)
{
    pool_planes(1, c, c->saved);
}

VECTOR_KERNEL
static void pool_8(const op_call *c)
{
    if (c->saved == NULL) {
        pool_planes(8, c, NULL);
    } else {
        pool_planes(8, c, c->saved);
    }
}

VECTOR_KERNEL
static void pool_16(const op_call *c)
{
    if (c->saved == NULL) {
        pool_planes(16, c, NULL);
    } else {
        pool_planes(16, c, c->saved);
    }
}

static void forward(const op_call *c)
{
    if (c->block == 8) {
        pool_8(c);
    } else if (c->block == 16) {
        pool_16(c);
    } else {
        pool_single(c);
    }
}

/* Each output's relevance goes to its winner (docs/attribution.md, section b): the derivative. */
static void relevance(const relevance_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t in_plane = in.dim[1] * in.dim[2] * c->block, out_plane = out.dim[1] * out.dim[2] * c->block;
    const size_t planes = c->batch * images_floats(in, c->block) / in_plane;
    memset(c->r_in[0], 0, planes * in_plane * sizeof *c->r_in[0]);
    for (size_t p = 0; p < planes; p++) {
        float *to = c->r_in[0] + p * in_plane;
        for (size_t i = p * out_plane; i < (p + 1) * out_plane; i++) {
            to[(size_t)(int32_t)c->saved[i] * c->block + i % c->block] += c->r_out[i];
        }
    }
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const maxpool_attr *a = n->attr;
    out[0] = (op_fact){"kernel", 1, {a->kernel, 0}, 0.0};
    out[1] = (op_fact){"stride", 1, {a->stride, 0}, 0.0};
    out[2] = (op_fact){"padding", 1, {a->padding, 0}, 0.0};
    return 3;
}

const op_def op_maxpool2d = {
    .name = "maxpool2d",
    .help = "maximum of a window",
    .keeps_nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .saved = saved,
    .forward = forward,
    .way = RELEVANCE_MOVES,
    .relevance = relevance,
    .relevance_name = "winner",
    .gradient_way = RELEVANCE_MOVES,
    .gradient = relevance,
    .live = op_live_same,
    .shrink = op_shrink_same,
    .facts = facts,
};
