/* Convolutions that take as many input channels as there are (backend/narrow.h): the numbers of the definition, whatever the shape and what is fused;
 * the same bits in every slot; and they are taken where they pay and are allowed, nowhere else. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "backend/narrow.h"
#include "nn/images.h"
#include "support/backends.h"
#include "support/naive.h"

static const conv_pass allowed = {.quick = true};
static const double tolerance = 2e-5; /* of the largest sum that there can be: a mistake of one tap or edge is far larger */

static conv_shape square(size_t in, size_t out, size_t size, size_t kernel, size_t padding)
{
    return (conv_shape){.in_channels = in, .out_channels = out, .groups = 1, .in_height = size, .in_width = size, .out_height = size + 2 * padding - kernel + 1,
                        .out_width = size + 2 * padding - kernel + 1, .kernel = {kernel, kernel}, .stride = {1, 1}, .padding = {padding, padding}, .dilation = {1, 1}};
}

static bool is_narrow(const conv_plan *p)
{
    return strncmp(p->kernel, "narrow", 6) == 0;
}

static const conv_plan *prepared(arena *a, const conv_shape *s, size_t batch, conv_pass pass)
{
    const conv_plan *p = NULL;
    assert_ok(own_kernels()->prepare(a, s, batch, pass, &p));
    return p;
}

/* A layer with random weights, which runs on any number of samples. */
typedef struct made {
    arena *a;
    conv_shape s;
    conv_pass pass;
    shape in, out;
    float *w, *bias;
    const uint8_t *alive;
} made;

static made open_made(conv_shape s, conv_pass pass)
{
    made m = {.s = s, .pass = pass, .in = {.rank = 3, .dim = {s.in_channels, s.in_height, s.in_width}}, .out = {.rank = 3, .dim = {s.out_channels, s.out_height, s.out_width}}};
    assert_ok(arena_open("narrow", &m.a));
    m.w = random_floats(m.a, s.out_channels * s.in_channels * s.kernel[0] * s.kernel[1], 1);
    m.bias = random_floats(m.a, s.out_channels, 2);
    return m;
}

/* x, out [batch] in plain order; `out` holds what is added to. */
static void run(const made *m, size_t batch, const float *x, float *out)
{
    const conv_plan *p;
    assert_ok(narrow_prepare(m->a, &m->s, batch, m->pass, &p));
    float *in = random_floats(m->a, batch * images_floats(m->in, 16), 7), *to = random_floats(m->a, batch * images_floats(m->out, 16), 8);
    float *packed = random_floats(m->a, p->n_packed, 3), *work = random_floats(m->a, p->n_work + 1, 4);
    assert_true(is_narrow(p));
    memset(work, 0xff, p->n_work * sizeof *work); /* not-a-numbers: who reads them before writing is seen */
    images_store(batch, m->in, 16, x, in);
    images_store(batch, m->out, 16, out, to);
    p->pack(p, m->w, m->pass.bias ? m->bias : NULL, m->alive, packed);
    p->run(p, packed, NULL, in, to, work);
    images_load(batch, m->out, 16, to, out);
    const size_t plane = m->s.out_height * m->s.out_width, each = images_floats(m->out, 16);
    for (size_t i = 0; i < batch * each; i++) {
        const size_t channel = i % each / (plane * 16) * 16 + i % 16;
        assert_true(channel < m->s.out_channels || to[i] == 0.0f); /* padding lanes of the output are 0 */
    }
}

static bool is_alive(const made *m, size_t o)
{
    return m->alive == NULL || m->alive[o];
}

/* Against the definition; a dead output is what there was, or 0. */
static void check(const made *m, size_t batch)
{
    const size_t n_in = shape_count(m->in), n_out = shape_count(m->out), plane = m->s.out_height * m->s.out_width;
    const float *x = random_floats(m->a, batch * n_in, 5);
    float *out = random_floats(m->a, batch * n_out, 6);
    const float *before = random_floats(m->a, batch * n_out, 6);
    double *z = arena_alloc(m->a, batch * n_out, sizeof *z);
    const double bound = tolerance * (double)(m->s.in_channels * m->s.kernel[0] * m->s.kernel[1] + 2);
    assert_non_null(z);
    run(m, batch, x, out);
    naive_conv(&m->s, batch, m->w, m->pass.bias ? m->bias : NULL, x, z);
    for (size_t i = 0; i < batch * n_out; i++) {
        double v = is_alive(m, i % n_out / plane) ? z[i] : 0.0;
        v += m->pass.add ? (double)before[i] : 0.0;
        v = m->pass.relu && v < 0.0 ? 0.0 : v;
        if (!(fabs(v - (double)out[i]) <= bound)) {
            fail_msg("%zu to %zu channels, %zux%zu: output %zu is %g, expected %g", m->s.in_channels, m->s.out_channels, m->s.out_height, m->s.out_width, i,
                     (double)out[i], v);
        }
    }
}

/* Every width of a tile, alone and with others behind it; one, two and three blocks of outputs; blocks of inputs that are and are not full. */
static void numbers_are_those_of_the_definition(void **state)
{
    (void)state;
    static const size_t channels[][2] = {{1, 16}, {16, 16}, {5, 3}, {17, 33}, {19, 40}, {33, 1}, {11, 32}};
    (void)own_kernels();
    for (size_t size = 1; size <= 34; size++) {
        const size_t *c = channels[size % COUNT(channels)];
        made m = open_made(square(c[0], c[1], size, 3, 1), allowed);
        check(&m, 2);
        arena_close(&m.a);
    }
    for (size_t i = 0; i < COUNT(channels); i++) {
        made small = open_made(square(channels[i][0], channels[i][1], 9, 1, 0), allowed), valid = open_made(square(channels[i][0], channels[i][1], 12, 5, 0), allowed),
             wide = open_made(square(channels[i][0], channels[i][1], 10, 3, 4), allowed);
        check(&small, 2);
        check(&valid, 2);
        check(&wide, 2);
        arena_close(&wide.a);
        arena_close(&valid.a);
        arena_close(&small.a);
    }
}

