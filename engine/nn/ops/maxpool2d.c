#include <math.h>
#include <string.h>

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

static size_t saved(const node *n, const shape in[])
{
    (void)in;
    return shape_count(n->out);
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

static size_t winner(const float *plane, size_t width, range rows, range columns)
{
    size_t best = rows.from * width + columns.from;
    for (size_t y = rows.from; y < rows.to; y++) {
        for (size_t x = columns.from; x < columns.to; x++) {
            const float value = plane[y * width + x];
            if (value > plane[best] || (isnan(value) && !isnan(plane[best]))) {
                best = y * width + x;
            }
        }
    }
    return best;
}

static void forward(const op_call *c)
{
    const maxpool_attr *a = c->node->attr;
    const shape in = c->in_shape[0], out = c->node->out;
    size_t k = 0;
    for (size_t p = 0; p < c->batch * in.dim[0]; p++) {
        const float *plane = c->in[0] + p * in.dim[1] * in.dim[2];
        for (size_t oy = 0; oy < out.dim[1]; oy++) {
            const range rows = window(a, oy, in.dim[1]);
            for (size_t ox = 0; ox < out.dim[2]; ox++, k++) {
                const size_t best = winner(plane, in.dim[2], rows, window(a, ox, in.dim[2]));
                c->out[k] = plane[best];
                c->saved[k] = (float)best;
            }
        }
    }
}

/* Each output's relevance goes to its winner (docs/attribution.md, section b). */
static void relevance(const relevance_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t in_plane = in.dim[1] * in.dim[2], out_plane = out.dim[1] * out.dim[2];
    memset(c->r_in[0], 0, c->batch * shape_count(in) * sizeof *c->r_in[0]);
    for (size_t i = 0; i < c->batch * shape_count(out); i++) {
        c->r_in[0][i / out_plane * in_plane + (size_t)c->saved[i]] += c->r_out[i];
    }
}

const op_def op_maxpool2d = {
    .name = "maxpool2d",
    .help = "maximum of a window",
    .n_in = 1,
    .infer = infer,
    .saved = saved,
    .forward = forward,
    .relevance = relevance,
    .relevance_name = "winner",
    .live = op_live_same,
};
