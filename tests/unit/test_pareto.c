#include "support/support.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "search/pareto.h"

enum { MOST = 60 };

/* By the definition, one front after the other: the points of those left that no other of those left dominates. */
static void by_definition(size_t n, size_t k, const double value[], uint32_t front[])
{
    memset(front, 0, n * sizeof *front);
    for (uint32_t now = 1;; now++) {
        bool on[MOST] = {false}, any = false;
        for (size_t i = 0; i < n; i++) {
            on[i] = front[i] == 0;
            for (size_t j = 0; j < n && on[i]; j++) {
                size_t at_least = 0, better = 0;
                for (size_t o = 0; o < k; o++) {
                    at_least += value[j * k + o] >= value[i * k + o];
                    better += value[j * k + o] > value[i * k + o];
                }
                on[i] = front[j] != 0 || at_least < k || better == 0;
            }
            any = any || on[i];
        }
        if (!any) {
            return;
        }
        for (size_t i = 0; i < n; i++) {
            front[i] = on[i] ? now : front[i];
        }
    }
}

static void fronts_are_their_definition(void **state)
{
    (void)state;
    double value[MOST * 3];
    uint32_t front[MOST], expected[MOST], deepest = 0;
    for (uint32_t trial = 0; trial < 200; trial++) {
        const size_t n = 1 + trial % MOST, k = 1 + trial % 3;
        for (size_t i = 0; i < n * k; i++) { /* few levels: many ties and equal points */
            value[i] = (double)(rng_u64(4, RNG_TEST, trial, (uint32_t)i) % (trial % 2 == 0 ? 5 : 1000));
        }
        assert_ok(pareto_fronts(n, k, value, front));
        by_definition(n, k, value, expected);
        assert_memory_equal(front, expected, n * sizeof *front);
        for (size_t i = 0; i < n; i++) {
            deepest = front[i] > deepest ? front[i] : deepest;
        }
    }
    assert_true(deepest > 5);
}

static void equal_points_share_a_front(void **state)
{
    (void)state;
    const double value[] = {1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, -INFINITY, 2.0};
    const uint32_t expected[] = {1, 1, 1, 2, 1};
    uint32_t front[5];
    assert_ok(pareto_fronts(5, 2, value, front));
    assert_memory_equal(front, expected, sizeof front);
    assert_ok(pareto_fronts(0, 2, value, front));
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    const double value[] = {1.0, 0.0, 1.0, NAN};
    uint32_t front[2];
    assert_fails(pareto_fronts(2, 2, value, front), ST_DATA, "objective 1 of point 1", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fronts_are_their_definition),
        cmocka_unit_test(equal_points_share_a_front),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
