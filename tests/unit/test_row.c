/* Linear layers of one row a sample (backend/row.h): the numbers of the definition, whatever the size and what is fused; the same bits in every slot;
 * and they are taken where they are allowed, nowhere else. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "backend/row.h"
#include "support/backends.h"
#include "support/naive.h"

static const conv_pass allowed = {.quick = true};
static const double tolerance = 1e-6; /* of a quarter of the largest sum that there can be */

static conv_shape row(size_t in, size_t out)
{
    return (conv_shape){.in_channels = in, .out_channels = out, .groups = 1, .in_height = 1, .in_width = 1, .out_height = 1, .out_width = 1, .kernel = {1, 1},
                        .stride = {1, 1}, .dilation = {1, 1}, .rows = true};
}

/* A layer with random weights, which runs on any number of samples. */
typedef struct made {
    arena *a;
    conv_shape s;
    conv_pass pass;
    float *w, *bias;
} made;

static made open_made(size_t in, size_t out, conv_pass pass)
{
    made m = {.s = row(in, out), .pass = pass};
    assert_ok(arena_open("row", &m.a));
    m.w = random_floats(m.a, in * out, 1);
    m.bias = random_floats(m.a, out, 2);
    return m;
}

/* x [batch,in], out [batch,out]; `out` holds what is added to. */
static void run(const made *m, size_t batch, const float *x, float *out)
{
    const conv_plan *p;
    assert_ok(own_kernels()->prepare(m->a, &m->s, batch, m->pass, &p));
    assert_string_equal(p->kernel, "row:avx512");
    assert_true(p->n_packed == 0 && p->n_work == 0);
    p->run(p, m->w, m->pass.bias ? m->bias : NULL, x, out, NULL);
}

static void check(const made *m, size_t batch)
{
    const size_t in = m->s.in_channels, n_out = m->s.out_channels;
    const float *x = random_floats(m->a, batch * in, 5), *before = random_floats(m->a, batch * n_out, 6);
    float *out = random_floats(m->a, batch * n_out, 6);
    double *z = arena_alloc(m->a, batch * n_out, sizeof *z);
    assert_non_null(z);
    run(m, batch, x, out);
    naive_conv(&m->s, batch, m->w, m->pass.bias ? m->bias : NULL, x, z);
    for (size_t i = 0; i < batch * n_out; i++) {
        double v = z[i] + (m->pass.add ? (double)before[i] : 0.0);
        v = m->pass.relu && v < 0.0 ? 0.0 : v;
        if (!(fabs(v - (double)out[i]) <= tolerance * (0.25 * (double)in + 2))) {
            fail_msg("%zu to %zu, batch %zu: output %zu is %g, expected %g", in, n_out, batch, i, (double)out[i], v);
        }
    }
}

/* Every number of samples and of outputs that are computed together, alone and behind others; whole vectors of inputs and others; more than one part. */
static void numbers_are_those_of_the_definition(void **state)
{
    (void)state;
    (void)own_kernels();
    for (size_t i = 1; i <= 34; i++) {
        made m = open_made(i, 1 + i % 7, allowed);
        check(&m, 1 + i % 19);
        arena_close(&m.a);
    }
    static const size_t many[][3] = {{8192, 2, 3}, {8193, 4, 2}, {25088, 5, 9}, {8191, 3, 16}};
    for (size_t i = 0; i < COUNT(many); i++) {
        made m = open_made(many[i][0], many[i][1], allowed);
        check(&m, many[i][2]);
        arena_close(&m.a);
    }
}

static void what_is_fused(void **state)
{
    (void)state;
    (void)own_kernels();
    for (unsigned bits = 0; bits < 8; bits++) {
        made m = open_made(40, 11, (conv_pass){.bias = (bits & 1) != 0, .add = (bits & 2) != 0, .relu = (bits & 4) != 0, .quick = true});
        check(&m, 5);
        arena_close(&m.a);
    }
}

/* The slot law. */
static void a_sample_has_the_same_bits_in_every_slot(void **state)
{
    (void)state;
    enum { BATCH = 19, IN = 8300, OUT = 7 };
    (void)own_kernels();
    made m = open_made(IN, OUT, (conv_pass){.bias = true, .relu = true, .quick = true});
    const float *x = random_floats(m.a, (size_t)BATCH * IN, 5);
    float *together = random_floats(m.a, (size_t)BATCH * OUT, 6), *alone = random_floats(m.a, (size_t)BATCH * OUT, 7);
    run(&m, BATCH, x, together);
    for (size_t i = 0; i < BATCH; i++) {
        run(&m, 1, x + i * IN, alone + i * OUT);
    }
    assert_memory_equal(together, alone, (size_t)BATCH * OUT * sizeof *together);
    arena_close(&m.a);
}

static void a_not_a_number_stays_one(void **state)
{
    (void)state;
    (void)own_kernels();
    made m = open_made(21, 4, (conv_pass){.relu = true, .quick = true});
    float *x = random_floats(m.a, 2 * 21, 5), *out = random_floats(m.a, 2 * 4, 6);
    x[20] = NAN; /* of the first sample, its last */
    run(&m, 2, x, out);
    for (size_t i = 0; i < 8; i++) {
        assert_true(isnan(out[i]) == (i < 4));
    }
    x[20] = 0.0f;
    x[21] = NAN; /* of the second, its first: what lies behind a row is not read */
    run(&m, 2, x, out);
    for (size_t i = 0; i < 8; i++) {
        assert_true(isnan(out[i]) == (i >= 4));
    }
    arena_close(&m.a);
}

static void taken_where_allowed(void **state)
{
    (void)state;
    const backend_def *b = own_kernels();
    arena *a;
    assert_ok(arena_open("row", &a));
    conv_shape tokens = row(32, 16);
    tokens.in_height = tokens.out_height = 5;
    const struct {
        conv_shape s;
        conv_pass pass;
        bool taken;
    } cases[] = {
        {row(32, 16), allowed, true},
        {row(32, 16), {0}, false},
        {row(32, 16), {.adjoint = true, .quick = true}, false},
        {row(32, 16), {.n_parts = 1, .part = {{1, 0}}, .quick = true}, false},
        {tokens, allowed, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const conv_plan *p = NULL;
        assert_ok(b->prepare(a, &cases[i].s, 2, cases[i].pass, &p));
        if ((strncmp(p->kernel, "row", 3) == 0) != cases[i].taken || row_possible(&cases[i].s, cases[i].pass) != cases[i].taken) {
            fail_msg("case %zu: taken is not %d", i, cases[i].taken);
        }
    }
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_definition), cmocka_unit_test(what_is_fused),
        cmocka_unit_test(a_sample_has_the_same_bits_in_every_slot), cmocka_unit_test(a_not_a_number_stays_one),
        cmocka_unit_test(taken_where_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
