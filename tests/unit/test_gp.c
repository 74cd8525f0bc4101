/* Gaussian processes against another implementation (tests/golden/gp_vectors.py), finite differences, and what they must be at their edges. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/rng.h"
#include "golden/gp_vectors.h"
#include "search/gp.h"
#include "search/kernel.h"

enum { MOST_ROWS = 256, MOST_WIDTH = 8 };

static arena *scratch;
static double x[MOST_ROWS * MOST_WIDTH], y[MOST_ROWS], variance[MOST_ROWS];
static const size_t own_scale[] = {0, 1, 2, 3, 4, 5, 6, 7};

static int set_up(void **state)
{
    (void)state;
    return status_ok(backend_default()->start()) && status_ok(arena_open("gp test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static void inputs(size_t n, size_t width, size_t shift, double out[])
{
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < width; c++) {
            out[i * width + c] = (double)((i * 37 + c * c * 11 + c * i * 5 + c * 7 + shift) % 61) / 64.0;
        }
    }
}

static gp_data formula_data(size_t n, size_t width, size_t n_scales, const size_t scale_of[])
{
    inputs(n, width, 5, x);
    for (size_t i = 0; i < n; i++) {
        y[i] = (double)((i * i * 13 + i * 29) % 97) / 32.0 - 1.5;
        variance[i] = (double)(i * 5 % 7) / 512.0;
    }
    return (gp_data){n, width, n_scales, scale_of, x, y, variance};
}

typedef struct vector {
    size_t n, m, width, n_scales, scale_of[6];
    gp_parameters parameters;
    const double *posterior, *covariance, *likelihood;
} vector;

static const vector vectors[] = {
    {1, 3, 3, 2, {0, 0, 1}, {{0.5, 1.25}, 1.5, 0.25}, gp_one_posterior, gp_one_covariance, gp_one_likelihood},
    {7, 4, 2, 2, {0, 1}, {{0.75, 3.0}, 0.5, 0.0625}, gp_few_posterior, gp_few_covariance, gp_few_likelihood},
    {25, 5, 6, 3, {0, 0, 0, 1, 2, 2}, {{0.5, 1.25, 0.375}, 2.25, 0.03125}, gp_choices_posterior, gp_choices_covariance, gp_choices_likelihood},
    {60, 6, 4, 4, {0, 1, 2, 3}, {{0.375, 2.0, 8.0, 0.875}, 1.75, 0.0009765625}, gp_many_posterior, gp_many_covariance, gp_many_likelihood},
};

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fmax(1.0, fabs(expected)))) {
        print_error("%.17g is not %.17g within %g\n", value, expected, tolerance);
        fail();
    }
}

static void posterior_is_that_of_another_implementation(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(vectors); t++) {
        const vector *v = &vectors[t];
        const gp_data data = formula_data(v->n, v->width, v->n_scales, v->scale_of);
        double z[6 * 6], work[6 * (60 + 6)], mean[6], var[6], likelihood;
        gp g;
        inputs(v->m, v->width, 32, z);
        assert_ok(gp_build(scratch, &data, &v->parameters, &g));
        assert_true(g.jitter == 0.0);
        gp_predict(&g, v->m, z, work, mean, var);
        for (size_t i = 0; i < v->m; i++) {
            assert_near(mean[i], v->posterior[i], 1e-8);
            assert_near(var[i], v->covariance[i * v->m + i], 1e-8);
        }
        assert_ok(gp_log_likelihood(scratch, &data, &v->parameters, &likelihood, NULL));
        assert_near(likelihood, v->likelihood[0], 1e-8);
    }
}

static double *parameter(gp_parameters *p, const gp_data *data, size_t i)
{
    return i < data->n_scales ? &p->scale[i] : i == data->n_scales ? &p->signal : &p->noise;
}

/* d log L by the logarithm of parameter i: central differences of the fourth order. */
static double slope_by(const gp_data *data, const gp_parameters *at, size_t i, double step)
{
    static const double coefficient[] = {8.0, -1.0};
    double slope = 0.0;
    for (size_t k = 0; k < 2; k++) {
        double side[2];
        for (size_t s = 0; s < 2; s++) {
            gp_parameters p = *at;
            *parameter(&p, data, i) *= exp((s == 0 ? 1.0 : -1.0) * (double)(k + 1) * step);
            assert_ok(gp_log_likelihood(scratch, data, &p, &side[s], NULL));
        }
        slope += coefficient[k] * (side[0] - side[1]) / (12.0 * step);
    }
    return slope;
}

static void gradient_is_that_of_finite_differences(void **state)
{
    (void)state;
    for (size_t t = 1; t < COUNT(vectors); t++) {
        const vector *v = &vectors[t];
        const gp_data data = formula_data(v->n, v->width, v->n_scales, v->scale_of);
        double gradient[6], value;
        assert_ok(gp_log_likelihood(scratch, &data, &v->parameters, &value, gradient));
        for (size_t i = 0; i < data.n_scales + 2; i++) {
            assert_near(gradient[i], slope_by(&data, &v->parameters, i, 1e-3), 1e-7);
        }
    }
}

