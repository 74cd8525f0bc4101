/* Convolutions that are computed in more than one block (openblas_conv.c): the numbers are those of the definition, and nothing of a sample
 * depends on the batch that it is in, also where the blocks of several samples go through the kernels in turns. Small ones, of one block,
 * are in test_ops.c and test_parts.c. */
#include "support/layer.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "support/naive.h"

enum { BATCH = 5 };

/* Panels of parts of a row; of whole rows; with strides and groups. All of more taps than a block has. */
static const conv_shape cut[] = {
    {.in_channels = 16,
     .out_channels = 5,
     .groups = 1,
     .in_height = 1,
     .in_width = 1030,
     .out_height = 1,
     .out_width = 1030,
     .kernel = {1, 25},
     .stride = {1, 1},
     .padding = {0, 12},
     .dilation = {1, 1}},
    {.in_channels = 16,
     .out_channels = 6,
     .groups = 1,
     .in_height = 35,
     .in_width = 30,
     .out_height = 35,
     .out_width = 30,
     .kernel = {5, 5},
     .stride = {1, 1},
     .padding = {2, 2},
     .dilation = {1, 1}},
    {.in_channels = 16,
     .out_channels = 4,
     .groups = 2,
     .in_height = 29,
     .in_width = 80,
     .out_height = 27,
     .out_width = 40,
     .kernel = {7, 7},
     .stride = {1, 2},
     .padding = {2, 3},
     .dilation = {1, 1}},
    {.in_channels = 16,
     .out_channels = 3,
     .groups = 1,
     .in_height = 110,
     .in_width = 107,
     .out_height = 34,
     .out_width = 35,
     .kernel = {5, 6},
     .stride = {3, 3},
     .padding = {0, 4},
     .dilation = {2, 2}},
};

/* A mistake of one tap or edge would be far larger. */
static const double tolerance = 1e-5;

static size_t in_floats(const conv_shape *s)
{
    return s->in_channels * s->in_height * s->in_width;
}

static size_t out_floats(const conv_shape *s, conv_pass pass)
{
    return (pass.n_parts == 2 ? 2 : 1) * s->out_channels * s->out_height * s->out_width;
}

/* What the layer makes of the samples from `in` on: out [batch], which holds what `add` adds to. */
static const conv_plan *run(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const float *in, float *out)
{
    const backend_def *backend = backend_find("openblas");
    const float *w = random_floats(a, s->out_channels * s->in_channels / s->groups * s->kernel[0] * s->kernel[1], 1);
    const float *bias = random_floats(a, s->out_channels, 2);
    const conv_plan *p;
    assert_non_null(backend);
    assert_ok(backend->prepare(a, s, batch, pass, &p));
    if (p->n_packed > 0) {
        float *packed = random_floats(a, p->n_packed, 3);
        p->pack(p, w, bias, NULL, packed);
        w = packed;
    }
    float *work = arena_alloc(a, p->n_work, sizeof *work);
    assert_non_null(work);
    memset(work, 0xff, p->n_work * sizeof *work); /* not-a-numbers */
    p->run(p, w, bias, in, out, work);
    return p;
}

static void check(const conv_shape *s, conv_pass pass)
{
    arena *a = NULL;
    assert_ok(arena_open("convolution", &a));
    const size_t n_in = pass.adjoint ? out_floats(s, pass) : in_floats(s),
                 n_out = pass.adjoint ? in_floats(s) : out_floats(s, pass);
    const float *in = random_floats(a, BATCH * n_in, 4);
    float *together = random_floats(a, BATCH * n_out, 5), *alone = random_floats(a, BATCH * n_out, 5);
    (void)run(a, s, BATCH, pass, in, together);
    for (size_t b = 0; b < BATCH; b++) {
        (void)run(a, s, 1, pass, in + b * n_in, alone + b * n_out);
    }
    assert_memory_equal(together, alone, BATCH * n_out * sizeof *together);
    arena_close(&a);
}

static double dot(size_t n, const float *x, const float *y)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

