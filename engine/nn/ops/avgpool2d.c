#include <string.h>

#include "nn/op.h"
#include "nn/sizes.h"
#include "nn/stabilise.h"

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

static void pool_plane(shape in, shape out, const float *x, float *z)
{
    for (size_t oy = 0; oy < out.dim[1]; oy++) {
        const range rows = bin(oy, out.dim[1], in.dim[1]);
        for (size_t ox = 0; ox < out.dim[2]; ox++) {
            const range columns = bin(ox, out.dim[2], in.dim[2]);
            double sum = 0.0;
            for (size_t y = rows.from; y < rows.to; y++) {
                for (size_t i = columns.from; i < columns.to; i++) {
                    sum += (double)x[y * in.dim[2] + i];
                }
            }
            *z++ = (float)(sum / (double)((rows.to - rows.from) * (columns.to - columns.from)));
        }
    }
}

static void spread_plane(shape in, shape out, const float *s, float *r)
{
    memset(r, 0, in.dim[1] * in.dim[2] * sizeof *r);
    for (size_t oy = 0; oy < out.dim[1]; oy++) {
        const range rows = bin(oy, out.dim[1], in.dim[1]);
        for (size_t ox = 0; ox < out.dim[2]; ox++) {
            const range columns = bin(ox, out.dim[2], in.dim[2]);
            const float share = *s++ / (float)((rows.to - rows.from) * (columns.to - columns.from));
            for (size_t y = rows.from; y < rows.to; y++) {
                for (size_t i = columns.from; i < columns.to; i++) {
                    r[y * in.dim[2] + i] += share;
                }
            }
        }
    }
}

static void linear(const op_call *c, const float *weight, const float *x, float *z)
{
    (void)weight;
    const shape in = c->in_shape[0], out = c->node->out;
    for (size_t p = 0; p < c->batch * in.dim[0]; p++) {
        pool_plane(in, out, x + p * in.dim[1] * in.dim[2], z + p * out.dim[1] * out.dim[2]);
    }
}

static void forward(const op_call *c)
{
    linear(c, NULL, c->in[0], c->out);
}

static void spread(size_t batch, shape in, shape out, const float *s, float *r)
{
    for (size_t p = 0; p < batch * in.dim[0]; p++) {
        spread_plane(in, out, s + p * out.dim[1] * out.dim[2], r + p * in.dim[1] * in.dim[2]);
    }
}

static void adjoint(const op_call *c, const float *weight, const float *s, float *r)
{
    (void)weight;
    spread(c->batch, c->in_shape[0], c->node->out, s, r);
}

static size_t relevance_workspace(const node *n, const shape in[], size_t batch)
{
    (void)in;
    return batch * shape_count(n->out);
}

/* Norm (docs/attribution.md, section b): the epsilon rule of the averaging,  R_in = x . T'(R/st(y)). */
static void relevance(const relevance_call *c)
{
    const size_t n_in = c->batch * shape_count(c->in_shape[0]), n_out = c->batch * shape_count(c->node->out);
    const float epsilon = (float)c->epsilon;
    for (size_t i = 0; i < n_out; i++) {
        c->work[i] = c->r_out[i] / stabilise(c->out[i], epsilon);
    }
    spread(c->batch, c->in_shape[0], c->node->out, c->work, c->r_in[0]);
    for (size_t i = 0; i < n_in; i++) {
        c->r_in[0][i] *= c->in[0][i];
    }
}

const op_def op_avgpool2d = {
    .name = "avgpool2d",
    .help = "adaptive average",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .linear = linear,
    .adjoint = adjoint,
    .relevance_workspace = relevance_workspace,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .live = op_live_same,
};
