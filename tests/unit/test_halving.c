#include "support/support.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "search/halving.h"

static arena *scratch;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("halving test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static double normal(uint64_t seed, uint32_t stream, uint32_t i)
{
    double u[2];
    rng_uniform_pair(seed, RNG_TEST, stream, i, u);
    return sqrt(-2.0 * log(1.0 - u[0])) * cos(2.0 * acos(-1.0) * u[1]);
}

enum { SETTINGS = 16, RUNGS = 4, SEEDS = 24 };
static const size_t columns[RUNGS] = {3, 6, 12, SEEDS};

/* What setting s shows for a seed: its own mean, the seed's luck, which all settings share, and what is left. */
static double observe(uint64_t race, const double mean[], size_t s, size_t seed)
{
    return mean[s] + 0.1 * normal(race, 1000, (uint32_t)seed) + 0.01 * normal(race, (uint32_t)s, (uint32_t)seed);
}

typedef struct outcome {
    bool best_dropped; /* as clearly worse, setting 0 being the best */
    size_t alive[RUNGS], winner;
} outcome;

static outcome run_race(uint64_t race, const double mean[], size_t eta)
{
    outcome o = {.best_dropped = false};
    const halving_options options = {.confidence = 0.9, .n_settings = SETTINGS, .n_rungs = RUNGS, .eta = eta, .least_columns = 3};
    bool alive[SETTINGS];
    halving_fate fate[SETTINGS];
    static double observed[SETTINGS * SEEDS];
    for (size_t s = 0; s < SETTINGS; s++) {
        alive[s] = true;
    }
    for (size_t k = 0; k < RUNGS; k++) {
        const size_t n = columns[k];
        for (size_t s = 0; s < SETTINGS; s++) {
            o.alive[k] += alive[s];
            for (size_t i = 0; i < n; i++) {
                observed[s * n + i] = alive[s] ? observe(race, mean, s, i) : NAN; /* rows that are out are not read */
            }
        }
        assert_ok(halving_step(scratch, &options, n, observed, alive, &o.winner, fate, NULL));
        o.best_dropped = o.best_dropped || fate[0] == HALVING_WORSE;
    }
    arena_reset(scratch);
    return o;
}

/* The hardest case, all settings as good as equal: the first one is the best by nothing that can be seen, and each of the others may beat
 * it by luck. It may be dropped in a tenth of the races at most; the bound of the test is that and three standard deviations. */
static void the_best_survives_as_often_as_promised(void **state)
{
    (void)state;
    enum { RACES = 1000 };
    double mean[SETTINGS] = {1e-12};
    size_t dropped = 0;
    for (uint64_t race = 0; race < RACES; race++) {
        dropped += run_race(race, mean, 0).best_dropped;
    }
    print_message("the best of %d equal settings dropped in %zu of %d races\n", SETTINGS, dropped, RACES);
    assert_true((double)dropped <= 0.1 * RACES + 3.0 * sqrt(0.09 * RACES));
    assert_true(dropped > 0); /* or the races would not be close to their promise, and the test blind */
}

/* Settings a standard deviation of a pair apart: the winner is the best, at a fraction of the work. */
static void races_save_work(void **state)
{
    (void)state;
    double mean[SETTINGS];
    halving_budget rung[RUNGS];
    for (size_t s = 0; s < SETTINGS; s++) {
        mean[s] = -0.014 * (double)s;
    }
    for (size_t k = 0; k < RUNGS; k++) {
        rung[k] = (halving_budget){100, 20, columns[k]};
    }
    double work = 0.0, halved = 0.0;
    size_t right = 0, right_halved = 0;
    for (uint64_t race = 0; race < 100; race++) {
        const outcome o = run_race(race, mean, 0), h = run_race(race, mean, 3);
        work += halving_work(RUNGS, rung, o.alive) / (SETTINGS * 100.0 * 20.0 * SEEDS) / 100.0;
        halved += halving_work(RUNGS, rung, h.alive) / (SETTINGS * 100.0 * 20.0 * SEEDS) / 100.0;
        right += o.winner == 0;
        right_halved += h.winner == 0;
    }
    print_message("work %.3f of everything, right %zu of 100; with eta 3: %.3f, right %zu\n", work, right, halved, right_halved);
    assert_true(work < 0.45 && right >= 99);
    assert_true(halved < 0.25 && right_halved >= 85);
}

static void drops_what_is_clearly_worse(void **state)
{
    (void)state;
    const halving_options o = {.confidence = 0.95, .n_settings = 4, .n_rungs = 1, .least_columns = 2};
    const double observed[4][5] = {{0.50, 0.90, 0.30, 0.70, 0.60}, /* the same luck in every column */
                                   {0.45, 0.86, 0.25, 0.64, 0.55},
                                   {0.52, 0.88, 0.33, 0.69, 0.58},
                                   {0.50, 0.90, 0.30, 0.70, 0.60}};
    bool alive[4] = {true, true, true, true};
    halving_fate fate[4];
    paired to_leader[4];
    size_t leader = 9;
    assert_ok(halving_step(scratch, &o, 5, observed[0], alive, &leader, fate, to_leader));
    assert_int_equal(leader, 0); /* 0 and 3 are equal: the first */
    assert_true(fate[0] == HALVING_KEPT && fate[1] == HALVING_WORSE && fate[2] == HALVING_KEPT && fate[3] == HALVING_KEPT);
    assert_true(alive[0] && !alive[1] && alive[2] && alive[3]);
    assert_true(to_leader[1].low > 0.0 && fabs(to_leader[1].mean - 0.05) < 1e-12 && to_leader[2].low < 0.0 && to_leader[0].mean == 0.0);
    /* 0.05/3 on one side, 4 degrees of freedom */
    assert_true(fabs(to_leader[1].mean - to_leader[1].low - student_quantile(1.0 - 0.05 / 3.0, 4.0) * to_leader[1].error) < 1e-12);
    assert_ok(halving_step(scratch, &o, 5, observed[0], alive, &leader, fate, to_leader));
    assert_true(fate[1] == HALVING_OUT && isnan(to_leader[1].mean));
}

static void a_share_stays_in_a_fixed_order(void **state)
{
    (void)state;
    const halving_options o = {.confidence = 0.95, .n_settings = 5, .n_rungs = 1, .eta = 2, .least_columns = 9};
    const double observed[5][2] = {{0.1, 0.3}, {0.2, 0.2}, {0.0, 0.2}, {0.3, 0.1}, {0.1, 0.3}}; /* means 0.2 but for setting 2 */
    bool alive[5] = {true, true, true, true, true};
    halving_fate fate[5];
    size_t leader;
    assert_ok(halving_step(scratch, &o, 2, observed[0], alive, &leader, fate, NULL));
    assert_true(fate[0] == HALVING_KEPT && fate[1] == HALVING_KEPT && fate[3] == HALVING_KEPT);
    assert_true(fate[2] == HALVING_RANK && fate[4] == HALVING_RANK);
    assert_true(alive[0] && alive[1] && !alive[2] && alive[3] && !alive[4]);
}

/* Settings 0 and 1 are one, 3 and 4 another: half of the three that differ, rounded up, are two, and their twins stay with them. Without twins three of
 * five stay, by the index. */
static void twins_count_once(void **state)
{
    (void)state;
    const size_t twin[] = {0, 0, 2, 3, 3};
    halving_options o = {.confidence = 0.95, .n_settings = 5, .n_rungs = 1, .eta = 2, .least_columns = 9, .twin = twin};
    const double observed[5][2] = {{0.3, 0.3}, {0.3, 0.3}, {0.1, 0.1}, {0.2, 0.2}, {0.2, 0.2}};
    bool alive[5] = {true, true, true, true, true};
    halving_fate fate[5];
    size_t leader;
    assert_ok(halving_step(scratch, &o, 2, observed[0], alive, &leader, fate, NULL));
    assert_int_equal(leader, 0);
    assert_true(alive[0] && alive[1] && !alive[2] && alive[3] && alive[4] && fate[2] == HALVING_RANK);
    o.twin = NULL;
    memset(alive, 1, sizeof alive);
    assert_ok(halving_step(scratch, &o, 2, observed[0], alive, &leader, fate, NULL));
    assert_true(alive[0] && alive[1] && !alive[2] && alive[3] && !alive[4]);
}

/* Columns of counted answers that differ by one answer of 50 each: Student's t alone would be certain. */
static void counted_answers_are_not_certain(void **state)
{
    (void)state;
    halving_options o = {.confidence = 0.99, .n_settings = 2, .n_rungs = 1, .least_columns = 2};
    const double observed[2][3] = {{0.50, 0.54, 0.60}, {0.48, 0.52, 0.58}};
    bool alive[2] = {true, true};
    halving_fate fate[2];
    size_t leader;
    o.resolution = 0.02;
    assert_ok(halving_step(scratch, &o, 3, observed[0], alive, &leader, fate, NULL));
    assert_true(fate[1] == HALVING_KEPT);
    o.resolution = 0.0;
    o.least_columns = 4;
    assert_ok(halving_step(scratch, &o, 3, observed[0], alive, &leader, fate, NULL));
    assert_true(fate[1] == HALVING_KEPT);
    o.least_columns = 3;
    assert_ok(halving_step(scratch, &o, 3, observed[0], alive, &leader, fate, NULL));
    assert_true(fate[1] == HALVING_WORSE);
}

static void rungs_grow_to_the_whole(void **state)
{
    (void)state;
    const halving_budget least = {50, 5, 2}, full = {1000, 20, 5};
    halving_budget rung[HALVING_MOST_RUNGS];
    size_t n = 0;
    assert_ok(halving_plan(least, full, 4, rung, &n));
    assert_true(n >= 4 && rung[0].images == 50 && rung[n - 1].images == 1000 && rung[n - 1].rates == 20 && rung[n - 1].seeds == 5);
    for (size_t k = 1; k < n; k++) {
        const double before = (double)(rung[k - 1].images * rung[k - 1].rates * rung[k - 1].seeds);
        const double work = (double)(rung[k].images * rung[k].rates * rung[k].seeds);
        assert_true(rung[k].images >= rung[k - 1].images && rung[k].rates >= rung[k - 1].rates && rung[k].seeds >= rung[k - 1].seeds);
        assert_true(work > before && work <= 8.0 * before);
    }
    assert_ok(halving_plan(full, full, 4, rung, &n));
    assert_int_equal(n, 1);
    assert_fails(halving_plan(least, full, 1, rung, &n), ST_CONFIG, "2 or more", NULL);
    assert_fails(halving_plan((halving_budget){0, 1, 1}, full, 2, rung, &n), ST_CONFIG, "first rung", NULL);
    assert_fails(halving_plan((halving_budget){1, 21, 1}, full, 2, rung, &n), ST_CONFIG, "first rung", NULL);
    assert_fails(halving_plan((halving_budget){1, 1, 1}, (halving_budget){1u << 20, 20, 5}, 2, rung, &n), ST_CONFIG, "rungs", NULL);
    const halving_budget steps[] = {{10, 2, 1}, {20, 2, 1}, {20, 2, 4}};
    const size_t alive[] = {8, 4, 2};
    assert_true(halving_work(3, steps, alive) == 8.0 * 20.0 + 4.0 * 20.0 + 2.0 * 120.0);
}

static void every_prefix_of_the_rates_is_spread(void **state)
{
    (void)state;
    static const size_t expected[] = {8, 0, 4, 2, 6, 1, 3, 5, 7};
    size_t order[64];
    halving_rate_order(9, order);
    assert_memory_equal(order, expected, sizeof expected);
    for (size_t n = 0; n <= 64; n++) {
        uint64_t seen = 0;
        halving_rate_order(n, order);
        for (size_t i = 0; i < n; i++) {
            assert_true(order[i] < n);
            seen |= UINT64_C(1) << order[i];
        }
        assert_true(seen == (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1));
    }
}

static void bad_races_are_refused(void **state)
{
    (void)state;
    halving_options o = {.confidence = 0.95, .n_settings = 2, .n_rungs = 1};
    double observed[4] = {0.1, 0.2, 0.3, NAN};
    bool alive[2] = {true, true};
    halving_fate fate[2];
    size_t leader;
    assert_fails(halving_step(scratch, &o, 2, observed, alive, &leader, fate, NULL), ST_DATA, "observation 1 of setting 1", NULL);
    alive[1] = false;
    assert_ok(halving_step(scratch, &o, 2, observed, alive, &leader, fate, NULL));
    alive[0] = false;
    assert_fails(halving_step(scratch, &o, 2, observed, alive, &leader, fate, NULL), ST_DATA, "no setting", NULL);
    alive[0] = true;
    assert_fails(halving_step(scratch, &o, 0, observed, alive, &leader, fate, NULL), ST_DATA, "nothing was observed", NULL);
    o.confidence = NAN;
    assert_fails(halving_step(scratch, &o, 1, observed, alive, &leader, fate, NULL), ST_DATA, "confidence", NULL);
    o.confidence = 0.9;
    o.eta = 1;
    assert_fails(halving_step(scratch, &o, 1, observed, alive, &leader, fate, NULL), ST_DATA, "factor 1", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_survives_as_often_as_promised),
        cmocka_unit_test(races_save_work),
        cmocka_unit_test(drops_what_is_clearly_worse),
        cmocka_unit_test(a_share_stays_in_a_fixed_order),
        cmocka_unit_test(twins_count_once),
        cmocka_unit_test(counted_answers_are_not_certain),
        cmocka_unit_test(rungs_grow_to_the_whole),
        cmocka_unit_test(every_prefix_of_the_rates_is_spread),
        cmocka_unit_test(bad_races_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
