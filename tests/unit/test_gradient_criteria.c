/* Criteria of derivatives and of inputs against what they are defined as: completeness, finite differences, naive twins. */
#include "support/network.h"
#include "support/parameters.h"

#include <math.h>
#include <string.h>

#include "attribution/methods/noise.h"
#include "nn/op.h"
#include "pruning/aggregate.h"

enum { BATCH = NETWORK_BATCH };

static const float *rows(const network *n, const char *criterion, const char *text, size_t *stride)
{
    double parameters[MAX_CRITERION_PARAMETERS];
    parameters_read(criterion_find(criterion), text, parameters);
    return network_rows(n, criterion_find(criterion), parameters, stride);
}

/* Sum over the components of a layer of a sample's signed values. */
static double layer_sum(const network *n, const node *layer, const float *row)
{
    double sum = 0.0;
    for (size_t c = 0; c < layer->n_components; c++) {
        sum += (double)row[AGGREGATE_SIGNED * n->g->n_components + layer->first_component + c];
    }
    return sum;
}

/* y(x) - y(0) of the labels. */
static void find_changes(const network *n, double out[BATCH])
{
    const float *zeros = arena_alloc(n->work, BATCH * shape_count(n->g->input), sizeof *zeros);
    assert_non_null(zeros);
    const float *y = network_logits(n, NULL), *y0 = network_logits(n, zeros);
    for (size_t b = 0; b < BATCH; b++) {
        const size_t at = b * n->g->n_classes + n->target[b];
        out[b] = (double)y[at] - (double)y0[at];
    }
}

/* Every convolution of a VGG is a full cut of the network. The largest error over layers and samples of sum = y(x) - y(0). */
static double incompleteness(const network *n, const char *parameters)
{
    double change[BATCH], worst = 0.0;
    size_t stride;
    find_changes(n, change);
    const float *r = rows(n, "integrated-gradients", parameters, &stride);
    for (size_t l = 0; l < n->g->n_layers; l++) {
        for (size_t b = 0; b < BATCH; b++) {
            worst = worst_of(worst, fabs(layer_sum(n, &n->g->nodes[n->g->layers[l]], r + b * stride) - change[b]));
        }
    }
    return worst;
}

static void conductance_is_complete(void **state)
{
    (void)state;
    static const char *const texts[][3] = {
        {"form=conductance points=right steps=10", "form=conductance points=right steps=80",
         "form=conductance points=right steps=640"},
        {"form=conductance points=left steps=10", "form=conductance points=left steps=80",
         "form=conductance points=left steps=640"},
        {"form=layer points=right steps=10", "form=layer points=right steps=80", "form=layer points=right steps=640"},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        network n;
        network_open("vgg_bn_tiny.h5", &n);
        const double coarse = incompleteness(&n, texts[i][0]), finer = incompleteness(&n, texts[i][1]),
                     finest = incompleteness(&n, texts[i][2]);
        print_message("%s: %.2g, with 8 times the steps %.2g, 64 times %.2g\n", texts[i][0], coarse, finer, finest);
        assert_true(finer < coarse / 3.0 &&
                    finest < finer / 3.0); /* O(1/K): 8 times, if not as regularly as on paper */
        assert_true(finest < 5e-3);
        network_close(&n);
    }
}

static float *writable(const float *x)
{
    float *out; /* of a graph that this test owns: weights are packed when a criterion is opened */
    memcpy(&out, &x, sizeof out);
    return out;
}

static void remove_biases(const network *n)
{
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        const node *layer = &n->g->nodes[id];
        for (size_t i = 0; layer->bias != NULL && i < layer->n_bias; i++) {
            writable(layer->bias)[i] = 0.0f;
        }
    }
}

/* A ReLU network without biases is homogeneous: y = sum of a dy/da over a full cut, and on a straight way from 0 the derivative does not
 * change, so that conductance and the layer's own integral are gradient x activation. At 0 itself ReLUs let nothing through: from the left the
 * layer's integral has one point of four less. */
