#include "support/golden.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "pruning/ranking.h"

static arena *scratch;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("ranking test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static void counts_truncate_the_double_product(void **state)
{
    (void)state;
    assert_int_equal(ranking_count(180, strtod("0.35", NULL)), 62);
    assert_int_equal(ranking_count(180, strtod("0.7", NULL)), 125);
    assert_int_equal(ranking_count(180, 7 * 0.05), 63); /* why a rate is parsed from its text */
    assert_int_equal(ranking_count(180, 0.0), 0);
    assert_int_equal(ranking_count(0, 0.95), 0);
    golden *g = golden_open("preproc_rng.h5");
    const golden_array n = golden_read(g, "count/n"), rate = golden_read(g, "count/rate"),
                       k = golden_read(g, "count/k");
    assert_true(n.count > 100);
    for (size_t i = 0; i < n.count; i++) {
        assert_int_equal(ranking_count((size_t)n.integer[i], rate.real[i]), k.integer[i]);
    }
    golden_close(&g);
}

static void lowest_score_goes_first_and_ties_by_index(void **state)
{
    (void)state;
    const double score[] = {0.5, -0.0, 3.0, 0.0, -2.0, 0.5, -0.0, INFINITY, -INFINITY};
    const uint32_t expected[] = {8, 4, 1, 3, 6, 0, 5, 2, 7};
    uint32_t order[COUNT(score)];
    assert_ok(ranking_build(scratch, COUNT(score), score, order));
    assert_memory_equal(order, expected, sizeof expected);
}

static void many_ties_stay_in_order(void **state)
{
    (void)state;
    enum { N = 5000, VALUES = 7 };
    static double score[N];
    static uint32_t order[N];
    for (size_t i = 0; i < N; i++) {
        score[i] = (double)(rng_u64(4, RNG_TEST, 0, (uint32_t)i) % VALUES);
    }
    assert_ok(ranking_build(scratch, N, score, order));
    for (size_t i = 1; i < N; i++) {
        const uint32_t a = order[i - 1], b = order[i];
        assert_true(score[a] < score[b] ||
                    (score[a] == score[b] && a < b)); /* strictly ascending, so a permutation too */
    }
}

static void refuses_what_cannot_be_ranked(void **state)
{
    (void)state;
    const double score[] = {1.0, 2.0, NAN, 0.0};
    uint32_t order[COUNT(score)];
    assert_fails(ranking_build(scratch, COUNT(score), score, order), ST_DATA, "component 2 (of 4)", "not a number",
                 NULL);
    assert_ok(ranking_build(scratch, 0, score, order));
}

static void masks_are_nested_and_agree_with_removed_at(void **state)
{
    (void)state;
    enum { N = 180, RATES = 20 };
    const char *const text[RATES] = {"0",   "0.05", "0.1", "0.15", "0.2", "0.25", "0.3", "0.35", "0.4", "0.45",
                                     "0.5", "0.55", "0.6", "0.65", "0.7", "0.75", "0.8", "0.85", "0.9", "0.95"};
    double score[N], rate[RATES];
    uint32_t order[N];
    uint16_t removed_at[N];
    uint8_t alive[RATES][N];
    for (size_t i = 0; i < N; i++) {
        score[i] = rng_uniform(5, RNG_TEST, 0, (uint32_t)i);
    }
    for (size_t r = 0; r < RATES; r++) {
        rate[r] = strtod(text[r], NULL);
    }
    assert_ok(ranking_build(scratch, N, score, order));
    ranking_removed_at(N, order, RATES, rate, removed_at);
    for (size_t r = 0; r < RATES; r++) {
        const size_t count = ranking_count(N, rate[r]);
        size_t dead = 0;
        ranking_alive(N, order, count, alive[r]);
        for (size_t i = 0; i < N; i++) {
            dead += !alive[r][i];
            assert_int_equal(alive[r][i], removed_at[i] > r);
            assert_true(r == 0 || alive[r][i] <= alive[r - 1][i]);
        }
        assert_int_equal(dead, count);
    }
    assert_int_equal(removed_at[order[0]], 1);
    assert_int_equal(removed_at[order[N - 1]], RATES);
}

static void rates_may_begin_above_zero(void **state)
{
    (void)state;
    const uint32_t order[] = {2, 0, 3, 1};
    const double rate[] = {0.5, 0.5, 0.99};
    uint16_t removed_at[4];
    ranking_removed_at(4, order, COUNT(rate), rate, removed_at);
    assert_int_equal(removed_at[2], 0);
    assert_int_equal(removed_at[0], 0);
    assert_int_equal(removed_at[3], 2);
    assert_int_equal(removed_at[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_truncate_the_double_product),
        cmocka_unit_test(lowest_score_goes_first_and_ties_by_index),
        cmocka_unit_test(many_ties_stay_in_order),
        cmocka_unit_test(refuses_what_cannot_be_ranked),
        cmocka_unit_test(masks_are_nested_and_agree_with_removed_at),
        cmocka_unit_test(rates_may_begin_above_zero),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