/* Two equal points without noise need a jitter, a share of the signal. The least eigenvalue is 1e-10 of it then, known to six digits. */
static void gradient_with_jitter_is_that_of_finite_differences(void **state)
{
    (void)state;
    gp_data data = formula_data(12, 2, 2, own_scale);
    memcpy(&x[2 * 11], &x[0], 2 * sizeof *x);
    y[11] = y[0];
    memset(variance, 0, sizeof variance);
    const gp_parameters p = {{0.5, 0.5}, 1.0, 0.0};
    gp g;
    assert_ok(gp_build(scratch, &data, &p, &g));
    assert_true(g.jitter > 0.0 && g.jitter <= 1e-4);
    double gradient[4], value;
    assert_ok(gp_log_likelihood(scratch, &data, &p, &value, gradient));
    assert_near(gradient[2], slope_by(&data, &p, 2, 0.05), 1e-4);
}

/* A singular matrix can have a factor by the luck of its rounding; it must not be taken for one. */
static void equal_points_always_have_jitter(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 60; n++) {
        gp_data data = formula_data(n, 2, 2, own_scale);
        memcpy(&x[2 * (n - 1)], &x[0], 2 * sizeof *x);
        memset(variance, 0, sizeof variance);
        for (double signal = 0.1; signal < 5.0; signal *= 1.3) { /* rounded otherwise each time */
            const gp_parameters p = {{0.5, 0.5}, signal, 0.0};
            gp g;
            assert_ok(gp_build(scratch, &data, &p, &g));
            assert_true(g.jitter > 0.0 && g.jitter < 1e-6 * signal);
        }
    }
}

static void kernel_slope_is_its_derivative(void **state)
{
    (void)state;
    for (double r2 = 0.01; r2 < 50.0; r2 *= 1.7) {
        const double h = r2 * 1e-4, slope = (kernel_matern52(r2 + h) - kernel_matern52(r2 - h)) / (2.0 * h);
        assert_near(kernel_matern52_slope(r2), -2.0 * slope, 1e-7);
    }
    assert_true(kernel_matern52(0.0) == 1.0 && kernel_matern52_slope(0.0) == 5.0 / 3.0);
}

/* Without noise the posterior goes through the observations, and far away it is what is known of the mean. */
static void posterior_at_its_ends(void **state)
{
    (void)state;
    gp_data data = formula_data(15, 2, 2, own_scale);
    memset(variance, 0, sizeof variance);
    const gp_parameters p = {{0.25, 0.25}, 2.0, 0.0};
    double work[15 * (15 + 2)], mean[15], var[15], far[] = {1e6, -1e6};
    gp g;
    assert_ok(gp_build(scratch, &data, &p, &g));
    gp_predict(&g, 15, x, work, mean, var);
    for (size_t i = 0; i < 15; i++) {
        assert_near(mean[i], y[i], 1e-9);
        assert_true(var[i] >= 0.0 && var[i] < 1e-9);
    }
    gp_predict(&g, 1, far, work, mean, var);
    assert_near(mean[0], g.mean, 1e-12);
    assert_near(var[0], p.signal + 1.0 / g.precision, 1e-12);
}

/* A draw from a known process: the fit is at least as probable as the truth, its slope is 0, and the irrelevant coordinate is found. */
static void fit_finds_the_parameters_of_a_draw(void **state)
{
    (void)state;
    enum { N = 120, D = 3 };
    gp_data data = {N, D, D, own_scale, x, y, variance};
    for (size_t i = 0; i < N; i++) {
        for (size_t c = 0; c < D; c++) {
            x[i * D + c] = rng_uniform(1, RNG_TEST, (uint32_t)c, (uint32_t)i);
        }
        variance[i] = 0.0;
        y[i] = 1000.0 + 20.0 * sin(5.0 * x[i * D]) + 15.0 * cos(9.0 * x[i * D + 1]) +
               2.0 * (rng_uniform(1, RNG_TEST, 9, (uint32_t)i) - 0.5); /* noise of variance 1/3 */
    }
    gp_parameters p, again;
    gp_fit_report r, second;
    assert_ok(gp_fit(scratch, &data, 5, 4, &p, &r));
    assert_ok(gp_fit(scratch, &data, 5, 4, &again, &second));
    assert_memory_equal(&p, &again, sizeof p);
    assert_true(r.log_posterior == second.log_posterior && r.evaluations > 10);
    assert_true(p.noise > 0.15 && p.noise < 0.7);
    assert_true(p.scale[2] > 4.0 * p.scale[0] && p.scale[0] > p.scale[1] && p.scale[1] > 0.1);
    const gp_parameters truth = {{0.6, 0.35, 1000.0}, 300.0, 1.0 / 3.0};
    double fitted, of_truth;
    assert_ok(gp_log_likelihood(scratch, &data, &p, &fitted, NULL));
    assert_ok(gp_log_likelihood(scratch, &data, &truth, &of_truth, NULL));
    assert_true(fitted > of_truth - 2.0);
    gp g;
    double work[N + D], mean, var;
    const double at[] = {0.3, 0.7, 0.5};
    assert_ok(gp_build(scratch, &data, &p, &g));
    gp_predict(&g, 1, at, work, &mean, &var);
    assert_true(fabs(mean - (1000.0 + 20.0 * sin(1.5) + 15.0 * cos(6.3))) < 1.0 && var < 1.0);
    for (size_t i = 0; i < N; i++) { /* the same noise, and it is known: little is left to be estimated */
        variance[i] = 1.0 / 3.0;
    }
    assert_ok(gp_fit(scratch, &data, 5, 4, &again, &second));
    assert_true(again.noise < 0.5 * p.noise);
}