static void without_biases_activations_times_derivatives_are_the_logit(void **state)
{
    (void)state;
    network n;
    size_t stride;
    network_open("vgg_tiny.h5", &n);
    remove_biases(&n);
    const float *y = network_logits(&n, NULL), *r = rows(&n, "gradient-activation", "", &stride);
    const float *steps = rows(&n, "integrated-gradients", "form=conductance steps=3", &stride);
    const float *latent = rows(&n, "integrated-gradients", "form=latent steps=3", &stride),
                *g = rows(&n, "gradient", "", &stride);
    const float *logit = rows(&n, "gradient-activation", "initial=logit", &stride);
    const float *right = rows(&n, "integrated-gradients", "form=layer steps=3 points=right", &stride);
    const float *left = rows(&n, "integrated-gradients", "form=layer steps=4 points=left", &stride);
    for (size_t b = 0; b < BATCH; b++) {
        const double label = (double)y[b * n.g->n_classes + n.target[b]];
        double most = 0.0;
        for (size_t i = 0; i < AGGREGATE_SQUARE * n.g->n_components; i++) {
            most = fmax(most, fabs((double)r[b * stride + i]));
        }
        for (size_t l = 0; l < n.g->n_layers; l++) {
            const node *layer = &n.g->nodes[n.g->layers[l]];
            assert_true(fabs(layer_sum(&n, layer, r + b * stride) - label) < 1e-5 * fmax(1.0, fabs(label)));
            assert_true(fabs(layer_sum(&n, layer, logit + b * stride) - label * label) <
                        1e-5 * fmax(1.0, label * label));
        }
        for (size_t i = 0; i < AGGREGATE_SQUARE * n.g->n_components; i++) {
            assert_true(fabs((double)steps[b * stride + i] - (double)r[b * stride + i]) < 2e-5 * most);
            assert_true(fabs((double)right[b * stride + i] - (double)r[b * stride + i]) < 2e-5 * most);
            assert_true(fabs((double)left[b * stride + i] - 0.75 * (double)r[b * stride + i]) < 2e-5 * most);
            assert_true(fabs((double)latent[b * stride + i] - (double)g[b * stride + i]) <=
                        2e-5 * fabs((double)g[b * stride + i]) + 1e-6);
        }
    }
    network_close(&n);
}

/* A gate that multiplies weights of a component, biases too where its output is gated. */
typedef struct gate {
    const node *layer;
    size_t first_row, rows, first_column, columns; /* columns 0: all of them */
    bool bias;
} gate;

static void multiply(const gate *g, float by)
{
    const size_t width = g->layer->n_weight / shape_channels(g->layer->out);
    for (size_t r = g->first_row; r < g->first_row + g->rows; r++) {
        for (size_t c = g->first_column; c < g->first_column + (g->columns == 0 ? width : g->columns); c++) {
            writable(g->layer->weight)[r * width + c] *= by;
        }
        if (g->bias && g->layer->bias != NULL) {
            writable(g->layer->bias)[r] *= by;
        }
    }
}

/* -log softmax(y) of the label, in double from float logits. */
static double loss(size_t n, const float *y, size_t label)
{
    double sum = 0.0;
    for (size_t k = 0; k < n; k++) {
        sum += exp((double)y[k] - (double)y[label]);
    }
    return log(sum);
}

/* Central differences of each sample's loss by the gates together. With a larger step more ReLUs are taken over their kink, with a smaller one
 * the rounding of float32 logits shows. */
static void differences(const network *n, size_t n_gates, const gate gates[], double out[BATCH])
{
    static const float step = 0x1p-13f;
    double found[2][BATCH];
    for (size_t side = 0; side < 2; side++) {
        float *saved[4];
        for (size_t i = 0; i < n_gates; i++) {
            const node *layer = gates[i].layer;
            saved[i] = arena_alloc(n->work, layer->n_weight + layer->n_bias, sizeof(float));
            assert_non_null(saved[i]);
            memcpy(saved[i], layer->weight, layer->n_weight * sizeof(float));
            memcpy(saved[i] + layer->n_weight, layer->bias, layer->n_bias * sizeof(float));
        }
        for (size_t i = 0; i < n_gates; i++) {
            multiply(&gates[i], side == 0 ? 1.0f - step : 1.0f + step);
        }
        const float *y = network_logits(n, NULL);
        for (size_t b = 0; b < BATCH; b++) {
            found[side][b] = loss(n->g->n_classes, y + b * n->g->n_classes, n->target[b]);
        }
        for (size_t i = 0; i < n_gates; i++) {
            const node *layer = gates[i].layer;
            memcpy(writable(layer->weight), saved[i], layer->n_weight * sizeof(float));
            memcpy(writable(layer->bias), saved[i] + layer->n_weight, layer->n_bias * sizeof(float));
        }
    }
    for (size_t b = 0; b < BATCH; b++) {
        out[b] = (found[1][b] - found[0][b]) / (2.0 * (double)step);
    }
}

static const node *reader_of(const graph *g, const node *layer)
{
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (g->nodes[id].n_in == 1 && &g->nodes[g->nodes[id].in[0]] == layer) {
            return &g->nodes[id];
        }
    }
    return NULL;
}

