#include "support/support.h"

#include <math.h>

#include "backend/backend.h"
#include "core/rng.h"
#include "search/importance.h"

static arena *scratch;

static int set_up(void **state)
{
    (void)state;
    return status_ok(backend_default()->start()) && status_ok(arena_open("importance test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static const space_dimension grid_dimensions[] = {
    {"a", SPACE_CATEGORICAL, .n_choices = 3, .parent = SPACE_ALWAYS},
    {"b", SPACE_CATEGORICAL, .n_choices = 2, .parent = SPACE_ALWAYS},
    {"c", SPACE_CATEGORICAL, .n_choices = 4, .parent = SPACE_ALWAYS},
};

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance)) {
        print_error("%.17g is not %.17g within %g\n", value, expected, tolerance);
        fail();
    }
}

/* f = u(a) + v(b) w(c) with means 0 over each: Var = Var u + Var v Var w; b and c have no effect by themselves. */
static void shares_by_hand(void **state)
{
    (void)state;
    static const double u[] = {-2.0, 0.5, 1.5}, v[] = {-1.0, 1.0}, w[] = {-3.0, 1.0, 1.0, 1.0};
    const double var_u = (4.0 + 0.25 + 2.25) / 3.0, var_vw = 1.0 * 3.0;
    space s;
    double value[24], point[3], variance;
    importance out[3];
    assert_ok(space_build(scratch, 3, grid_dimensions, &s));
    space_first(&s, point);
    size_t n = 0;
    do {
        value[n++] = 10.0 + u[(size_t)point[0]] + v[(size_t)point[1]] * w[(size_t)point[2]];
    } while (space_next(&s, point));
    assert_int_equal(n, 24);
    assert_ok(importance_of_grid(scratch, &s, value, &variance, out));
    assert_near(variance, var_u + var_vw, 1e-13);
    assert_near(out[0].main, var_u / variance, 1e-13);
    assert_near(out[0].total, var_u / variance, 1e-13);
    for (size_t d = 1; d < 3; d++) {
        assert_near(out[d].main, 0.0, 1e-13);
        assert_near(out[d].total, var_vw / variance, 1e-13);
    }
}

/* Any function: main and total by their definitions, averaging over all settings that agree in x_d, or in all but x_d. */
static void shares_are_their_definitions(void **state)
{
    (void)state;
    space s;
    double value[24], point[24][3], variance, mean = 0.0;
    importance out[3];
    assert_ok(space_build(scratch, 3, grid_dimensions, &s));
    space_first(&s, point[0]);
    for (size_t i = 0; i < 24; i++) {
        value[i] = rng_uniform(2, RNG_TEST, 0, (uint32_t)i);
        mean += value[i] / 24.0;
        if (i + 1 < 24) {
            point[i + 1][0] = point[i][0], point[i + 1][1] = point[i][1], point[i + 1][2] = point[i][2];
            assert_true(space_next(&s, point[i + 1]));
        }
    }
    assert_ok(importance_of_grid(scratch, &s, value, &variance, out));
    double mains = 0.0;
    for (size_t d = 0; d < 3; d++) {
        double main = 0.0, total = 0.0;
        for (size_t i = 0; i < 24; i++) {
            double same = 0.0, others = 0.0, n_same = 0.0, n_others = 0.0;
            for (size_t j = 0; j < 24; j++) {
                bool agree = true;
                for (size_t k = 0; k < 3; k++) {
                    agree = agree && (k == d || point[i][k] == point[j][k]);
                }
                same += point[i][d] == point[j][d] ? value[j] : 0.0;
                n_same += point[i][d] == point[j][d];
                others += agree ? value[j] : 0.0;
                n_others += agree;
            }
            main += pow(same / n_same - mean, 2.0) / 24.0;
            total += pow(value[i] - others / n_others, 2.0) / 24.0;
        }
        assert_near(out[d].main, main / variance, 1e-13);
        assert_near(out[d].total, total / variance, 1e-13);
        assert_true(out[d].total >= out[d].main - 1e-13);
        mains += out[d].main;
    }
    assert_true(mains < 1.0);
}

static void nothing_is_important_to_a_constant(void **state)
{
    (void)state;
    space s;
    double value[24], variance;
    importance out[3];
    assert_ok(space_build(scratch, 3, grid_dimensions, &s));
    for (size_t i = 0; i < 24; i++) {
        value[i] = 0.1;
    }
    assert_ok(importance_of_grid(scratch, &s, value, &variance, out));
    for (size_t d = 0; d < 3; d++) {
        assert_true(out[d].main == 0.0 && out[d].total == 0.0);
    }
    value[7] = NAN;
    assert_fails(importance_of_grid(scratch, &s, value, &variance, out), ST_DATA, "setting 7", NULL);
}

/* The Gaussian process through a known function of a mixed space with a conditional dimension:
 *   f = x + [rule = 1] gamma, x and gamma uniform in [0, 1]; `idle` does nothing. With g = [rule = 1] gamma: Var x = 1/12,
 *   Var E[g | rule] = 1/16, Var E[g | gamma] = 1/48, Var g = 1/6 - 1/16 = 5/48. */
