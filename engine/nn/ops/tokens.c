#include <string.h>

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

/* Where feature j of patch 0 lies in an image in blocks; patches follow at a distance of `block`. */
static size_t feature_at(size_t j, size_t patches, size_t block)
{
    return j / block * block * patches + j % block;
}

static void forward(const op_call *c)
{
    const node *n = c->node;
    const size_t t = n->out.dim[0], e = n->out.dim[1], each = images_floats(c->in_shape[0], c->block);
    for (size_t b = 0; b < c->batch; b++) {
        const float *x = c->in[0] + b * each;
        float *y = c->out + b * t * e;
        for (size_t j = 0; j < e; j++) {
            y[j] = n->weight[j] + n->bias[j];
        }
        for (size_t p = 1; p < t; p++) {
            for (size_t j = 0; j < e; j++) {
                y[p * e + j] = x[feature_at(j, t - 1, c->block) + (p - 1) * c->block] + n->bias[p * e + j];
            }
        }
    }
}

/* Norm with the positional embedding, whose share is dropped, as is the class token's row
 * (docs/attribution.md, section d, "Ends"). */
static void relevance(const relevance_call *c)
{
    const size_t t = c->node->out.dim[0], e = c->node->out.dim[1], each = images_floats(c->in_shape[0], c->block);
    const float epsilon = (float)c->epsilon;
    memset(c->r_in[0], 0, c->batch * each * sizeof *c->r_in[0]);
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t i = e; i < t * e; i++) {
            const size_t k = b * t * e + i;
            const float r = c->factor == NULL ? c->r_out[k] : c->r_out[k] * c->factor[k];
            c->r_in[0][b * each + feature_at(i % e, t - 1, c->block) + (i / e - 1) * c->block] =
                r / stabilise(c->out[k], epsilon);
        }
    }
}

/* The patches' rows, as an image again. */
static void gradient(const relevance_call *c)
{
    const size_t t = c->node->out.dim[0], e = c->node->out.dim[1], each = images_floats(c->in_shape[0], c->block);
    memset(c->r_in[0], 0, c->batch * each * sizeof *c->r_in[0]);
    for (size_t b = 0; b < c->batch; b++) {
        const float *g = c->r_out + b * t * e;
        for (size_t i = e; i < t * e; i++) {
            c->r_in[0][b * each + feature_at(i % e, t - 1, c->block) + (i / e - 1) * c->block] = g[i];
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
    .way = RELEVANCE_QUOTIENTS,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .gradient_way = RELEVANCE_WHOLE,
    .gradient = gradient,
    .cost = cost,
};