/* The gates of component c's own weights: what pruning it removes, biases apart. */
static size_t own_gates(const graph *g, const node *layer, size_t c, gate out[4])
{
    if (layer->components != COMPONENT_HEAD) {
        out[0] = (gate){.layer = layer, .first_row = c, .rows = 1};
        return 1;
    }
    const size_t features = shape_channels(layer->out), width = features / layer->n_components;
    for (size_t i = 0; i < 3; i++) {
        out[i] = (gate){.layer = &g->nodes[layer->in[i]], .first_row = c * width, .rows = width};
    }
    out[3] = (gate){.layer = reader_of(g, layer), .rows = features, .first_column = c * width, .columns = width};
    return 4;
}

/* The gate of what the component hands on: the filter's or neuron's output, the head's O (by its values v). */
static size_t output_gate(const graph *g, const node *layer, size_t c, gate out[4])
{
    const size_t width = layer->components == COMPONENT_HEAD ? shape_channels(layer->out) / layer->n_components : 1;
    out[0] = (gate){.layer = layer->components == COMPONENT_HEAD ? &g->nodes[layer->in[2]] : layer,
                    .first_row = c * width,
                    .rows = width,
                    .bias = true};
    return 1;
}

/* Rows of a criterion that starts from the loss, against differences by the gates of a few components of every layer. */
static void check_differences(const char *file, const char *criterion, const char *parameters,
                              size_t (*gates_of)(const graph *g, const node *layer, size_t c, gate out[4]))
{
    network n;
    size_t stride, compared = 0;
    network_open(file, &n);
    const float *r = rows(&n, criterion, parameters, &stride);
    double worst = 0.0, error = 0.0, size = 0.0;
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        const float *value = r + AGGREGATE_SIGNED * n.g->n_components + layer->first_component;
        double most = 0.0;
        for (size_t b = 0; b < BATCH; b++) {
            for (size_t c = 0; c < layer->n_components; c++) {
                most = fmax(most, fabs((double)value[b * stride + c]));
            }
        }
        for (size_t c = 0; c < layer->n_components; c += layer->n_components / 3) {
            gate gates[4];
            double expected[BATCH];
            differences(&n, gates_of(n.g, layer, c, gates), gates, expected);
            for (size_t b = 0; b < BATCH; b++, compared++) {
                const double got = (double)value[b * stride + c];
                worst = worst_of(worst, fabs(got - expected[b]) / most);
                error += (got - expected[b]) * (got - expected[b]);
                size += got * got;
            }
        }
    }
    error = sqrt(error / size);
    print_message("%s of %s: %zu differences, error %.2g of the values, at most %.2g of a layer's largest\n", criterion,
                  file, compared, error, worst);
    assert_true(compared >= 3 * BATCH && error < 0.01 && worst < 0.03);
    network_close(&n);
}

static void snip_is_the_derivative_by_a_gate_at_the_weights(void **state)
{
    (void)state;
    check_differences("vgg_bn_tiny.h5", "snip", "", own_gates);
    check_differences("resnet_basic_tiny.h5", "snip", "", own_gates);
    check_differences("vit_tiny.h5", "snip", "", own_gates);
}

static void taylor_is_the_derivative_by_a_gate_at_the_output(void **state)
{
    (void)state;
    check_differences("vgg_bn_tiny.h5", "taylor", "", output_gate);
    check_differences("resnet_basic_tiny.h5", "taylor", "", output_gate);
    check_differences("vit_tiny.h5", "taylor", "", output_gate);
}

static void noise_is_normal_and_a_function_of_sample_draw_and_pixel(void **state)
{
    (void)state;
    enum { N = 20001 };
    static float x[N], a[N], b[N];
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)(i % 5); /* range 4 */
    }
    noise_add(N, x, 0.25, 7, 2, a);
    double mean = 0.0, square = 0.0, neighbours = 0.0, fourth = 0.0;
    for (size_t i = 0; i < N; i++) {
        const double z = (double)a[i] - (double)x[i];
        mean += z / N;
        square += z * z / N;
        fourth += z * z * z * z / N;
        neighbours += i == 0 ? 0.0 : z * ((double)a[i - 1] - (double)x[i - 1]) / N;
    }
    /* Standard errors over 20001 numbers: 0.007, 0.01, 0.07, 0.007. */
    assert_true(fabs(mean) < 0.03 && fabs(square - 1.0) < 0.05 && fabs(fourth - 3.0) < 0.35 && fabs(neighbours) < 0.03);
    noise_add(N, x, 0.25, 7, 2, b);
    assert_memory_equal(a, b, sizeof a);
    const uint64_t other[][2] = {{8, 2}, {7, 3}, {7 + (UINT64_C(1) << 32), 2}};
    for (size_t k = 0; k < COUNT(other); k++) {
        size_t same = 0;
        noise_add(N, x, 0.25, other[k][0], (uint32_t)other[k][1], b);
        for (size_t i = 0; i < N; i++) {
            same += a[i] == b[i];
        }
        assert_true(same < 5);
    }
    noise_add(N, x, 0.0, 7, 2, b);
    assert_memory_equal(b, x, sizeof b);
}

