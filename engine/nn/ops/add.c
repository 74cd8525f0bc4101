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
    if (c->relu) {
        rectified_sum(count, c->in[0], c->in[1], c->out); /* never in place: both summands are kept */
    } else if (c->out == c->in[0] || c->out == c->in[1]) {
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
};