/* More known noise at an observation: it pulls less. */
static void known_noise_counts(void **state)
{
    (void)state;
    gp_data data = formula_data(9, 1, 1, own_scale);
    const gp_parameters p = {{0.5}, 1.0, 0.01};
    gp g;
    double work[10], mean[2], var[2];
    y[4] = 50.0;
    for (size_t k = 0; k < 2; k++) {
        variance[4] = k == 0 ? 0.0 : 1e6;
        assert_ok(gp_build(scratch, &data, &p, &g));
        gp_predict(&g, 1, &x[4], work, &mean[k], &var[k]);
    }
    assert_true(mean[0] > 30.0 && mean[1] < 2.0 && var[1] > var[0]);
}

static void degenerate_data_are_fitted(void **state)
{
    (void)state;
    gp_data data = formula_data(10, 2, 2, own_scale);
    gp_parameters p;
    gp_fit_report r;
    gp g;
    double work[12], mean, var;
    memset(variance, 0, sizeof variance);
    for (size_t t = 0; t < 4; t++) {
        data.n = t == 0 ? 1 : 10;
        for (size_t i = 0; i < 10; i++) {
            y[i] = t == 3 ? 1e12 + (double)i : 0.1;          /* t = 1: constant */
            x[2 * i] = t == 2 ? 0.25 : (double)i / 10.0; /* all at one place */
            x[2 * i + 1] = t == 2 ? 0.75 : 0.5;
        }
        assert_ok(gp_fit(scratch, &data, 1, 3, &p, &r));
        assert_ok(gp_build(scratch, &data, &p, &g));
        gp_predict(&g, 1, x, work, &mean, &var);
        assert_true(isfinite(mean) && isfinite(var) && var >= 0.0);
        assert_true(fabs(mean - y[0]) < (t == 3 ? 1.0 : 1e-6));
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    gp_data data = formula_data(5, 2, 2, own_scale);
    gp_parameters p = {{0.5, 0.5}, 1.0, 0.1};
    gp_fit_report r;
    gp g;
    double value;
    y[2] = NAN;
    assert_fails(gp_build(scratch, &data, &p, &g), ST_DATA, "observation 2", "nan", NULL);
    assert_fails(gp_fit(scratch, &data, 0, 2, &p, &r), ST_DATA, "observation 2", NULL);
    y[2] = 1.0;
    variance[3] = -1e-9;
    assert_fails(gp_log_likelihood(scratch, &data, &p, &value, NULL), ST_DATA, "observation 3", "variance", NULL);
    variance[3] = INFINITY;
    assert_fails(gp_fit(scratch, &data, 0, 2, &p, &r), ST_DATA, "observation 3", NULL);
    variance[3] = 0.0;
    x[7] = NAN;
    assert_fails(gp_build(scratch, &data, &p, &g), ST_DATA, "coordinate 1 of observation 3", NULL);
    x[7] = 0.0;
    p.scale[1] = 0.0;
    assert_fails(gp_build(scratch, &data, &p, &g), ST_DATA, "length scales", NULL);
    assert_fails(gp_log_likelihood(scratch, &data, &p, &value, NULL), ST_DATA, "length scales", NULL);
    data.n = 0;
    assert_fails(gp_fit(scratch, &data, 0, 2, &p, &r), ST_DATA, "0 observations", NULL);
    data.n = 5;
    y[0] = 1e300;
    y[1] = -1e300;
    assert_fails(gp_fit(scratch, &data, 0, 2, &p, &r), ST_DATA, "too large", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posterior_is_that_of_another_implementation),
        cmocka_unit_test(gradient_is_that_of_finite_differences),
        cmocka_unit_test(gradient_with_jitter_is_that_of_finite_differences),
        cmocka_unit_test(equal_points_always_have_jitter),
        cmocka_unit_test(kernel_slope_is_its_derivative),
        cmocka_unit_test(posterior_at_its_ends),
        cmocka_unit_test(fit_finds_the_parameters_of_a_draw),
        cmocka_unit_test(known_noise_counts),
        cmocka_unit_test(degenerate_data_are_fitted),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