static void smoothgrad_averages_over_draws(void **state)
{
    (void)state;
    network n;
    size_t stride;
    network_open("vgg_bn_tiny.h5", &n);
    const float *plain = rows(&n, "gradient", "", &stride);
    const float *still = rows(&n, "smoothgrad", "deviation=0 draws=8", &stride);
    assert_memory_equal(plain, still,
                        BATCH * stride * sizeof *plain); /* an average of equal numbers, 1/8 being exact */
    const float *one = rows(&n, "smoothgrad", "deviation=0.1 draws=1", &stride);
    assert_true(memcmp(one, plain, BATCH * stride * sizeof *plain) != 0);
    network other = n; /* the noise goes with the sample */
    other.sample[0] = 12345;
    const float *moved = rows(&other, "smoothgrad", "deviation=0.1 draws=1", &stride);
    assert_true(memcmp(moved, one, stride * sizeof *one) != 0);
    assert_memory_equal(moved + stride, one + stride, (BATCH - 1) * stride * sizeof *one);
    network_close(&n);
}

/* Plain outputs of every node, [n_nodes][BATCH, out]. */
static const float *const *outputs(const network *n)
{
    forward *f = NULL;
    const float **out = arena_alloc(n->work, n->g->n_nodes, sizeof *out);
    assert_non_null(out);
    assert_ok(forward_build(n->work, n->g, test_backend(), BATCH, KEEP_ALL, &f));
    forward_run(f, n->images, NULL);
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        float *plain = arena_alloc(n->work, BATCH * shape_count(n->g->nodes[id].out), sizeof *plain);
        assert_non_null(plain);
        forward_read(f, id, plain);
        out[id] = plain;
    }
    return out;
}

/* Element `position` of a channel of a node's output. */
static double element(const node *n, const float *out, size_t sample, size_t channel, size_t position)
{
    const size_t channels = shape_channels(n->out), positions = shape_count(n->out) / channels;
    const size_t at = n->out.rank == 3 ? channel * positions + position : position * channels + channel;
    return (double)out[sample * channels * positions + at];
}

static double channel_norm(const node *n, const float *out, size_t channel)
{
    double sum = 0.0;
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t p = 0; p < shape_count(n->out) / shape_channels(n->out); p++) {
            sum += element(n, out, b, channel, p) * element(n, out, b, channel, p);
        }
    }
    return sqrt(sum);
}

/* The definition, weight by weight: the gates of a component name its own weights. */
static double wanda_alone(const network *n, const float *const *out, const node *layer, size_t c)
{
    gate gates[4];
    double sum = 0.0;
    const size_t n_gates = own_gates(n->g, layer, c, gates);
    for (size_t i = 0; i < n_gates; i++) {
        const node *p = gates[i].layer, *in = &n->g->nodes[p->in[0]];
        const size_t width = p->n_weight / shape_channels(p->out), taps = width / shape_channels(in->out);
        for (size_t r = gates[i].first_row; r < gates[i].first_row + gates[i].rows; r++) {
            for (size_t k = 0; k < (gates[i].columns == 0 ? width : gates[i].columns); k++) {
                const size_t column = gates[i].first_column + k;
                sum += fabs((double)p->weight[r * width + column]) * channel_norm(in, out[p->in[0]], column / taps);
            }
        }
    }
    return sum;
}

