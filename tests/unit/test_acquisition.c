#include "support/support.h"

#include <math.h>

#include "search/acquisition.h"

/* The definition: the integral of (f - best) times the density of N(mean, deviation^2) above `best`, by Simpson's rule. In t = (f - best) /
 * deviation it is deviation times the integral of t phi(t - z), which falls like exp(z t) for z < 0: beyond `end` is less than 1e-17 of it. */
static double by_integration(double mean, double deviation, double best)
{
    enum { STEPS = 20000 };
    const double z = (mean - best) / deviation, end = z < -4.0 ? 48.0 / -z : z > 0.0 ? z + 12.0 : 12.0, h = end / STEPS;
    double sum = 0.0;
    for (int i = 0; i <= STEPS; i++) {
        const double t = i * h, weight = i == 0 || i == STEPS ? 1.0 : i % 2 == 1 ? 4.0 : 2.0;
        sum += weight * t * exp(-0.5 * (t - z) * (t - z));
    }
    return deviation * sum * h / 3.0 / sqrt(2.0 * acos(-1.0));
}

static double expected_improvement(double mean, double deviation, double best)
{
    return exp(log_expected_improvement(mean, deviation, best));
}

static void improvement_is_its_integral(void **state)
{
    (void)state;
    for (double z = -30.0; z < 12.0; z += 0.37) {
        for (double deviation = 1e-3; deviation < 20.0; deviation *= 11.0) {
            const double best = 0.7, mean = best + z * deviation, expected = by_integration(mean, deviation, best);
            /* mean - best keeps 1e-16 of `best` only, and the density multiplies its error by z / deviation */
            const double tolerance = 1e-11 + 1e-15 * fabs(z) / deviation;
            assert_true(fabs(expected_improvement(mean, deviation, best) / expected - 1.0) < tolerance);
            assert_true(fabs(log_expected_improvement(mean, deviation, best) - log(expected)) < tolerance);
        }
    }
}

/* Where EI is no longer a double its logarithm still rises, smoothly: h(z) ~ phi(z) / z^2. */
static void logarithm_goes_on(void **state)
{
    (void)state;
    double before = -INFINITY;
    for (double z = -1e6; z < -10.0; z *= 0.9) {
        const double value = log_expected_improvement(z, 1.0, 0.0), leading = -0.5 * z * z - 0.5 * log(2.0 * acos(-1.0)) - 2.0 * log(-z);
        assert_true(isfinite(value) && value > before);
        assert_true(value <= leading + 1e-15 * z * z && value > leading - 4.0 / (z * z) - 1e-12 * z * z);
        before = value;
    }
    assert_true(expected_improvement(-1e6, 1.0, 0.0) == 0.0);
    /* the two formulas meet at z = -1 */
    assert_true(fabs(log_expected_improvement(-1.0 + 1e-9, 1.0, 0.0) - log_expected_improvement(-1.0 - 1e-9, 1.0, 0.0)) < 1e-8);
}

static void certainty_improves_by_its_difference(void **state)
{
    (void)state;
    assert_true(fabs(expected_improvement(1.25, 0.0, 1.0) - 0.25) < 1e-15);
    assert_true(expected_improvement(1.0, 0.0, 1.0) == 0.0);
    assert_true(expected_improvement(0.5, 0.0, 1.0) == 0.0);
    assert_true(log_expected_improvement(0.5, 0.0, 1.0) == -INFINITY);
    assert_true(expected_improvement(0.5, 0.2, 1.0) > expected_improvement(0.5, 0.1, 1.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(improvement_is_its_integral),
        cmocka_unit_test(logarithm_goes_on),
        cmocka_unit_test(certainty_improves_by_its_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
