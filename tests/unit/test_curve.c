#include "support/golden.h"
#include "support/support.h"
#include "support/verdict.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "pruning/curve.h"
#include "pruning/paired.h"

static arena *scratch;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("curve test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-14 * fmax(1.0, fabs(expected)));
}

static void areas_by_hand(void **state)
{
    (void)state;
    const double rate[] = {0.0, 0.5, 0.75}, accuracy[] = {1.0, 0.5, 0.25};
    assert_near(curve_mean(3, accuracy), 1.75 / 3.0);
    assert_near(curve_trapezoid(3, rate, accuracy), 0.5 * 0.75 + 0.25 * 0.375);
    assert_near(curve_trapezoid(1, rate, accuracy), 0.0);
}

static void area_is_that_of_the_reference(void **state)
{
    (void)state;
    golden *g = golden_open("preproc_rng.h5");
    const golden_array rate = golden_read(g, "auc/rates"), accuracy = golden_read(g, "auc/accuracy");
    const golden_array value = golden_read(g, "auc/value");
    assert_near(curve_trapezoid(rate.count, rate.real, accuracy.real), value.real[0]);
    golden_close(&g);
}

static void highest_rate_ends_at_the_first_fall(void **state)
{
    (void)state;
    const double rate[] = {0.0, 0.1, 0.2, 0.3, 0.4};
    const double accuracy[] = {0.8, 0.9, 0.76, 0.7,
                               0.8}; /* 0.95 x 0.8 = 0.76 still counts; what comes after a fall does not */
    assert_true(curve_highest_rate(5, rate, accuracy, 0.95) == 0.2);
    assert_true(curve_highest_rate(5, rate, accuracy, 0.5) == 0.4);
    assert_true(curve_highest_rate(5, rate, accuracy, 1.0) == 0.1);
    const double quotients[] = {20.0 / 53.0, 19.0 / 53.0, 18.0 / 53.0}; /* exactly 95 %, but for rounding */
    assert_true(curve_highest_rate(3, rate, quotients, 0.95) == 0.1);
    const double broken[] = {0.8, NAN, 0.8};
    assert_true(curve_highest_rate(3, rate, broken, 0.95) == 0.0);
    const double hopeless[] = {0.0, 0.0, 0.1}; /* 0 >= 0.95 x 0, but there was nothing to keep */
    assert_true(curve_highest_rate(3, rate, hopeless, 0.95) == 0.0);
}

static void errors_by_hand(void **state)
{
    (void)state;
    const double value[] = {1.0, 2.0, 3.0, 6.0};
    double mean, error;
    curve_mean_error(4, value, &mean, &error);
    assert_near(mean, 3.0);
    assert_near(error, sqrt(14.0 / 3.0) / 2.0);
    curve_mean_error(1, value, &mean, &error);
    assert_true(mean == 1.0 && isnan(error));
}

static double kendall_by_definition(size_t n, const uint32_t a[], const uint32_t b[])
{
    double place_a[64], place_b[64];
    for (size_t i = 0; i < n; i++) {
        place_a[a[i]] = (double)i;
        place_b[b[i]] = (double)i;
    }
    double agreement = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            agreement += (place_a[i] - place_a[j]) * (place_b[i] - place_b[j]) > 0.0 ? 1.0 : -1.0;
        }
    }
    return agreement / ((double)n * ((double)n - 1.0) / 2.0);
}

static void permutation(uint64_t seed, size_t n, uint32_t order[])
{
    size_t steps[64], drawn[64];
    rng_subset(seed, RNG_TEST, 0, n, n, steps, drawn);
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)drawn[i];
    }
}

static void kendall_is_its_definition(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 64; n++) {
        uint32_t a[64], b[64], reversed[64];
        double tau;
        permutation(n, n, a);
        permutation(n + 1000, n, b);
        assert_ok(ranking_kendall(scratch, n, a, b, &tau));
        assert_near(tau, kendall_by_definition(n, a, b));
        assert_ok(ranking_kendall(scratch, n, a, a, &tau));
        assert_true(tau == 1.0);
        for (size_t i = 0; i < n; i++) {
            reversed[i] = a[n - 1 - i];
        }
        assert_ok(ranking_kendall(scratch, n, a, reversed, &tau));
        assert_true(tau == -1.0);
    }
}

static void kendall_of_little(void **state)
{
    (void)state;
    const uint32_t one[] = {0}, a[] = {0, 1, 2}, b[] = {0, 2, 1};
    double tau = 0.0;
    assert_ok(ranking_kendall(scratch, 1, one, one, &tau));
    assert_true(tau == 1.0);
    assert_ok(ranking_kendall(scratch, 0, one, one, &tau));
    assert_true(tau == 1.0);
    assert_ok(ranking_kendall(scratch, 3, a, b, &tau));
    assert_near(tau, 1.0 / 3.0);
}