static void shares_of_a_process(void **state)
{
    (void)state;
    static const space_dimension d[] = {
        {"x", SPACE_CONTINUOUS, .min = 0.0, .max = 1.0, .parent = SPACE_ALWAYS},
        {"rule", SPACE_CATEGORICAL, .n_choices = 2, .parent = SPACE_ALWAYS},
        {"gamma", SPACE_CONTINUOUS, .min = 0.0, .max = 1.0, .parent = 1, .when = 2},
        {"idle", SPACE_CONTINUOUS, .min = -1.0, .max = 1.0, .parent = SPACE_ALWAYS},
    };
    enum { N = 150 };
    space s;
    static double x[N * 5], y[N], noise[N];
    assert_ok(space_build(scratch, 4, d, &s));
    assert_int_equal(s.n_encoded, 5);
    for (uint32_t i = 0; i < N; i++) {
        double unit[4], point[4];
        for (uint32_t k = 0; k < 4; k++) {
            unit[k] = rng_uniform(6, RNG_TEST, k, i);
        }
        space_from_unit(&s, unit, point);
        space_encode(&s, point, &x[i * 5]);
        y[i] = point[0] + (point[1] == 1.0 ? point[2] : 0.0);
    }
    const gp_data data = {N, 5, 4, s.scale_of, x, y, noise};
    gp_parameters p;
    gp_fit_report r;
    gp g;
    assert_ok(gp_fit(scratch, &data, 1, 2, &p, &r));
    assert_ok(gp_build(scratch, &data, &p, &g));
    double variance, whole = 1.0 / 12.0 + 5.0 / 48.0;
    importance out[4], again[4];
    assert_ok(importance_of_process(scratch, &s, &g, 3, 2048, &variance, out));
    const double main[] = {1.0 / 12.0, 1.0 / 16.0, 1.0 / 48.0, 0.0};
    const double total[] = {1.0 / 12.0, 5.0 / 48.0 - 1.0 / 48.0, 5.0 / 48.0 - 1.0 / 16.0, 0.0};
    assert_near(variance, whole, 0.02 * whole);
    for (size_t k = 0; k < 4; k++) {
        assert_near(out[k].main, main[k] / whole, 0.02);
        assert_near(out[k].total, total[k] / whole, 0.02);
    }
    assert_ok(importance_of_process(scratch, &s, &g, 3, 2048, &variance, again));
    assert_memory_equal(out, again, sizeof out);
    double value[1] = {0.0};
    assert_fails(importance_of_grid(scratch, &s, value, &variance, out), ST_DATA, "x", "continuous", NULL);
}

/* Scores as they are: a mean far from 0 beside a small deviation. Nothing interacts, so main and total are the same. */
static void shares_do_not_depend_on_the_mean(void **state)
{
    (void)state;
    static const space_dimension d[] = {
        {"low", SPACE_CATEGORICAL, .n_choices = 4, .parent = SPACE_ALWAYS},
        {"mid", SPACE_CATEGORICAL, .n_choices = 4, .parent = SPACE_ALWAYS},
        {"gamma", SPACE_CONTINUOUS, .min = 0.0, .max = 1.0, .parent = SPACE_ALWAYS},
    };
    enum { N = 60, WIDTH = 9 };
    static double x[N * WIDTH], y[N], noise[N];
    space s;
    gp g;
    gp_parameters p = {.scale = {1.0, 1.0, 1.0}, .signal = 1e-4, .noise = 1e-8};
    assert_ok(space_build(scratch, COUNT(d), d, &s));
    for (uint32_t i = 0; i < N; i++) {
        double unit[COUNT(d)], point[COUNT(d)];
        for (uint32_t k = 0; k < COUNT(d); k++) {
            unit[k] = rng_uniform(8, RNG_TEST, k, i);
        }
        space_from_unit(&s, unit, point);
        space_encode(&s, point, &x[i * WIDTH]);
        y[i] = 0.7 + 0.008 * (point[0] - 1.5) + 0.004 * (point[1] == 2.0) + 0.012 * point[2];
    }
    const gp_data data = {N, WIDTH, COUNT(d), s.scale_of, x, y, noise};
    assert_ok(gp_build(scratch, &data, &p, &g));
    double worst = 0.0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        double variance;
        importance out[COUNT(d)];
        assert_ok(importance_of_process(scratch, &s, &g, seed, 1024, &variance, out));
        assert_true(sqrt(variance) > 0.008 && sqrt(variance) < 0.012);
        for (size_t k = 0; k < COUNT(d); k++) {
            worst = fmax(worst, out[k].main - out[k].total);
        }
    }
    print_message("main above total by %.4f at most\n", worst);
    assert_true(worst < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_by_hand),
        cmocka_unit_test(shares_are_their_definitions),
        cmocka_unit_test(nothing_is_important_to_a_constant),
        cmocka_unit_test(shares_of_a_process),
        cmocka_unit_test(shares_do_not_depend_on_the_mean),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
