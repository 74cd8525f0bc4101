#include <string.h>

#include "core/vector.h"
#include "nn/op.h"
#include "nn/sizes.h"

/* Max pooling, floor mode, padding never wins; the winner is the first maximum in row-major order of the window (attribution.md,
 * section a). Winners are saved as their place in the plane, a float: planes up to 2^24 pixels are exact. */
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

/* Maximum and, in `best`, place of one window, all channels of a block at once; plane [h,w,block]. */
static inline void window_maximum(size_t block, const float *restrict plane, size_t width, range rows, range columns,
                                  float *restrict most, float *restrict best)
{
    const size_t first = rows.from * width + columns.from;
    for (size_t l = 0; l < block; l++) {
        most[l] = plane[first * block + l];
        best[l] = (float)first;
    }
    for (size_t y = rows.from; y < rows.to; y++) {
        for (size_t x = columns.from; x < columns.to; x++) {
            const float *value = plane + (y * width + x) * block, place = (float)(y * width + x);
            for (size_t l = 0; l < block; l++) {
                const bool wins = value[l] > most[l] || (value[l] != value[l] && most[l] == most[l]);
                most[l] = wins ? value[l] : most[l];
                best[l] = wins ? place : best[l];
            }
        }
    }
}

/* block is a constant where this is inlined. saved NULL: nobody wants the winners. */
static inline void pool_planes(size_t block, const op_call *c)
{
    const maxpool_attr *a = c->node->attr;
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t planes = c->batch * images_floats(in, block) / (in.dim[1] * in.dim[2] * block);
    size_t k = 0;
    for (size_t p = 0; p < planes; p++) {
        const float *plane = c->in[0] + p * in.dim[1] * in.dim[2] * block;
        for (size_t oy = 0; oy < out.dim[1]; oy++) {
            const range rows = window(a, oy, in.dim[1]);
            for (size_t ox = 0; ox < out.dim[2]; ox++, k += block) {
                float most[MAX_BLOCK], best[MAX_BLOCK];
                window_maximum(block, plane, in.dim[2], rows, window(a, ox, in.dim[2]), most, best);
                memcpy(c->out + k, most, block * sizeof *most);
                if (c->saved != NULL) {
                    memcpy(c->saved + k, best, block * sizeof *best);
                }
            }
        }
    }
}

VECTOR_KERNEL
static void pool_single(const op_call *c)
{
    pool_planes(1, c);
}

VECTOR_KERNEL
static void pool_8(const op_call *c)
{
    pool_planes(8, c);
}

VECTOR_KERNEL
static void pool_16(const op_call *c)
{
    pool_planes(16, c);
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

/* Each output's relevance goes to its winner (attribution.md, section b). */
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

const op_def op_maxpool2d = {
    .name = "maxpool2d",
    .help = "maximum of a window",
    .n_in = 1,
    .infer = infer,
    .saved = saved,
    .forward = forward,
    .way = RELEVANCE_MOVES,
    .relevance = relevance,
    .relevance_name = "winner",
    .live = op_live_same,
};