static void blocks_give_the_numbers_of_the_definition(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cut); i++) {
        arena *a = NULL;
        assert_ok(arena_open("convolution", &a));
        const conv_shape *s = &cut[i];
        const size_t n_in = in_floats(s), n_out = out_floats(s, (conv_pass){0});
        const float *x = random_floats(a, n_in, 4), *y = random_floats(a, n_out, 6);
        float *z = random_floats(a, n_out, 5), *r = random_floats(a, n_in, 5);
        double *expected = arena_alloc(a, n_out, sizeof *expected);
        assert_non_null(expected);
        const conv_plan *p = run(a, s, 1, (conv_pass){.bias = true, .relu = true}, x, z);
        const size_t patch = s->in_channels / s->groups * s->kernel[0] * s->kernel[1];
        assert_true(p->n_work < patch * s->out_height * s->out_width);
        naive_conv(s, 1, random_floats(a, s->out_channels * patch, 1), random_floats(a, s->out_channels, 2), x,
                   expected);
        for (size_t k = 0; k < n_out; k++) {
            expected[k] = fmax(expected[k], 0.0);
        }
        assert_close("convolution", n_out, z, expected, tolerance);
        (void)run(a, s, 1, (conv_pass){0}, x, z);
        (void)run(a, s, 1, (conv_pass){.adjoint = true}, y, r);
        const double left = dot(n_out, z, y), right = dot(n_in, x, r), size = sqrt(dot(n_out, z, z) * dot(n_out, y, y));
        if (!(fabs(left - right) <= 1e-6 * size)) {
            fail_msg("convolution %zu: <Ax,y> = %.9g, <x,A'y> = %.9g", i, left, right);
        }
        arena_close(&a);
    }
}

/* Outputs of the micro-batch by channels: far more than go through a block of the weights before the next, and that limit falls into the
 * middle of a sample, or samples share it. */
static const conv_shape shapes[] = {
    {.in_channels = 64,
     .out_channels = 230,
     .groups = 1,
     .in_height = 36,
     .in_width = 36,
     .out_height = 36,
     .out_width = 36,
     .kernel = {3, 3},
     .stride = {1, 1},
     .padding = {1, 1},
     .dilation = {1, 1}},
    {.in_channels = 60,
     .out_channels = 400,
     .groups = 2,
     .in_height = 40,
     .in_width = 90,
     .out_height = 20,
     .out_width = 45,
     .kernel = {4, 4},
     .stride = {2, 2},
     .padding = {1, 1},
     .dilation = {1, 1}},
    {.in_channels = 40,
     .out_channels = 300,
     .groups = 1,
     .in_height = 1,
     .in_width = 1300,
     .out_height = 1,
     .out_width = 1300,
     .kernel = {1, 9},
     .stride = {1, 1},
     .padding = {0, 4},
     .dilation = {1, 1}},
    {.in_channels = 30,
     .out_channels = 260,
     .groups = 1,
     .in_height = 40,
     .in_width = 30,
     .out_height = 40,
     .out_width = 30,
     .kernel = {1, 1},
     .stride = {1, 1},
     .padding = {0, 0},
     .dilation = {1, 1}},
};

static void samples_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cut); i++) {
        check(&cut[i], (conv_pass){.bias = true, .relu = true});
        check(&cut[i], (conv_pass){.adjoint = true});
    }
    for (size_t i = 0; i < COUNT(shapes); i++) {
        check(&shapes[i], (conv_pass){.bias = true, .relu = true});
        check(&shapes[i], (conv_pass){.add = true});
        check(&shapes[i], (conv_pass){.adjoint = true});
        if (shapes[i].groups == 1) {
            const conv_pass parts = {.bias = true, .n_parts = 2, .part = {{1.0f, 0.0f}, {0.0f, 1.0f}}};
            conv_pass back = parts;
            back.bias = false;
            back.adjoint = true;
            check(&shapes[i], parts);
            check(&shapes[i], back);
        }
    }
}

/* The matrix of all patches of a layer like VGG's second would be 115 MB. */
static void scratch_memory_is_a_block(void **state)
{
    (void)state;
    arena *a = NULL;
    const conv_plan *p;
    const conv_shape s = {.in_channels = 64,
                          .out_channels = 64,
                          .groups = 1,
                          .in_height = 224,
                          .in_width = 224,
                          .out_height = 224,
                          .out_width = 224,
                          .kernel = {3, 3},
                          .stride = {1, 1},
                          .padding = {1, 1},
                          .dilation = {1, 1}};
    assert_ok(arena_open("convolution", &a));
    for (int adjoint = 0; adjoint < 2; adjoint++) {
        assert_ok(backend_find("openblas")->prepare(a, &s, 16, (conv_pass){.adjoint = adjoint != 0}, &p));
        assert_in_range(p->n_work * sizeof(float), 1, 512 * 1024);
    }
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_give_the_numbers_of_the_definition),
        cmocka_unit_test(samples_do_not_depend_on_the_batch),
        cmocka_unit_test(scratch_memory_is_a_block),
    };
    if (!status_ok(backend_find("openblas")->start())) {
        print_error("%s\n", status_message());
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
