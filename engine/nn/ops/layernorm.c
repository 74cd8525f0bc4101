#include <math.h>

#include "nn/op.h"
#include "nn/stabilise.h"

/* y = (x - mean)/sqrt(var + eps) w + b over the last axis, biased variance (docs/attribution.md, section a). */
static status infer(const node *n, const shape in[], shape *out)
{
    const size_t features = shape_channels(in[0]);
    if (n->n_weight != features || n->n_bias != features) {
        return FAIL(ST_DATA, "%s: expected %zu weights and biases, found %zu and %zu", n->name, features, n->n_weight,
                    n->n_bias);
    }
    *out = in[0];
    return STATUS_OK;
}

typedef struct moments {
    double mean, deviation; /* sqrt(var + eps) */
} moments;

static moments row_moments(const node *n, size_t features, const float *x)
{
    const layernorm_attr *a = n->attr;
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < features; i++) {
        sum += (double)x[i];
    }
    const double mean = sum / (double)features;
    for (size_t i = 0; i < features; i++) {
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    return (moments){mean, sqrt(squares / (double)features + a->eps)};
}

static void forward(const op_call *c)
{
    const node *n = c->node;
    const size_t features = shape_channels(n->out), count = c->batch * shape_count(n->out);
    for (size_t row = 0; row < count; row += features) {
        const moments m = row_moments(n, features, c->in[0] + row);
        for (size_t i = 0; i < features; i++) {
            c->out[row + i] = (float)(((double)c->in[0][row + i] - m.mean) / m.deviation) * n->weight[i] + n->bias[i];
        }
    }
}

/* The epsilon rule of the affine map with the deviation taken as a constant (docs/attribution.md, section d):
 *   g = R/st(y) w/sd,   R_in = x (g - mean(g)). */
static void relevance(const relevance_call *c)
{
    const node *n = c->node;
    const size_t features = shape_channels(n->out), count = c->batch * shape_count(n->out);
    const float epsilon = (float)c->epsilon;
    for (size_t row = 0; row < count; row += features) {
        const float *x = c->in[0] + row, *y = c->out + row, *r = c->r_out + row;
        float *g = c->r_in[0] + row;
        const float deviation = (float)row_moments(n, features, x).deviation;
        double sum = 0.0;
        for (size_t i = 0; i < features; i++) {
            g[i] = r[i] / stabilise(y[i], epsilon) * n->weight[i] / deviation;
            sum += (double)g[i];
        }
        const float mean = (float)(sum / (double)features);
        for (size_t i = 0; i < features; i++) {
            g[i] = x[i] * (g[i] - mean);
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

const op_def op_layernorm = {
    .name = "layernorm",
    .help = "layer normalisation",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .relevance = relevance,
    .relevance_name = "layernorm",
    .relevance_reads = READS_EPSILON,
    .in_place = true,
    .cost = cost,
};
