#include <string.h>

#include "nn/op.h"
#include "nn/stabilise.h"

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

static void forward(const op_call *c)
{
    const size_t count = c->batch * shape_count(c->node->out);
    for (size_t i = 0; i < count; i++) {
        c->out[i] = c->in[0][i] + c->in[1][i];
    }
}

/* Norm (docs/attribution.md, section b):  q = R/st(a+b),  R_a = a q,  R_b = b q. */
static void relevance(const relevance_call *c)
{
    const size_t count = c->batch * shape_count(c->node->out);
    const float epsilon = (float)c->epsilon;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; c->r_in[k] != NULL && i < count; i++) {
            c->r_in[k][i] = c->in[k][i] * (c->r_out[i] / stabilise(c->out[i], epsilon));
        }
    }
}

const op_def op_add = {
    .name = "add",
    .help = "residual sum",
    .n_in = 2,
    .infer = infer,
    .forward = forward,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .in_place = true,
};
