/* Our own exp and GELU against libm in double: the accuracy that their headers state, over the whole range. */
#include "support/layer.h"

#include <float.h>
#include <math.h>

#include "nn/exponential.h"
#include "support/naive.h"

enum { STEPS = 400001 };

static double at(size_t i, double from, double to)
{
    return from + (to - from) * (double)i / (STEPS - 1);
}

static double relative(double found, double expected)
{
    return fabs(found - expected) / fabs(expected);
}

static void exponential_is_accurate(void **state)
{
    (void)state;
    double worst = 0.0, worst_of_sum = 0.0;
    for (size_t i = 0; i < STEPS; i++) {
        const float x = (float)at(i, -87.0, 88.0), small = (float)at(i, -0.004, 0.004);
        worst = worst_of(worst, relative((double)exponential(x, 0.0f), exp((double)x)));
        worst_of_sum = worst_of(worst_of_sum, relative((double)exponential(x, small), exp((double)x + (double)small)));
    }
    print_message("largest relative error %.3g, with a correction %.3g\n", worst, worst_of_sum);
    assert_true(worst < 2e-7 && worst_of_sum < 2e-7);
}

static void exponential_at_the_ends(void **state)
{
    (void)state;
    assert_true(exponential(0.0f, 0.0f) == 1.0f);
    assert_true(exponential(-87.5f, 0.0f) == 0.0f && exponential(-INFINITY, 0.0f) == 0.0f);
    assert_true(isfinite(exponential(1000.0f, 0.0f)) && exponential(1000.0f, 0.0f) > 1e38f);
    assert_true(isnan(exponential(NAN, 0.0f)));
}

/* The layer, so that the vector code is what is tested; relative to each value: the tail of negative x counts. */
static void gelu_is_accurate(void **state)
{
    (void)state;
    const layer_spec s = {"gelu", &op_gelu, NULL, 1, {{.rank = 1, .dim = {STEPS}}}, 0, 0, 0};
    layer l;
    layer_open(&l, &s, 1, 1);
    for (size_t i = 0; i < STEPS; i++) {
        l.x[0][i] = (float)at(i, -13.0, 20.0);
    }
    layer_forward(&l, NULL);
    double worst = 0.0;
    for (size_t i = 0; i < STEPS; i++) {
        const double x = (double)l.x[0][i];
        worst = worst_of(worst, x == 0.0 ? fabs((double)l.out[i]) : relative((double)l.out[i], naive_gelu(x)));
    }
    print_message("largest relative error %.3g\n", worst);
    assert_true(worst < 6e-7);
    layer_close(&l);
}

static void gelu_at_the_ends(void **state)
{
    (void)state;
    const float x[] = {-20.0f, -13.5f, INFINITY, NAN, -0.0f, FLT_MAX};
    const layer_spec s = {"gelu", &op_gelu, NULL, 1, {{.rank = 1, .dim = {COUNT(x)}}}, 0, 0, 0};
    layer l;
    layer_open(&l, &s, 1, 1);
    memcpy(l.x[0], x, sizeof x);
    layer_forward(&l, NULL);
    assert_true(l.out[0] == 0.0f && l.out[1] == 0.0f);
    assert_true(l.out[2] == INFINITY && isnan(l.out[3]) && l.out[4] == 0.0f && l.out[5] == FLT_MAX);
    layer_close(&l);
}

/* Phi(x) + x phi(x): 1 far to the right, so an absolute error; it crosses 0 at -0.75, but the tail beyond is relative too. */
static double slope(double x)
{
    const double phi = exp(-0.5 * x * x) / sqrt(2.0 * acos(-1.0));
    return 0.5 * erfc(-x / sqrt(2.0)) + x * phi;
}

static void gelu_slope_is_accurate(void **state)
{
    (void)state;
    const layer_spec s = {"gelu", &op_gelu, NULL, 1, {{.rank = 1, .dim = {STEPS}}}, 0, 0, 0};
    layer l;
    layer_open(&l, &s, 1, 1);
    float *one = layer_floats(&l, STEPS), *found[MAX_INPUTS] = {layer_floats(&l, STEPS)};
    for (size_t i = 0; i < STEPS; i++) {
        l.x[0][i] = (float)at(i, -13.0, 20.0);
        one[i] = 1.0f;
    }
    layer_gradient(&l, one, found, NULL, NULL);
    double worst = 0.0, worst_tail = 0.0;
    for (size_t i = 0; i < STEPS; i++) {
        const double x = (double)l.x[0][i], expected = slope(x);
        worst = worst_of(worst, fabs((double)found[0][i] - expected));
        worst_tail = x < -1.5 ? worst_of(worst_tail, relative((double)found[0][i], expected)) : worst_tail;
    }
    print_message("largest absolute error %.3g, relative below -1.5 %.3g\n", worst, worst_tail);
    assert_true(worst < 2e-7 && worst_tail < 1e-6);
    layer_close(&l);
}

static void gelu_slope_at_the_ends(void **state)
{
    (void)state;
    const float x[] = {-INFINITY, -FLT_MAX, -13.5f, 0.0f, 13.5f, FLT_MAX, INFINITY, NAN};
    const layer_spec s = {"gelu", &op_gelu, NULL, 1, {{.rank = 1, .dim = {COUNT(x)}}}, 0, 0, 0};
    layer l;
    layer_open(&l, &s, 1, 1);
    float one[COUNT(x)], *found[MAX_INPUTS] = {layer_floats(&l, COUNT(x))};
    for (size_t i = 0; i < COUNT(x); i++) {
        one[i] = 1.0f;
    }
    memcpy(l.x[0], x, sizeof x);
    layer_gradient(&l, one, found, NULL, NULL);
    assert_true(found[0][0] == 0.0f && found[0][1] == 0.0f && found[0][2] == 0.0f && fabsf(found[0][3] - 0.5f) < 1e-7f);
    assert_true(found[0][4] == 1.0f && found[0][5] == 1.0f && found[0][6] == 1.0f && isnan(found[0][7]));
    layer_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_is_accurate), cmocka_unit_test(exponential_at_the_ends),
        cmocka_unit_test(gelu_is_accurate),        cmocka_unit_test(gelu_at_the_ends),
        cmocka_unit_test(gelu_slope_is_accurate),  cmocka_unit_test(gelu_slope_at_the_ends),
    };
    test_backend_use(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