static void jaccard_by_hand(void **state)
{
    (void)state;
    const uint32_t a[] = {0, 1, 2, 3, 4}, b[] = {4, 0, 2, 1, 3};
    const double expected[] = {1.0, 0.0, 1.0 / 3.0, 0.5, 3.0 / 5.0, 1.0};
    for (size_t count = 0; count <= 5; count++) {
        double jaccard;
        assert_ok(ranking_jaccard(scratch, 5, a, b, count, &jaccard));
        assert_near(jaccard, expected[count]);
    }
}

static void verdict_knows_only_the_selected_classes(void **state)
{
    (void)state;
    enum { R = PREDICTION_RESTRICTED, M = PREDICTION_MASKED };
    const float logits[] = {1.0f, 9.0f, 2.0f, 0.0f};
    const uint32_t classes[] = {3, 0, 2};
    const verdict best = verdict_of(4, logits, 3, classes, 2), second = verdict_of(4, logits, 3, classes, 0);
    assert_true(best.correct[R] == 1 && best.correct[M] == 1);
    assert_true(second.correct[R] == 0 && second.correct[M] == 0);
    assert_true(second.top5[R] == 1 && second.top5[M] == 1);
    assert_true(fabs((double)best.loss - log1p(exp(-1.0) + exp(-2.0))) < 1e-7);
    assert_true(fabs((double)second.loss - (log1p(exp(-1.0) + exp(-2.0)) + 1.0)) < 1e-7);
}

static void masked_logits_are_zeros_that_compete(void **state)
{
    (void)state;
    enum { R = PREDICTION_RESTRICTED, M = PREDICTION_MASKED };
    const uint32_t classes[] = {1, 3};
    const float negative[] = {7.0f, -1.0f, 7.0f,
                              -2.0f}; /* all selected ones below 0: nothing is right but among the classes */
    assert_true(verdict_of(4, negative, 2, classes, 1).correct[R] == 1);
    assert_true(verdict_of(4, negative, 2, classes, 1).correct[M] == 0);
    const float zero[] = {-7.0f, 0.0f, -7.0f,
                          -1.0f}; /* as large as the zeros: class 0 comes before class 1, class 2 does not */
    assert_true(verdict_of(4, zero, 2, classes, 1).correct[M] == 0);
    const float minus_zero[] = {-0.0f, -7.0f, -7.0f, -1.0f};
    const uint32_t first[] = {0, 3};
    assert_true(verdict_of(4, minus_zero, 2, first, 0).correct[M] == 1);
    const uint32_t all[] = {0, 1, 2, 3}; /* nothing is masked: the same */
    for (uint32_t label = 0; label < 4; label++) {
        const verdict v = verdict_of(4, negative, 4, all, label);
        assert_int_equal(v.correct[M], v.correct[R]);
    }
}

/* Where a label would stand among these logits. */
static size_t place_of(size_t n, const float logits[], uint32_t label)
{
    size_t before = 0;
    for (size_t c = 0; c < n; c++) {
        before += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    }
    return before;
}

/* Few values, so that ties and zeros are everywhere; the definitions are written out on a copy of the logits. */
static void verdicts_are_their_definitions(void **state)
{
    (void)state;
    enum { MOST = 12, TRIALS = 4000 };
    size_t differ = 0;
    for (uint32_t t = 0; t < TRIALS; t++) {
        const size_t n_logits = 2 + rng_u64(1, RNG_TEST, 0, t) % (MOST - 1),
                     n = 1 + rng_u64(2, RNG_TEST, 0, t) % n_logits;
        size_t steps[MOST], drawn[MOST];
        float logits[MOST], masked[MOST] = {0}, restricted[MOST];
        uint32_t classes[MOST];
        rng_subset(t, RNG_TEST, 1, n_logits, n, steps, drawn);
        for (uint32_t c = 0; c < n_logits; c++) {
            logits[c] = (float)(rng_u64(t, RNG_TEST, 2, c) % 7) - 4.0f;
            restricted[c] = -INFINITY;
        }
        for (size_t i = 0; i < n; i++) {
            classes[i] = (uint32_t)drawn[i];
            masked[drawn[i]] = restricted[drawn[i]] = logits[drawn[i]];
        }
        const uint32_t label = classes[t % n];
        const verdict v = verdict_of(n_logits, logits, n, classes, label);
        const size_t place[CURVE_PREDICTIONS] = {place_of(n_logits, restricted, label),
                                                 place_of(n_logits, masked, label)};
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            assert_int_equal(v.correct[p], place[p] == 0);
            assert_int_equal(v.top5[p], place[p] < 5);
        }
        differ += v.correct[PREDICTION_RESTRICTED] != v.correct[PREDICTION_MASKED];
    }
    assert_true(differ > TRIALS / 20);
}

