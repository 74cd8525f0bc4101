#include <math.h>

#include "core/vector.h"
#include "nn/lanes.h"
#include "nn/op.h"
#include "nn/quotient.h"

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

static inline double squares_of(size_t n, const float *restrict x, double mean)
{
    double lane[LANES] = {0.0}, rest = 0.0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            const double d = (double)x[i + k] - mean;
            lane[k] += d * d;
        }
    }
    for (; i < n; i++) {
        rest += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    return lanes_total(lane) + rest;
}

static inline moments row_moments(const node *n, size_t features, const float *x)
{
    const layernorm_attr *a = n->attr;
    const double mean = lanes_sum(features, x) / (double)features;
    return (moments){mean, sqrt(squares_of(features, x, mean) / (double)features + a->eps)};
}

VECTOR_KERNEL
static void normalise(const node *n, size_t rows, const float *in, float *out)
{
    const size_t features = shape_channels(n->out);
    const float *restrict weight = n->weight, *restrict bias = n->bias;
    for (size_t row = 0; row < rows; row++, in += features, out += features) {
        const moments m = row_moments(n, features, in);
        for (size_t i = 0; i < features; i++) {
            out[i] = (float)(((double)in[i] - m.mean) / m.deviation) * weight[i] + bias[i];
        }
    }
}

static void forward(const op_call *c)
{
    normalise(c->node, c->batch * shape_count(c->node->out) / shape_channels(c->node->out), c->in[0], c->out);
}

/* The epsilon rule of the affine map with the deviation taken as a constant (docs/attribution.md, section d):
 *   g = R/st(y) w/sd,   R_in = x (g - mean(g)). */
VECTOR_KERNEL
static void row_relevance(const node *n, const float *x, float *restrict g)
{
    const size_t features = shape_channels(n->out);
    const float *restrict weight = n->weight;
    const float deviation = (float)row_moments(n, features, x).deviation;
    for (size_t i = 0; i < features; i++) {
        g[i] = g[i] * weight[i] / deviation;
    }
    const float mean = (float)(lanes_sum(features, g) / (double)features);
    for (size_t i = 0; i < features; i++) {
        g[i] -= mean;
    }
}

static void relevance(const relevance_call *c)
{
    const size_t features = shape_channels(c->node->out), count = c->batch * shape_count(c->node->out);
    quotient(count, (float)c->epsilon, c->r_out, c->factor, c->out, c->r_in[0]);
    for (size_t row = 0; row < count; row += features) {
        row_relevance(c->node, c->in[0] + row, c->r_in[0] + row);
    }
}

/* Sums over the features of h = g w and of h (x - mean). */
typedef struct projections {
    double h, h_x;
} projections;

static inline projections row_projections(size_t n, const float *restrict weight, double mean, const float *restrict x,
                                          const float *restrict g)
{
    double lane[LANES] = {0.0}, lane_x[LANES] = {0.0};
    projections rest = {0.0, 0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            const double h = (double)g[i + k] * (double)weight[i + k];
            lane[k] += h;
            lane_x[k] += h * ((double)x[i + k] - mean);
        }
    }
    for (; i < n; i++) {
        const double h = (double)g[i] * (double)weight[i];
        rest.h += h;
        rest.h_x += h * ((double)x[i] - mean);
    }
    return (projections){lanes_total(lane) + rest.h, lanes_total(lane_x) + rest.h_x};
}

/* With the normalised x^ = (x - mean)/sd and h = g w:  dx = (h - mean(h) - x^ mean(h x^))/sd. The last term is what comes through the
 * variance. */
VECTOR_KERNEL
static void row_gradient(const node *n, const float *restrict x, const float *restrict g, float *restrict g_in)
{
    const size_t features = shape_channels(n->out);
    const float *restrict weight = n->weight;
    const moments m = row_moments(n, features, x);
    const projections p = row_projections(features, weight, m.mean, x, g);
    const double mean = p.h / (double)features, slope = p.h_x / (double)features / (m.deviation * m.deviation);
    for (size_t i = 0; i < features; i++) {
        const double h = (double)g[i] * (double)weight[i];
        g_in[i] = (float)((h - mean - ((double)x[i] - m.mean) * slope) / m.deviation);
    }
}

static void gradient(const relevance_call *c)
{
    const size_t features = shape_channels(c->node->out), count = c->batch * shape_count(c->node->out);
    for (size_t row = 0; row < count; row += features) {
        row_gradient(c->node, c->in[0] + row, c->r_out + row, c->r_in[0] + row);
    }
}

static op_cost cost(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live)
{
    (void)in;
    (void)in_live;
    (void)out_live;
    return (op_cost){.parameters = n->n_weight + n->n_bias};
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const layernorm_attr *a = n->attr;
    out[0] = (op_fact){.name = "eps", .real = a->eps};
    return 1;
}

const op_def op_layernorm = {
    .name = "layernorm",
    .help = "layer normalisation",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_QUOTIENTS,
    .relevance = relevance,
    .relevance_name = "layernorm",
    .relevance_reads = READS_EPSILON,
    .gradient_way = RELEVANCE_WHOLE,
    .gradient = gradient,
    .by_row = 1,
    .in_place = true,
    .cost = cost,
    .facts = facts,
};
