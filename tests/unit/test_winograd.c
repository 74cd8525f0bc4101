/* Convolutions by Winograd's algorithm: how near they come to the definition, and the laws that hold for direct ones. Where a backend has
 * no such kernels (it takes AVX-512), what is tested is that direct ones stand in for them. */
#include "support/golden.h"
#include "support/layer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "nn/arch.h"
#include "nn/forward.h"
#include "support/naive.h"

/* A 3x3 convolution of stride 1 with bias. */
typedef struct convolution {
    size_t in, out, side[2], padding;
} convolution;

/* Tiles of 4x4 outputs: sides that they fit, sides that they do not, planes of less than one tile; whole blocks of channels and others; few groups of tiles
 * that fit the cache together, and so many weights that groups wait for each other. */
static const convolution convolutions[] = {
    {64, 64, {28, 28}, 1}, {128, 64, {14, 14}, 1}, {64, 128, {7, 7}, 1}, {16, 16, {16, 16}, 1},
    {40, 72, {15, 14}, 1}, {8, 24, {9, 30}, 1},    {16, 32, {3, 3}, 1},  {48, 16, {12, 10}, 0},
    {5, 7, {37, 29}, 1},   {200, 260, {6, 5}, 1}, {17, 33, {1, 2}, 2},
};

static void open_convolution(layer *l, const convolution *c, conv_attr *attr, size_t batch, uint64_t seed)
{
    *attr = (conv_attr){.out_channels = c->out,
                        .kernel = {3, 3},
                        .stride = {1, 1},
                        .padding = {c->padding, c->padding},
                        .dilation = {1, 1},
                        .groups = 1};
    const layer_spec s = {
        "convolution",      &op_conv2d, attr,  1, {{.rank = 3, .dim = {c->in, c->side[0], c->side[1]}}},
        c->out * c->in * 9, c->out,     c->out};
    layer_open(l, &s, batch, seed);
}

static bool run_masked(layer *l, conv_pass pass, const uint8_t *alive, float *out)
{
    return layer_product_masked(l, pass, alive, l->n.weight, pass.bias ? l->n.bias : NULL, l->x[0], out);
}

static bool run(layer *l, conv_pass pass, float *out)
{
    return run_masked(l, pass, NULL, out);
}

/* Whether the backend under test has kernels for this processor: told by a shape that they are made for. It must have them exactly where it claims to and
 * its images lie in blocks of 16. */
static bool offered(void)
{
    layer l;
    conv_attr attr;
    open_convolution(&l, &convolutions[0], &attr, 1, 0);
    const bool found = run(&l, (conv_pass){.winograd = true}, l.out);
    layer_close(&l);
#ifdef __x86_64__
    const bool expected = test_backend()->winograd && test_backend()->block() == MAX_BLOCK;
#else
    const bool expected = false;
#endif
    assert_true(found == expected);
    return found;
}

static void skip_unless_offered(void)
{
    if (!offered()) {
        print_message("skipped: %s has no Winograd kernels for this processor\n", test_backend()->name);
        skip();
    }
}

static double *reference(layer *l, const convolution *c)
{
    const conv_shape g = {.in_channels = c->in,
                          .out_channels = c->out,
                          .groups = 1,
                          .in_height = c->side[0],
                          .in_width = c->side[1],
                          .out_height = l->n.out.dim[1],
                          .out_width = l->n.out.dim[2],
                          .kernel = {3, 3},
                          .stride = {1, 1},
                          .padding = {c->padding, c->padding},
                          .dilation = {1, 1}};
    double *z = arena_alloc(l->a, l->batch * l->n_out, sizeof *z);
    assert_non_null(z);
    naive_conv(&g, l->batch, l->n.weight, l->n.bias, l->x[0], z);
    return z;
}

/* The transforms for tiles of 4x4 amplify rounding: errors measured here are up to 2.2e-6 of the largest output, 1.4 to 9 times those of a direct
 * convolution. The tolerance is the one that test_ops.c has for direct ones. */
static void outputs_are_near_the_definition(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(convolutions); k++) {
        layer l;
        conv_attr attr;
        open_convolution(&l, &convolutions[k], &attr, 3, k);
        float *direct = layer_floats(&l, l.batch * l.n_out);
        assert_false(run(&l, (conv_pass){.bias = true}, direct));
        assert_true(run(&l, (conv_pass){.bias = true, .winograd = true}, l.out) == offered());
        assert_close("convolution", l.batch * l.n_out, l.out, reference(&l, &convolutions[k]), 1e-5);
        assert_true((memcmp(l.out, direct, l.batch * l.n_out * sizeof *direct) == 0) == !offered());
        layer_close(&l);
    }
}