static void wanda_is_weights_times_norms_of_inputs(void **state)
{
    (void)state;
    static const char *const files[] = {"vgg_bn_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};
    for (size_t f = 0; f < COUNT(files); f++) {
        network n;
        network_open(files[f], &n);
        const double *got = network_score(&n, criterion_find("wanda"), NULL, 0);
        const float *const *out = outputs(&n);
        for (size_t l = 0; l < n.g->n_layers; l++) {
            const node *layer = &n.g->nodes[n.g->layers[l]];
            for (size_t c = 0; c < layer->n_components; c += 1 + layer->n_components / 4) {
                const double expected = wanda_alone(&n, out, layer, c);
                assert_true(fabs(got[layer->first_component + c] - expected) <= 1e-6 * expected);
            }
        }
        network_close(&n);
    }
}

/* Mean and variance of one component's values over positions and samples; heads: mean absolute output of a token. */
static void moments_alone(const network *n, const float *const *out, node_id id, size_t c, bool relu, double *mean,
                          double *variance)
{
    const node *layer = &n->g->nodes[id];
    const size_t width = layer->components == COMPONENT_HEAD ? shape_channels(layer->out) / layer->n_components : 1;
    const size_t positions = shape_count(layer->out) / shape_channels(layer->out);
    double sum = 0.0, square = 0.0;
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t p = 0; p < positions; p++) {
            double v = width > 1 ? 0.0 : element(layer, out[id], b, c, p);
            for (size_t k = 0; width > 1 && k < width; k++) {
                v += fabs(element(layer, out[id], b, c * width + k, p)) / (double)width;
            }
            v = relu && v < 0.0 ? 0.0 : v;
            sum += v;
            square += v * v;
        }
    }
    const double count = (double)(BATCH * positions);
    *mean = sum / count;
    *variance = square / count - *mean * *mean;
}

static void activations_have_their_mean_and_variance(void **state)
{
    (void)state;
    static const char *const files[] = {"resnet_basic_tiny.h5", "vit_tiny.h5"}, *const values[] = {"raw", "relu"};
    const criterion_def *c = criterion_find("activation");
    for (size_t f = 0; f < 2 * COUNT(files); f++) {
        network n;
        double parameters[MAX_CRITERION_PARAMETERS];
        network_open(files[f / 2], &n);
        parameters_read(c, "absolute=never", parameters);
        parameters_set(c, "values", values[f % 2], parameters);
        const double *mean = network_score(&n, c, parameters, 0);
        parameters_set(c, "statistic", "variance", parameters);
        const double *variance = network_score(&n, c, parameters, 0);
        const float *const *out = outputs(&n);
        for (size_t l = 0; l < n.g->n_layers; l++) {
            const node *layer = &n.g->nodes[n.g->layers[l]];
            for (size_t k = 0; k < layer->n_components; k++) {
                double m, v;
                moments_alone(&n, out, n.g->layers[l], k, f % 2 == 1, &m, &v);
                assert_true(fabs(mean[layer->first_component + k] - BATCH * m) <= 1e-5 * (fabs(m) + sqrt(v)));
                assert_true(fabs(variance[layer->first_component + k] - v) <= 1e-5 * (m * m + v));
            }
        }
        network_close(&n);
    }
}

/* Attention sums to 1 over keys, so that only its variance tells heads apart. */
static void the_mean_of_attention_says_nothing(void **state)
{
    (void)state;
    network n;
    double parameters[MAX_CRITERION_PARAMETERS];
    const criterion_def *c = criterion_find("activation");
    network_open("vit_tiny.h5", &n);
    parameters_read(c, "heads=attention", parameters);
    const double *mean = network_score(&n, c, parameters, 0);
    parameters_set(c, "statistic", "variance", parameters);
    const double *variance = network_score(&n, c, parameters, 0);
    double lowest = INFINITY, highest = 0.0;
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        for (size_t h = layer->first_component;
             layer->components == COMPONENT_HEAD && h < layer->first_component + layer->n_components; h++) {
            const double keys = (double)layer->out.dim[0];
            assert_true(fabs(mean[h] - BATCH / keys) < 1e-6 * BATCH / keys);
            lowest = fmin(lowest, variance[h]);
            highest = fmax(highest, variance[h]);
        }
    }
    assert_true(lowest > 0.0 && lowest < 0.9 * highest);
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conductance_is_complete),
        cmocka_unit_test(without_biases_activations_times_derivatives_are_the_logit),
        cmocka_unit_test(snip_is_the_derivative_by_a_gate_at_the_weights),
        cmocka_unit_test(taylor_is_the_derivative_by_a_gate_at_the_output),
        cmocka_unit_test(noise_is_normal_and_a_function_of_sample_draw_and_pixel),
        cmocka_unit_test(smoothgrad_averages_over_draws),
        cmocka_unit_test(wanda_is_weights_times_norms_of_inputs),
        cmocka_unit_test(activations_have_their_mean_and_variance),
        cmocka_unit_test(the_mean_of_attention_says_nothing),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
