#include <string.h>

#include "nn/op.h"
#include "nn/quotient.h"
#include "nn/sizes.h"

/* Adaptive average pooling: bin i of m over n inputs averages [floor(i n/m), ceil((i+1) n/m)); bins may overlap
 * (docs/attribution.md, section a). */
static status infer(const node *n, const shape in[], shape *out)
{
    const avgpool_attr *a = n->attr;
    char text[SHAPE_TEXT];
    size_t count;
    *out = (shape){.rank = 3, .dim = {in[0].dim[0], a->output[0], a->output[1]}};
    if (in[0].rank != 3 || !sizes_product(3, out->dim, &count)) {
        return FAIL(ST_DATA, "%s: cannot pool an input %s to %zux%zu", n->name, shape_text(in[0].rank, in[0].dim, text),
                    a->output[0], a->output[1]);
    }
    return STATUS_OK;
}

typedef struct range {
    size_t from, to;
} range;

static range bin(size_t i, size_t m, size_t n)
{
    return (range){i * n / m, ((i + 1) * n + m - 1) / m};
}

/* One plane [h,w,block] of each, all channels of a block at once. */
static void pool_plane(shape in, shape out, size_t block, const float *x, float *z)
{
    for (size_t oy = 0; oy < out.dim[1]; oy++) {
        const range rows = bin(oy, out.dim[1], in.dim[1]);
        for (size_t ox = 0; ox < out.dim[2]; ox++, z += block) {
            const range columns = bin(ox, out.dim[2], in.dim[2]);
            const double size = (double)((rows.to - rows.from) * (columns.to - columns.from));
            double sum[MAX_BLOCK] = {0.0};
            for (size_t y = rows.from; y < rows.to; y++) {
                for (size_t i = columns.from * block; i < columns.to * block; i++) {
                    sum[i % block] += (double)x[y * in.dim[2] * block + i];
                }
            }
            for (size_t l = 0; l < block; l++) {
                z[l] = (float)(sum[l] / size);
            }
        }
    }
}

static void spread_plane(shape in, shape out, size_t block, const float *s, float *r)
{
    for (size_t oy = 0; oy < out.dim[1]; oy++) {
        const range rows = bin(oy, out.dim[1], in.dim[1]);
        for (size_t ox = 0; ox < out.dim[2]; ox++, s += block) {
            const range columns = bin(ox, out.dim[2], in.dim[2]);
            const float size = (float)((rows.to - rows.from) * (columns.to - columns.from));
            for (size_t y = rows.from; y < rows.to; y++) {
                for (size_t i = columns.from * block; i < columns.to * block; i++) {
                    r[y * in.dim[2] * block + i] += s[i % block] / size;
                }
            }
        }
    }
}

/* Every bin is one element: nothing to do but to copy. */
static bool is_identity(shape in, shape out)
{
    return in.dim[1] == out.dim[1] && in.dim[2] == out.dim[2];
}

static void forward(const op_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t in_plane = in.dim[1] * in.dim[2] * c->block, out_plane = out.dim[1] * out.dim[2] * c->block;
    const size_t n_in = c->batch * images_floats(in, c->block);
    if (is_identity(in, out)) {
        memcpy(c->out, c->in[0], n_in * sizeof *c->out);
        return;
    }
    for (size_t p = 0; p < n_in / in_plane; p++) {
        pool_plane(in, out, c->block, c->in[0] + p * in_plane, c->out + p * out_plane);
    }
}

static size_t relevance_workspace(const node *n, const shape in[], size_t batch, size_t block)
{
    return is_identity(in[0], n->out) ? 0 : batch * images_floats(n->out, block);
}

/* Norm (docs/attribution.md, section b): the epsilon rule of the averaging,  R_in = x . T'(R/st(y)). */
static void relevance(const relevance_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t in_plane = in.dim[1] * in.dim[2] * c->block, out_plane = out.dim[1] * out.dim[2] * c->block;
    const size_t n_in = c->batch * images_floats(in, c->block), n_out = c->batch * images_floats(out, c->block);
    float *s = is_identity(in, out) ? c->r_in[0] : c->work;
    quotient(n_out, (float)c->epsilon, c->r_out, c->factor, c->out, s);
    if (is_identity(in, out)) {
        return;
    }
    memset(c->r_in[0], 0, n_in * sizeof *c->r_in[0]);
    for (size_t p = 0; p < n_in / in_plane; p++) {
        spread_plane(in, out, c->block, s + p * out_plane, c->r_in[0] + p * in_plane);
    }
}

/* T' g */
static void gradient(const relevance_call *c)
{
    const shape in = c->in_shape[0], out = c->node->out;
    const size_t in_plane = in.dim[1] * in.dim[2] * c->block, out_plane = out.dim[1] * out.dim[2] * c->block;
    const size_t n_in = c->batch * images_floats(in, c->block);
    memset(c->r_in[0], 0, n_in * sizeof *c->r_in[0]);
    for (size_t p = 0; p < n_in / in_plane; p++) {
        spread_plane(in, out, c->block, c->r_out + p * out_plane, c->r_in[0] + p * in_plane);
    }
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const avgpool_attr *a = n->attr;
    out[0] = (op_fact){"output", 2, {a->output[0], a->output[1]}, 0.0};
    return 1;
}

const op_def op_avgpool2d = {
    .name = "avgpool2d",
    .help = "adaptive average",
    .keeps_nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .relevance_workspace = relevance_workspace,
    .way = RELEVANCE_QUOTIENTS,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .gradient_way = RELEVANCE_WHOLE,
    .gradient = gradient,
    .live = op_live_same,
    .shrink = op_shrink_same,
    .facts = facts,
};