/* Every number of tiles that are computed together, of one and of two blocks of outputs; and so many of a layer with many weights that they take turns. */
static void groups_of_every_size(void **state)
{
    (void)state;
    skip_unless_offered();
    static const convolution one_tile[] = {{3, 16, {4, 4}, 1}, {3, 32, {4, 4}, 1}, {200, 260, {6, 5}, 1}};
    for (size_t i = 0; i < 2 * 14 + 1; i++) {
        const convolution *c = &one_tile[i % 2 + (i == 28 ? 2 : 0)];
        layer l;
        conv_attr attr;
        open_convolution(&l, c, &attr, i == 28 ? 19 : 1 + i / 2, i);
        (void)run(&l, (conv_pass){.bias = true, .winograd = true}, l.out);
        assert_close("convolution", l.batch * l.n_out, l.out, reference(&l, c), 1e-5);
        layer_close(&l);
    }
}

/* An overflow is seen, not taken for 0. */
static void a_not_a_number_stays_one(void **state)
{
    (void)state;
    skip_unless_offered();
    layer l;
    conv_attr attr;
    open_convolution(&l, &convolutions[0], &attr, 1, 3);
    l.x[0][0] = NAN;
    (void)run(&l, (conv_pass){.bias = true, .relu = true, .winograd = true}, l.out);
    assert_true(isnan(l.out[0]) && !isnan(l.out[27]));
    layer_close(&l);
}

/* Bias, sum and ReLU done with the product are those done after it. */
static void fused_steps_match_single_ones(void **state)
{
    (void)state;
    skip_unless_offered();
    for (size_t k = 0; k < COUNT(convolutions); k++) {
        for (unsigned bits = 0; bits < 8; bits++) {
            layer l;
            conv_attr attr;
            open_convolution(&l, &convolutions[k], &attr, 2, k);
            const size_t n = l.batch * l.n_out, plane = l.n.out.dim[1] * l.n.out.dim[2];
            const conv_pass pass = {
                .bias = (bits & 1) != 0, .add = (bits & 2) != 0, .relu = (bits & 4) != 0, .winograd = true};
            float *z = layer_floats(&l, n);
            double *expected = arena_alloc(l.a, n, sizeof *expected);
            (void)run(&l, (conv_pass){.winograd = true}, z);
            for (size_t i = 0; i < n; i++) {
                expected[i] = (double)z[i] + (pass.bias ? (double)l.n.bias[i / plane % convolutions[k].out] : 0.0) +
                              (pass.add ? (double)l.out[i] : 0.0);
                expected[i] = pass.relu ? fmax(expected[i], 0.0) : expected[i];
            }
            (void)run(&l, pass, l.out);
            assert_close("convolution", n, l.out, expected, 1e-6);
            layer_close(&l);
        }
    }
}

/* The slot law (architecture). */
static void slots_have_the_same_bits(void **state)
{
    (void)state;
    skip_unless_offered();
    static const size_t batches[] = {16, 6, 19};
    for (size_t i = 0; i < COUNT(convolutions) * COUNT(batches); i++) {
        layer l;
        conv_attr attr;
        open_convolution(&l, &convolutions[i / COUNT(batches)], &attr, batches[i % COUNT(batches)], i);
        const conv_pass pass = {.bias = true, .relu = true, .winograd = true};
        const float *noise = memcpy(layer_floats(&l, l.batch * l.n_x[0]), l.x[0], l.batch * l.n_x[0] * sizeof *noise);
        layer_same_sample(&l);
        (void)run(&l, pass, l.out);
        assert_same_slots("equal samples", l.batch, l.n_out, l.out);
        float *z = layer_floats(&l, l.batch * l.n_out);
        for (size_t slot = 0; slot < l.batch; slot += 5) { /* one sample among others */
            float *alone = l.x[0] + slot * l.n_x[0], *sample = layer_floats(&l, l.n_x[0]);
            memcpy(sample, alone, l.n_x[0] * sizeof *sample);
            memcpy(l.x[0], noise, l.batch * l.n_x[0] * sizeof *noise);
            memcpy(alone, sample, l.n_x[0] * sizeof *sample);
            (void)run(&l, pass, z);
            assert_memory_equal(z + slot * l.n_out, l.out, l.n_out * sizeof *z);
            for (size_t b = 0; b < l.batch; b++) {
                memcpy(l.x[0] + b * l.n_x[0], sample, l.n_x[0] * sizeof *sample);
            }
        }
        layer_close(&l);
    }
}