static void verdict_gives_ties_to_the_lower_class(void **state)
{
    (void)state;
    const float logits[] = {1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    const uint32_t classes[] = {6, 5, 4, 3, 2, 1, 0}; /* lower class, not earlier in the list */
    for (uint32_t label = 0; label < 7; label++) {
        const verdict v = verdict_of(7, logits, 7, classes, label);
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            assert_int_equal(v.correct[p], label == 0);
            assert_int_equal(v.top5[p], label < 5);
        }
        assert_true(fabs((double)v.loss - log(7.0)) < 1e-6);
    }
}

static void assert_all_wrong(verdict v)
{
    for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
        assert_true(v.correct[p] == 0 && v.top5[p] == 0);
    }
    assert_true(isnan(v.loss));
}

static void verdict_survives_large_logits_and_nan(void **state)
{
    (void)state;
    const uint32_t classes[] = {0, 1, 2};
    const float large[] = {3e38f, -3e38f, 0.0f};
    const verdict v = verdict_of(3, large, 3, classes, 0);
    assert_true(v.correct[PREDICTION_RESTRICTED] == 1 && v.correct[PREDICTION_MASKED] == 1 && v.loss == 0.0f);
    assert_true(verdict_of(3, large, 3, classes, 2).loss == 3e38f);
    const float broken[] = {1.0f, NAN, 2.0f};
    assert_all_wrong(verdict_of(3, broken, 3, classes, 2));
    assert_all_wrong(verdict_of(3, broken, 3, classes, 1));
    const uint32_t healthy[] = {0, 2};
    const verdict other = verdict_of(3, broken, 2, healthy, 2); /* what is masked is 0, whatever it was */
    assert_true(other.correct[PREDICTION_RESTRICTED] == 1 && other.correct[PREDICTION_MASKED] == 1);
}

/* Quantiles of Student's t as tables have them; closed forms for one and two degrees of freedom. */
static void student_is_the_tables(void **state)
{
    (void)state;
    static const struct {
        double freedom, p, t;
    } table[] = {{1, 0.975, 12.706204736174698}, {2, 0.975, 4.302652729749464},  {4, 0.975, 2.7764451051977987},
                 {9, 0.975, 2.2621571627982},  {19, 0.975, 2.0930240544082634}, {19, 0.95, 1.729132811521367},
                 {30, 0.995, 2.7499956535672237}, {1000, 0.975, 1.9623390808264078}};
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_true(fabs(student_quantile(table[i].p, table[i].freedom) / table[i].t - 1.0) < 1e-9);
        assert_true(fabs(student_quantile(1.0 - table[i].p, table[i].freedom) / table[i].t + 1.0) < 1e-9);
        assert_true(fabs(student_probability(table[i].t, table[i].freedom) - table[i].p) < 1e-11);
    }
    for (double t = -40.0; t <= 40.0; t += 0.37) {
        assert_true(fabs(student_probability(t, 1.0) - (0.5 + atan(t) / acos(-1.0))) < 1e-13);
        assert_true(fabs(student_probability(t, 2.0) - (0.5 + t / (2.0 * sqrt(2.0 + t * t)))) < 1e-13);
    }
}

static void differences_are_paired(void **state)
{
    (void)state;
    static const double off[] = {0.9 - 0.8, 0.7 - 0.5, 0.5 - 0.4}, none[3] = {0.0};
    const paired p = paired_difference(3, off, 0.95);
    /* off the mean by -1/30, 2/30, -1/30 */
    assert_true(fabs(p.mean - 0.4 / 3.0) < 1e-15);
    assert_true(fabs(p.error - sqrt((1.0 + 4.0 + 1.0) / 900.0 / 2.0 / 3.0)) < 1e-15);
    assert_true(fabs(p.high - p.mean - 4.302652729749464 * p.error) < 1e-12 && fabs(p.low + p.high - 2.0 * p.mean) < 1e-15);
    const paired one = paired_difference(1, off, 0.95), same = paired_difference(3, none, 0.95);
    assert_true(fabs(one.mean - 0.1) < 1e-15 && isnan(one.error) && isnan(one.low) && isnan(one.high));
    assert_true(same.mean == 0.0 && same.error == 0.0 && same.low == 0.0 && same.high == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student_is_the_tables),
        cmocka_unit_test(differences_are_paired),
        cmocka_unit_test(areas_by_hand),
        cmocka_unit_test(area_is_that_of_the_reference),
        cmocka_unit_test(highest_rate_ends_at_the_first_fall),
        cmocka_unit_test(errors_by_hand),
        cmocka_unit_test(kendall_is_its_definition),
        cmocka_unit_test(kendall_of_little),
        cmocka_unit_test(jaccard_by_hand),
        cmocka_unit_test(verdict_knows_only_the_selected_classes),
        cmocka_unit_test(masked_logits_are_zeros_that_compete),
        cmocka_unit_test(verdicts_are_their_definitions),
        cmocka_unit_test(verdict_gives_ties_to_the_lower_class),
        cmocka_unit_test(verdict_survives_large_logits_and_nan),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
