/* The derivative of every layer against central differences, in double, of a naive twin of its forward run. */
#include "support/layer_cases.h"

#include <math.h>
#include <string.h>

#include "support/naive.h"

static const double tolerance = 1e-5; /* fp32 arrays; the differences are good to 1e-9 */

enum { MAX_VALUES = 4096 };

/* The derivative of the layer is what a walk needs at every layer but the input, where it ends. */
static void every_layer_has_a_derivative(void **state)
{
    (void)state;
    for (size_t i = 0; i < op_count; i++) {
        const op_def *op = op_table[i];
        const bool by_driver = op->product != NULL, none = op->gradient_way == RELEVANCE_NONE;
        if (op == &op_input || by_driver ? !none || op->gradient != NULL : none) {
            fail_msg("the layer '%s': expected a derivative of its own for all but the input and products", op->name);
        }
        assert_true(op->gradient != NULL || none || op->gradient_way == RELEVANCE_PASSES);
        assert_true(op->gradient_way != RELEVANCE_SHARED && op->gradient_way != RELEVANCE_QUOTIENTS);
    }
}

/* All heads of one sample. */
static void twin_attention(const layer *l, const double *const x[], double *y)
{
    const attention_attr *a = l->n.attr;
    const size_t tq = l->in_shape[0].dim[0], t = l->in_shape[1].dim[0], e = l->in_shape[0].dim[1], d = e / a->heads;
    double part[3][MAX_VALUES], logits[MAX_VALUES], attention[MAX_VALUES], out[MAX_VALUES];
    for (size_t h = 0; h < a->heads; h++) {
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < l->in_shape[k].dim[0] * d; i++) {
                part[k][i] = x[k][i / d * e + h * d + i % d];
            }
        }
        naive_attention(tq, t, d, part[0], part[1], part[2], logits, attention, out);
        for (size_t i = 0; i < tq * d; i++) {
            y[i / d * e + h * d + i % d] = out[i];
        }
    }
}

static void twin_tokens(const layer *l, const double *x, double *y)
{
    const size_t e = l->n.out.dim[1], t = l->n.out.dim[0];
    for (size_t i = 0; i < t * e; i++) {
        const size_t token = i / e, j = i % e;
        y[i] = (token == 0 ? (double)l->n.weight[j] : x[j * (t - 1) + token - 1]) + (double)l->n.bias[i];
    }
}

static void twin_subsample(const layer *l, const double *x, double *y)
{
    const subsample_attr *a = l->n.attr;
    const shape in = l->in_shape[0], out = l->n.out;
    for (size_t i = 0; i < l->n_out; i++) {
        const size_t column = i % out.dim[2], row = i / out.dim[2] % out.dim[1], c = i / out.dim[2] / out.dim[1];
        const bool copied = c >= a->before && c < a->before + in.dim[0];
        y[i] = copied ? x[((c - a->before) * in.dim[1] + row * a->stride) * in.dim[2] + column * a->stride] : 0.0;
    }
}

/* One sample: what the layer computes, in double. */
static void twin(const layer *l, const double *const x[], double *y)
{
    const op_def *op = l->n.op;
    const shape in = l->in_shape[0], out = l->n.out;
    size_t winner[MAX_VALUES];
    if (op == &op_maxpool2d) {
        const maxpool_attr *a = l->n.attr;
        naive_maxpool(in.dim[0], in.dim + 1, out.dim + 1, a->kernel, a->stride, a->padding, x[0], y, winner);
    } else if (op == &op_subsample) {
        twin_subsample(l, x[0], y);
    } else if (op == &op_avgpool2d) {
        naive_avgpool(in.dim[0], in.dim + 1, out.dim + 1, x[0], y);
    } else if (op == &op_layernorm) {
        const layernorm_attr *a = l->n.attr;
        naive_layernorm(in.dim[0], in.dim[1], a->eps, l->n.weight, l->n.bias, x[0], y);
    } else if (op == &op_attention) {
        twin_attention(l, x, y);
    } else if (op == &op_tokens) {
        twin_tokens(l, x[0], y);
    } else {
        const token_row_attr *row = l->n.attr;
        const size_t from = op == &op_token_row ? row->row * in.dim[1] : 0;
        for (size_t i = 0; i < l->n_out; i++) {
            const double a = x[0][from + i];
            y[i] = op == &op_relu ? fmax(a, 0.0) : op == &op_gelu ? naive_gelu(a) : op == &op_add ? a + x[1][i] : a;
        }
    }
}