/* An image of many strips; and windows, padding and dilation that differ in height and width. */
static void large_images_and_odd_windows(void **state)
{
    (void)state;
    (void)own_kernels();
    const conv_shape shapes[] = {square(37, 20, 130, 3, 1), square(37, 20, 130, 3, 0), square(37, 20, 130, 1, 0)}; /* copied, and read where they are */
    for (size_t i = 0; i < COUNT(shapes); i++) {
        made large = open_made(shapes[i], allowed);
        check(&large, 1);
        arena_close(&large.a);
    }
    const conv_shape odd = {.in_channels = 21, .out_channels = 18, .groups = 1, .in_height = 23, .in_width = 19, .out_height = 23 + 2 * 3 - 4, .out_width = 19 + 2 * 1 - 2,
                            .kernel = {3, 2}, .stride = {1, 1}, .padding = {3, 1}, .dilation = {2, 2}};
    made m = open_made(odd, allowed);
    check(&m, 3);
    arena_close(&m.a);
}

static void what_is_fused(void **state)
{
    (void)state;
    (void)own_kernels();
    for (unsigned bits = 0; bits < 8; bits++) {
        const conv_pass pass = {.bias = (bits & 1) != 0, .add = (bits & 2) != 0, .relu = (bits & 4) != 0, .quick = true};
        made m = open_made(square(21, 35, 13, 3, 1), pass);
        check(&m, 2);
        arena_close(&m.a);
    }
}

static void dead_outputs_are_0(void **state)
{
    (void)state;
    (void)own_kernels();
    uint8_t alive[35];
    for (size_t i = 0; i < COUNT(alive); i++) {
        alive[i] = i % 3 != 1;
    }
    made m = open_made(square(21, COUNT(alive), 13, 3, 1), (conv_pass){.add = true, .relu = true, .quick = true});
    m.alive = alive;
    check(&m, 2);
    arena_close(&m.a);
}

/* The slot law. */
static void a_sample_has_the_same_bits_in_every_slot(void **state)
{
    (void)state;
    enum { BATCH = 5 };
    (void)own_kernels();
    made m = open_made(square(21, 35, 29, 3, 1), (conv_pass){.bias = true, .quick = true});
    const size_t n_in = shape_count(m.in), n_out = shape_count(m.out);
    const float *x = random_floats(m.a, BATCH * n_in, 5);
    float *together = random_floats(m.a, BATCH * n_out, 6), *alone = random_floats(m.a, BATCH * n_out, 6);
    run(&m, BATCH, x, together);
    for (size_t i = 0; i < BATCH; i++) {
        run(&m, 1, x + i * n_in, alone + i * n_out);
    }
    assert_memory_equal(together, alone, BATCH * n_out * sizeof *together);
    arena_close(&m.a);
}

static void taken_where_allowed_and_cheaper(void **state)
{
    (void)state;
    (void)own_kernels();
    arena *a;
    assert_ok(arena_open("narrow", &a));
    conv_shape strided = square(17, 16, 17, 3, 1), plain = square(3, 16, 16, 3, 1), grouped = square(34, 34, 16, 3, 1);
    strided.stride[0] = strided.stride[1] = 2;
    strided.out_height = strided.out_width = 9;
    plain.plain_input = true;
    grouped.groups = 2;
    const struct {
        conv_shape s;
        conv_pass pass;
        bool taken;
    } cases[] = {
        {square(17, 32, 16, 3, 1), allowed, true},         {square(17, 32, 16, 3, 1), {0}, false},
        {square(16, 16, 32, 3, 1), allowed, true},         {square(16, 32, 32, 3, 1), allowed, false},
        {square(16, 16, 16, 3, 1), allowed, false},        {square(12, 16, 16, 3, 1), allowed, true},
        {square(40, 64, 2, 3, 1), allowed, false},         {square(40, 64, 4, 3, 1), allowed, false}, /* mostly padding */
        {square(40, 64, 4, 1, 0), allowed, true},          {square(8, 64, 4, 3, 1), allowed, true},
        {square(32, 16, 16, 3, 1), allowed, false},        {square(61, 61, 16, 3, 1), allowed, false},
        {square(50, 64, 16, 3, 1), allowed, true},         {strided, allowed, false},
        {plain, allowed, false},                           {grouped, allowed, false},
        {square(17, 32, 16, 3, 1), {.adjoint = true, .quick = true}, false},
        {square(17, 32, 16, 3, 1), {.n_parts = 1, .part = {{1, 0}}, .quick = true}, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (is_narrow(prepared(a, &cases[i].s, 2, cases[i].pass)) != cases[i].taken) {
            fail_msg("case %zu: taken is not %d", i, cases[i].taken);
        }
    }
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_definition),
        cmocka_unit_test(large_images_and_odd_windows),
        cmocka_unit_test(what_is_fused),
        cmocka_unit_test(dead_outputs_are_0),
        cmocka_unit_test(a_sample_has_the_same_bits_in_every_slot),
        cmocka_unit_test(taken_where_allowed_and_cheaper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
