/* Products with parts of the weights (backend/backend.h, conv_pass): the same numbers as with weights that were taken apart before. */
#include "support/layer.h"

#include <math.h>
#include <string.h>

#include "nn/product.h"

static const conv_attr conv_plain = {
    .out_channels = 7, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_wide = {
    .out_channels = 72, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_point = {
    .out_channels = 16, .kernel = {1, 1}, .stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_groups = {
    .out_channels = 6, .kernel = {3, 2}, .stride = {2, 1}, .padding = {2, 0}, .dilation = {1, 2}, .groups = 2};
static const linear_attr linear_row = {.out_features = 520}, linear_small = {.out_features = 9},
                         linear_tokens = {.out_features = 21}, linear_many = {.out_features = 200};

static const layer_spec specs[] = {
    {"conv 3x3", &op_conv2d, &conv_plain, 1, {{3, {3, 9, 8}}}, 7 * 3 * 9, 7, 7},
    {"conv wide", &op_conv2d, &conv_wide, 1, {{3, {40, 15, 14}}}, 72 * 40 * 9, 72, 72},
    {"conv 1x1", &op_conv2d, &conv_point, 1, {{3, {8, 6, 5}}}, 16 * 8, 16, 16},
    {"conv grouped", &op_conv2d, &conv_groups, 1, {{3, {4, 7, 9}}}, 6 * 2 * 6, 6, 6},
    {"linear large", &op_linear, &linear_row, 1, {{1, {1100}}}, 520 * 1100, 520, 520},
    {"linear small", &op_linear, &linear_small, 1, {{1, {33}}}, 9 * 33, 9, 9},
    {"linear tokens", &op_linear, &linear_tokens, 1, {{2, {17, 26}}}, 21 * 26, 21, 21},
    {"linear many tokens", &op_linear, &linear_many, 1, {{2, {197, 64}}}, 200 * 64, 200, 200},
};

static const struct {
    size_t n;
    weight_part part[MAX_PARTS];
} parts[] = {
    {1, {{1.0f, 0.0f}}},
    {1, {{1.0f, -1.0f}}},
    {1, {{1.25f, 1.0f}}},
    {2, {{1.0f, 0.0f}, {0.0f, 1.0f}}},
};

static float *part_of(layer *l, weight_part p, size_t n, const float *v)
{
    float *out = layer_floats(l, n);
    for (size_t i = 0; i < n; i++) {
        out[i] = v[i] * (v[i] > 0.0f ? p.positive : p.negative);
    }
    return out;
}

static float *run(layer *l, conv_pass pass, size_t batch, const float *in, size_t n_out)
{
    conv_shape s;
    product p;
    float *out = layer_random(l, n_out, 9); /* what `add` adds to */
    l->n.op->product(&l->n, l->in_shape, &s);
    assert_ok(product_plan(l->a, test_backend(), &s, batch, pass, false, &p));
    assert_ok(product_load(l->a, l->n.weight, pass.bias ? l->n.bias : NULL, &p));
    product_run(&p, in, out, layer_random(l, p.plan->n_work, 8));
    return out;
}

/* Where float i of part k lies, of an output whose single parts have `each` floats a sample. */
static size_t place(const layer *l, size_t n_parts, size_t each, size_t k, size_t i)
{
    const size_t row = l->n.out.rank == 2 ? l->n.out.dim[1] : each;
    return (i / row * n_parts + k) * row + i % row;
}

/* Padding lanes behind the last channel of an image; what is added to there is no number. */
static bool is_channel(const layer *l, size_t i)
{
    const size_t block = test_backend()->block(), plane = l->n.out.rank == 3 ? l->n.out.dim[1] * l->n.out.dim[2] : 0;
    return plane == 0 || i / (plane * block) * block + i % block < l->n.out.dim[0];
}

static void check_forward(layer *l, size_t c, bool bias, bool add)
{
    const size_t block = test_backend()->block(), each = images_floats(l->n.out, block);
    const size_t n = l->batch * each, n_in = l->batch * images_floats(l->in_shape[0], block);
    float *x = layer_floats(l, n_in);
    images_store(l->batch, l->in_shape[0], block, l->x[0], x);
    conv_pass pass = {.bias = bias, .add = add, .n_parts = parts[c].n};
    memcpy(pass.part, parts[c].part, sizeof pass.part);
    const float *got = run(l, pass, l->batch, x, parts[c].n * n), *before = layer_random(l, parts[c].n * n, 9);
    for (size_t k = 0; k < parts[c].n; k++) {
        layer one = *l;
        double *expected = arena_alloc(l->a, n, sizeof *expected);
        float *found = layer_floats(l, n);
        assert_non_null(expected);
        one.n.weight = part_of(l, parts[c].part[k], l->n.n_weight, l->n.weight);
        one.n.bias = part_of(l, parts[c].part[k], l->n.n_bias, l->n.bias);
        const float *alone = run(&one, (conv_pass){.bias = bias}, l->batch, x, n);
        for (size_t i = 0; i < n; i++) {
            const size_t at = i / each * parts[c].n * each + place(l, parts[c].n, each, k, i % each);
            found[i] = is_channel(l, i % each) ? got[at] : 0.0f;
            expected[i] = is_channel(l, i % each) ? (double)alone[i] + (add ? (double)before[at] : 0.0) : 0.0;
        }
        assert_close(l->n.name, n, found, expected, 1e-6);
    }
}

static void check_adjoint(layer *l, size_t c)
{
    const size_t block = test_backend()->block(), each = images_floats(l->n.out, block);
    const size_t n = l->batch * each, n_in = l->batch * images_floats(l->in_shape[0], block);
    float *s = layer_floats(l, parts[c].n * n);
    double *expected = arena_alloc(l->a, n_in, sizeof *expected);
    assert_non_null(expected);
    for (size_t k = 0; k < parts[c].n; k++) {
        layer one = *l;
        float *of_part = layer_floats(l, n);
        images_store(l->batch, l->n.out, block, layer_random(l, l->batch * l->n_out, 20 + k), of_part);
        for (size_t i = 0; i < n; i++) {
            s[i / each * parts[c].n * each + place(l, parts[c].n, each, k, i % each)] = of_part[i];
        }
        one.n.weight = part_of(l, parts[c].part[k], l->n.n_weight, l->n.weight);
        const float *alone = run(&one, (conv_pass){.adjoint = true}, l->batch, of_part, n_in);
        for (size_t i = 0; i < n_in; i++) {
            expected[i] += (double)alone[i];
        }
    }
    conv_pass pass = {.adjoint = true, .n_parts = parts[c].n};
    memcpy(pass.part, parts[c].part, sizeof pass.part);
    const float *got = run(l, pass, l->batch, s, n_in);
    assert_close(l->n.name, n_in, got, expected, 2e-6);
}

static void parts_are_those_of_the_weights(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(specs); k++) {
        for (size_t c = 0; c < COUNT(parts); c++) {
            layer l;
            layer_open(&l, &specs[k], 3, k);
            if (parts[c].n == 1 || specs[k].attr != &conv_groups) {
                check_forward(&l, c, true, false);
                check_forward(&l, c, false, true);
                check_adjoint(&l, c);
            }
            layer_close(&l);
        }
    }
}

/* The slot law: equal samples have equal bits, also across the edge of a tile and beside other numbers of samples. */
static void slots_have_the_same_bits(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(specs); k++) {
        for (size_t c = 0; c < COUNT(parts); c++) {
            layer l;
            layer_open(&l, &specs[k], 19, k);
            layer_same_sample(&l);
            const size_t block = test_backend()->block(), n_in = images_floats(l.in_shape[0], block);
            const size_t n_out = parts[c].n * images_floats(l.n.out, block);
            float *x = layer_floats(&l, l.batch * n_in), *s = layer_random(&l, l.batch * n_out, 3);
            images_store(l.batch, l.in_shape[0], block, l.x[0], x);
            for (size_t b = 1; b < l.batch; b++) {
                memcpy(s + b * n_out, s, n_out * sizeof *s);
            }
            conv_pass pass = {.n_parts = parts[c].n};
            memcpy(pass.part, parts[c].part, sizeof pass.part);
            if (parts[c].n == 1 || specs[k].attr != &conv_groups) {
                const float *z = run(&l, pass, l.batch, x, l.batch * n_out);
                assert_same_slots(specs[k].what, l.batch, n_out, z);
                assert_memory_equal(run(&l, pass, 1, x, n_out), z, n_out * sizeof *z);
                pass.adjoint = true;
                const float *r = run(&l, pass, l.batch, s, l.batch * n_in);
                assert_same_slots(specs[k].what, l.batch, n_in, r);
                assert_memory_equal(run(&l, pass, 1, s, n_in), r, n_in * sizeof *r);
            }
            layer_close(&l);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_those_of_the_weights),
        cmocka_unit_test(slots_have_the_same_bits),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