/* <g, f(x)> of one sample, of which the derivative by x is f' applied to g. */
static double loss(const layer *l, const double *const x[], const float *g)
{
    double y[MAX_VALUES], sum = 0.0;
    assert_true(l->n_out <= MAX_VALUES);
    twin(l, x, y);
    for (size_t i = 0; i < l->n_out; i++) {
        sum += (double)g[i] * y[i];
    }
    return sum;
}

/* By central differences, of input k of one sample: [n_x[k]]. */
static void differences(const layer *l, size_t sample, size_t k, const float *g, double *expected)
{
    const double h = 1e-5;
    double values[MAX_INPUTS][MAX_VALUES];
    const double *const x[MAX_INPUTS] = {values[0], values[1], values[2]};
    for (size_t j = 0; j < l->n_in; j++) {
        assert_true(l->n_x[j] <= MAX_VALUES);
        for (size_t i = 0; i < l->n_x[j]; i++) {
            values[j][i] = (double)l->x[j][sample * l->n_x[j] + i];
        }
    }
    for (size_t i = 0; i < l->n_x[k]; i++) {
        const double here = values[k][i];
        values[k][i] = here + h;
        const double up = loss(l, x, g);
        values[k][i] = here - h;
        expected[i] = (up - loss(l, x, g)) / (2.0 * h);
        values[k][i] = here;
    }
}

static void derivatives_match_differences(void **state)
{
    (void)state;
    for (size_t c = 0; c < layer_case_count; c++) {
        if (layer_cases[c].op->gradient_way == RELEVANCE_NONE) {
            continue;
        }
        layer l;
        layer_open(&l, &layer_cases[c], 2, c);
        for (size_t k = 0; k < l.n_in; k++) {
            for (size_t i = 0; i < l.batch * l.n_x[k]; i++) {
                l.x[k][i] *= 3.0f; /* attention and norms far from uniform, GELU where it bends */
            }
        }
        layer_forward(&l, NULL);
        const float *g = layer_random(&l, l.batch * l.n_out, 3);
        float *found[MAX_INPUTS] = {NULL};
        for (size_t k = 0; k < l.n_in; k++) {
            found[k] = layer_random(&l, l.batch * l.n_x[k], 4);
        }
        layer_gradient(&l, g, found, NULL, NULL);
        for (size_t k = 0; k < l.n_in; k++) {
            for (size_t b = 0; b < l.batch; b++) {
                double expected[MAX_VALUES];
                differences(&l, b, k, g + b * l.n_out, expected);
                assert_close(layer_cases[c].what, l.n_x[k], found[k] + b * l.n_x[k], expected, tolerance);
            }
        }
        layer_close(&l);
    }
}

/* Every query has one key that takes all but some 1e-6 of its attention: the derivatives are as small, and rounding must not be in their
 * place. */
static void sharp_attention_keeps_its_digits(void **state)
{
    (void)state;
    enum { TQ = 3, T = 6, H = 3, D = 4, E = H * D };
    const layer_spec s = {
        "sharp attention", &op_attention, &layer_three_heads, 3, {SHAPE2(TQ, E), SHAPE2(T, E), SHAPE2(T, E)}, 0, 0, H};
    layer l;
    layer_open(&l, &s, 1, 1);
    for (size_t h = 0; h < H; h++) {
        for (size_t j = 0; j < D; j++) {
            l.x[1][2 * E + h * D + j] = 3.0f; /* key 2 */
            for (size_t q = 0; q < TQ; q++) {
                l.x[0][q * E + h * D + j] = 2.5f;
            }
        }
    }
    layer_forward(&l, NULL);
    for (size_t i = 0; i < TQ * H; i++) {
        const size_t q = i / H, h = i % H;
        assert_true(l.saved[(h * TQ + q) * T + 2] > 0.9999f && l.saved[(h * TQ + q) * T + 2] < 1.0f);
    }
    const float *g = layer_random(&l, l.n_out, 3);
    float *found[MAX_INPUTS] = {layer_random(&l, l.n_x[0], 4), layer_random(&l, l.n_x[1], 4), NULL};
    layer_gradient(&l, g, found, NULL, NULL);
    for (size_t k = 0; k < 2; k++) {
        double expected[MAX_VALUES];
        differences(&l, 0, k, g, expected);
        assert_close("sharp attention", l.n_x[k], found[k], expected, tolerance);
    }
    layer_close(&l);
}

