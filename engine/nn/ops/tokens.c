#include "nn/op.h"
#include "nn/sizes.h"
#include "nn/stabilise.h"

/* Patch embeddings [E,gh,gw] -> tokens [1 + gh gw, E]: the class token first, then the patches in row-major order, plus the positional
 * embedding. weight = class token [E], bias = positional embedding [T,E]. */
static status infer(const node *n, const shape in[], shape *out)
{
    char text[SHAPE_TEXT];
    size_t count;
    if (in[0].rank != 3) {
        return FAIL(ST_DATA, "%s: expected patch embeddings [features, rows, columns], found %s", n->name,
                    shape_text(in[0].rank, in[0].dim, text));
    }
    *out = (shape){.rank = 2, .dim = {in[0].dim[1] * in[0].dim[2] + 1, in[0].dim[0]}};
    if (!sizes_product(2, out->dim, &count) || n->n_weight != out->dim[1] || n->n_bias != count) {
        return FAIL(ST_DATA,
                    "%s: expected a class token of %zu and positional embeddings %s, found %zu and %zu numbers",
                    n->name, out->dim[1], shape_text(2, out->dim, text), n->n_weight, n->n_bias);
    }
    return STATUS_OK;
}

static void forward(const op_call *c)
{
    const node *n = c->node;
    const size_t t = n->out.dim[0], e = n->out.dim[1];
    for (size_t b = 0; b < c->batch; b++) {
        const float *x = c->in[0] + b * (t - 1) * e;
        float *y = c->out + b * t * e;
        for (size_t j = 0; j < e; j++) {
            y[j] = n->weight[j] + n->bias[j];
        }
        for (size_t p = 1; p < t; p++) {
            for (size_t j = 0; j < e; j++) {
                y[p * e + j] = x[j * (t - 1) + p - 1] + n->bias[p * e + j];
            }
        }
    }
}

/* Norm with the positional embedding, whose share is dropped, as is the class token's row
 * (docs/attribution.md, section d, "Ends"). */
static void relevance(const relevance_call *c)
{
    const size_t t = c->node->out.dim[0], e = c->node->out.dim[1];
    const float epsilon = (float)c->epsilon;
    for (size_t b = 0; b < c->batch; b++) {
        const float *x = c->in[0] + b * (t - 1) * e, *y = c->out + b * t * e, *r = c->r_out + b * t * e;
        float *r_in = c->r_in[0] + b * (t - 1) * e;
        for (size_t p = 1; p < t; p++) {
            for (size_t j = 0; j < e; j++) {
                const size_t i = j * (t - 1) + p - 1;
                r_in[i] = x[i] * (r[p * e + j] / stabilise(y[p * e + j], epsilon));
            }
        }
    }
}

static op_cost cost(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live)
{
    (void)in;
    (void)in_live;
    (void)out_live;
    return (op_cost){.parameters = n->n_weight + n->n_bias};
}

const op_def op_tokens = {
    .name = "tokens",
    .help = "patches to tokens, with class token and positional embedding",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .cost = cost,
};