/* Nor do they depend on how many samples there are. */
static void the_micro_batch_changes_no_bit(void **state)
{
    (void)state;
    skip_unless_offered();
    enum { BATCH = 7 };
    for (size_t i = 0; i < COUNT(convolutions); i++) {
        layer together, alone;
        conv_attr attr[2];
        const conv_pass pass = {.bias = true, .winograd = true};
        open_convolution(&together, &convolutions[i], &attr[0], BATCH, i);
        open_convolution(&alone, &convolutions[i], &attr[1], 1, i);
        alone.n.weight = together.n.weight;
        alone.n.bias = together.n.bias;
        (void)run(&together, pass, together.out);
        for (size_t b = 0; b < BATCH; b++) {
            memcpy(alone.x[0], together.x[0] + b * together.n_x[0], together.n_x[0] * sizeof *alone.x[0]);
            (void)run(&alone, pass, alone.out);
            assert_memory_equal(alone.out, together.out + b * together.n_out, together.n_out * sizeof *alone.out);
        }
        layer_close(&alone);
        layer_close(&together);
    }
}

/* A dead output is 0, or what was there before where the pass adds; the others keep their bits. */
static void check_masked(layer *l, conv_pass pass, const uint8_t *alive, bool finite)
{
    const size_t n = l->batch * l->n_out, plane = l->n.out.dim[1] * l->n.out.dim[2];
    float *dense = memcpy(layer_floats(l, n), l->out, n * sizeof *dense);
    float *masked = memcpy(layer_floats(l, n), l->out, n * sizeof *masked);
    (void)run(l, pass, dense);
    (void)run_masked(l, pass, alive, masked);
    for (size_t i = 0; i < n; i++) {
        const bool lives = alive[i / plane % l->n.n_components] != 0;
        const float before = pass.add ? l->out[i] : 0.0f;
        const float expected = lives ? dense[i] : pass.relu && before < 0.0f ? 0.0f : before;
        if (masked[i] != expected && (finite || !lives)) {
            fail_msg("element %zu, %s: %g instead of %g", i, lives ? "alive" : "dead", (double)masked[i],
                     (double)expected);
        }
    }
}

static void dead_outputs_are_exact(void **state)
{
    (void)state;
    skip_unless_offered();
    for (size_t i = 0; i < COUNT(convolutions) * 8; i++) {
        layer l;
        conv_attr attr;
        const convolution *c = &convolutions[i / 8];
        open_convolution(&l, c, &attr, 3, i);
        const conv_pass pass = {.bias = true, .add = (i & 1) != 0, .relu = (i & 2) != 0, .winograd = true};
        const bool huge = (i & 4) != 0; /* so that the transformed input is infinite */
        uint8_t *alive = arena_alloc(l.a, c->out, 1);
        for (size_t o = 0; o < c->out;
             o++) { /* also a block that is all dead, and one that is all alive where there are three */
            alive[o] = o / MAX_BLOCK == 0 ? 0 : o / MAX_BLOCK == 1 ? 1 : o % 3 != 1;
        }
        for (size_t k = 0; huge && k < l.batch * l.n_x[0]; k++) {
            l.x[0][k] *= FLT_MAX;
        }
        check_masked(&l, pass, alive, !huge);
        for (size_t o = 0; o < c->out; o++) {
            alive[o] = o % 3 != 1;
        }
        check_masked(&l, pass, alive, !huge);
        layer_close(&l);
    }
}