/* Where the layer before does the ReLU, what it keeps is the ReLU's output alone. */
static void relu_needs_no_input(void **state)
{
    (void)state;
    const layer_spec s = {"relu", &op_relu, NULL, 1, {SHAPE3(20, 3, 5)}, 0, 0, 0};
    layer l;
    layer_open(&l, &s, 2, 1);
    const size_t n = l.batch * l.n_out;
    layer_forward(&l, NULL);
    const float *g = layer_random(&l, n, 3);
    float *of_both[MAX_INPUTS] = {layer_floats(&l, n)}, *of_output[MAX_INPUTS] = {layer_floats(&l, n)};
    layer_gradient(&l, g, of_both, NULL, NULL);
    memcpy(l.x[0], l.out, n * sizeof(float));
    layer_gradient(&l, g, of_output, NULL, NULL);
    assert_memory_equal(of_both[0], of_output[0], n * sizeof(float));
    layer_close(&l);
}

/* A head's component is its attention A: per query the sum over keys of gA = gO v', or of gA times a weight. */
static void heads_are_derivatives_by_attention(void **state)
{
    (void)state;
    enum { TQ = 3, T = 5, H = 3, D = 4, E = H * D, BATCH = 2 };
    const layer_spec s = {
        "attention", &op_attention, &layer_three_heads, 3, {SHAPE2(TQ, E), SHAPE2(T, E), SHAPE2(T, E)}, 0, 0, H};
    layer l;
    layer_open(&l, &s, BATCH, 1);
    layer_forward(&l, NULL);
    const float *g = layer_random(&l, BATCH * TQ * E, 3), *weight = layer_random(&l, BATCH * H * TQ * T, 4);
    float *plain = layer_random(&l, BATCH * TQ * H, 5), *weighted = layer_random(&l, BATCH * TQ * H, 6);
    double expected[2][BATCH * TQ * H] = {{0.0}};
    for (size_t i = 0; i < BATCH * H * TQ * T; i++) {
        const size_t b = i / (H * TQ * T), h = i / (TQ * T) % H, q = i / T % TQ, k = i % T;
        double by_attention = 0.0;
        for (size_t j = 0; j < D; j++) {
            by_attention += (double)g[(b * TQ + q) * E + h * D + j] * (double)l.x[2][(b * T + k) * E + h * D + j];
        }
        expected[0][(b * TQ + q) * H + h] += by_attention;
        expected[1][(b * TQ + q) * H + h] += by_attention * (double)weight[i];
    }
    float *nothing[MAX_INPUTS] = {NULL};
    layer_gradient(&l, g, nothing, plain, NULL);
    layer_gradient(&l, g, nothing, weighted, weight);
    assert_close("sum over keys", BATCH * TQ * H, plain, expected[0], tolerance);
    assert_close("weighted sum over keys", BATCH * TQ * H, weighted, expected[1], tolerance);
    layer_close(&l);
}

/* An input whose derivative is not wanted changes nothing for the others. */
static void unwanted_derivatives_are_left_out(void **state)
{
    (void)state;
    const layer_spec s = {
        "attention", &op_attention, &layer_three_heads, 3, {SHAPE2(2, 12), SHAPE2(5, 12), SHAPE2(5, 12)}, 0, 0, 3};
    layer l;
    layer_open(&l, &s, 2, 1);
    layer_forward(&l, NULL);
    const float *g = layer_random(&l, l.batch * l.n_out, 3);
    float *all[MAX_INPUTS], *one[MAX_INPUTS] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        all[i] = layer_floats(&l, l.batch * l.n_x[i]);
    }
    layer_gradient(&l, g, all, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        one[i] = layer_floats(&l, l.batch * l.n_x[i]);
        layer_gradient(&l, g, one, NULL, NULL);
        assert_memory_equal(one[i], all[i], l.batch * l.n_x[i] * sizeof(float));
        one[i] = NULL;
    }
    layer_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_has_a_derivative),       cmocka_unit_test(derivatives_match_differences),
        cmocka_unit_test(sharp_attention_keeps_its_digits),   cmocka_unit_test(relu_needs_no_input),
        cmocka_unit_test(heads_are_derivatives_by_attention), cmocka_unit_test(unwanted_derivatives_are_left_out),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