/* Shapes without such kernels, and whatever is not a forward pass over images: the direct plan, bit for bit. */
static void other_shapes_are_direct(void **state)
{
    (void)state;
    static const conv_attr attrs[] = {
        {.out_channels = 32, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1},
        {.out_channels = 32, .kernel = {1, 1}, .stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1},
        {.out_channels = 32, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 2},
        {.out_channels = 32, .kernel = {3, 3}, .stride = {1, 1}, .padding = {2, 2}, .dilation = {2, 2}, .groups = 1},
        {.out_channels = 32, .kernel = {5, 5}, .stride = {1, 1}, .padding = {2, 2}, .dilation = {1, 1}, .groups = 1},
        {.out_channels = 32, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1},
    };
    for (size_t k = 0; k < COUNT(attrs); k++) {
        const bool adjoint = k + 1 == COUNT(attrs);
        const size_t weights = 32 * 32 / attrs[k].groups * attrs[k].kernel[0] * attrs[k].kernel[1];
        const layer_spec s = {"convolution", &op_conv2d, &attrs[k], 1, {{.rank = 3, .dim = {32, 12, 12}}},
                              weights,       32,         32};
        layer l;
        layer_open(&l, &s, 2, k);
        const size_t n = l.batch * (adjoint ? l.n_x[0] : l.n_out);
        float *in = adjoint ? l.out : l.x[0], *direct = layer_floats(&l, n), *asked = layer_floats(&l, n);
        layer_product(&l, (conv_pass){.adjoint = adjoint}, l.n.weight, NULL, in, direct);
        assert_false(layer_product_masked(&l, (conv_pass){.adjoint = adjoint, .winograd = true}, NULL, l.n.weight, NULL,
                                          in, asked));
        assert_memory_equal(asked, direct, n * sizeof *direct);
        layer_close(&l);
    }
}

/* Parts of the weights are the walk's. */
static void parts_are_direct(void **state)
{
    (void)state;
    layer l;
    conv_attr attr;
    open_convolution(&l, &convolutions[0], &attr, 2, 0);
    conv_pass pass = {.bias = true, .n_parts = 1, .part = {{.positive = 1.0f}}};
    float *direct = layer_floats(&l, l.batch * l.n_out);
    (void)run(&l, pass, direct);
    pass.winograd = true;
    assert_false(run(&l, pass, l.out));
    assert_memory_equal(l.out, direct, l.batch * l.n_out * sizeof *direct);
    layer_close(&l);
}

typedef struct network {
    arena *a;
    golden *file;
    const graph *g;
    golden_array images;
} network;

static const float *logits(const network *n, bool winograd)
{
    const size_t batch = n->images.dim[0];
    forward *run = NULL;
    assert_ok(forward_build_for_logits(n->a, n->g, test_backend(), batch, winograd, &run));
    assert_int_equal(forward_bytes_for_logits(n->g, test_backend(), batch, winograd), forward_taken(run));
    forward_run(run, n->images.f32, NULL);
    return forward_logits(run);
}

/* 3x3 at stride 1, but for the one that reads the image in plain order. */
static bool fits(const node *n)
{
    const conv_attr *a = n->attr;
    return n->op == &op_conv2d && n->in[0] != 0 && a->kernel[0] == 3 && a->kernel[1] == 3 && a->stride[0] == 1 &&
           a->stride[1] == 1;
}

/* Which layers of a network it is, is said; where it is none, the logits are those of direct convolutions, bit for bit. */
static size_t check_told(const network *n)
{
    size_t found = 0, k = 0;
    const node_id *layers = NULL;
    assert_ok(forward_winograd_layers(n->a, n->g, test_backend(), n->images.dim[0], &found, &layers));
    for (node_id id = 0; id < n->g->n_nodes && offered(); id++) {
        if (fits(&n->g->nodes[id])) {
            assert_true(k < found && layers[k] == id);
            k++;
        }
    }
    assert_int_equal(k, found);
    const size_t bytes = n->images.dim[0] * n->g->n_classes * sizeof(float);
    assert_true((memcmp(logits(n, true), logits(n, false), bytes) == 0) == (found == 0));
    return found;
}

static void networks_tell_their_layers(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        bool has_some;
    } cases[] = {{"vgg_bn_tiny.h5", true},
                 {"resnet_basic_tiny.h5", true},
                 {"resnet_bottleneck_tiny.h5", true},
                 {"vit_tiny.h5", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        network n = {.file = golden_open(cases[i].file)};
        assert_ok(arena_open("test", &n.a));
        assert_ok(graph_build(n.a, golden_tensors(n.file), &n.g));
        n.images = golden_read(n.file, "inputs");
        assert_true((check_told(&n) > 0) == (cases[i].has_some && offered()));
        golden_close(&n.file);
        arena_close(&n.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_every_size),            cmocka_unit_test(a_not_a_number_stays_one),
        cmocka_unit_test(outputs_are_near_the_definition), cmocka_unit_test(fused_steps_match_single_ones),
        cmocka_unit_test(slots_have_the_same_bits),        cmocka_unit_test(the_micro_batch_changes_no_bit),
        cmocka_unit_test(dead_outputs_are_exact),          cmocka_unit_test(other_shapes_are_direct),
        cmocka_unit_test(parts_are_direct),                cmocka_unit_test(networks_tell_their_layers),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
