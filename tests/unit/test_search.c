/* Whole searches of functions whose maximum is known, with as many evaluations as 15 % of a grid of 512 settings, against random search and a
 * Sobol design. The functions look like what is searched in a study: a score around 0.5 from four depth groups with four rules each and an
 * order, effects of a group, of neighbouring groups and of all, observed with the noise of a few seeds. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/rng.h"
#include "search/propose.h"

enum { GROUPS = 4, RULES = 4, SETTINGS = 512, BUDGET = 76, BATCH = 4, REPETITIONS = 10 }; /* 76 = 0.15 x 512, rounded down */
static const double noise = 0.002, gap = 0.005; /* standard error of an observation; what counts as found */

static arena *scratch, *lasting;

static int set_up(void **state)
{
    (void)state;
    return status_ok(backend_default()->start()) && status_ok(arena_open("search test", &scratch)) && status_ok(arena_open("spaces", &lasting)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    arena_close(&lasting);
    return 0;
}

static double centred(uint64_t seed, uint32_t stream, size_t i)
{
    return rng_uniform(seed, RNG_TEST, stream, (uint32_t)i) - 0.5;
}

/* rule [GROUPS], order: the grid of 512. */
static double discrete_score(uint64_t seed, const double p[])
{
    double value = 0.5 + 0.05 * centred(seed, 0, (size_t)p[GROUPS]);
    size_t all = (size_t)p[GROUPS];
    for (size_t g = 0; g < GROUPS; g++) {
        const size_t rule = (size_t)p[g];
        value += 0.10 * centred(seed, 1, g * RULES + rule);
        if (g > 0) {
            value += 0.03 * centred(seed, 2, (g * RULES + (size_t)p[g - 1]) * RULES + rule);
        }
        all = all * RULES + rule;
    }
    return value + 0.01 * centred(seed, 3, all);
}

/* The same, and the last rule of each group has a gamma, best somewhere inside of its range. p: rule, gamma, rule, gamma, ..., order. */
static double mixed_score(uint64_t seed, const double p[])
{
    double q[GROUPS + 1], off = 0.0;
    for (size_t g = 0; g < GROUPS; g++) {
        q[g] = p[2 * g];
        if (!isnan(p[2 * g + 1])) {
            const double u = log(p[2 * g + 1] / 0.01) / log(100.0), best = 0.5 + 0.8 * centred(seed, 4, g);
            off += 0.15 * (u - best) * (u - best) - 0.01;
        }
    }
    q[GROUPS] = p[2 * GROUPS];
    return discrete_score(seed, q) - off;
}

typedef double score_function(uint64_t seed, const double point[]);

/* The best trial by what was observed, but for a process by its posterior mean, which is what a study would report. */
static double chosen(const space *s, score_function *score, uint64_t seed, search_method method, size_t n, const search_trial trial[])
{
    size_t best = 0;
    if (method != SEARCH_BAYES) {
        for (size_t i = 1; i < n; i++) {
            best = trial[i].value > trial[best].value ? i : best;
        }
        return score(seed, trial[best].point);
    }
    search_model m;
    assert_ok(search_fit(scratch, s, n, trial, 0, 2, &m));
    return score(seed, trial[m.best].point);
}

static double search(const space *s, score_function *score, uint64_t seed, search_method method)
{
    static double point[BUDGET * 16];
    static search_trial trial[BUDGET];
    size_t n = 0;
    while (n < BUDGET) {
        const search_options o = {.method = method, .seed = seed, .n_starts = 2};
        const size_t q = BUDGET - n < BATCH ? BUDGET - n : BATCH;
        size_t got;
        search_report r;
        assert_ok(search_propose(scratch, s, n, trial, &o, q, &point[n * s->n], &got, &r));
        assert_int_equal(got, q);
        arena_reset(scratch);
        for (size_t i = 0; i < got; i++, n++) {
            double u[2];
            rng_uniform_pair(seed, RNG_TEST, 7, (uint32_t)n, u);
            const double normal = sqrt(-2.0 * log(1.0 - u[0])) * cos(2.0 * acos(-1.0) * u[1]);
            trial[n] = (search_trial){&point[n * s->n], TRIAL_DONE, score(seed, &point[n * s->n]) + noise * normal, noise * noise};
        }
    }
    const double found = chosen(s, score, seed, method, n, trial);
    arena_reset(scratch);
    return found;
}

static const char *const method_names[SEARCH_METHODS] = {[SEARCH_RANDOM] = "random", [SEARCH_SOBOL] = "sobol", [SEARCH_BAYES] = "bayes"};

static size_t within(const char *name, const space *s, score_function *score, const double best[], search_method method)
{
    size_t good = 0;
    double sum = 0.0, worst = 0.0;
    for (uint64_t seed = 0; seed < REPETITIONS; seed++) {
        const double off = best[seed] - search(s, score, seed, method);
        good += off <= gap;
        sum += off / REPETITIONS;
        worst = fmax(worst, off);
    }
    print_message("%s, %s: within %g of the best in %zu of %d; mean gap %.4f, largest %.4f\n", name, method_names[method], gap, good,
                  REPETITIONS, sum, worst);
    return good;
}

static void a_grid_is_searched(void **state)
{
    (void)state;
    space s;
    space_dimension d[GROUPS + 1];
    static const char *const names[] = {"low", "mid", "high", "fc", "order"};
    for (size_t g = 0; g <= GROUPS; g++) {
        d[g] = (space_dimension){names[g], SPACE_CATEGORICAL, .n_choices = g < GROUPS ? RULES : 2, .parent = SPACE_ALWAYS};
    }
    assert_ok(space_build(lasting, GROUPS + 1, d, &s));
    assert_int_equal(space_combinations(&s), SETTINGS);
    double best[REPETITIONS], point[GROUPS + 1];
    for (uint64_t seed = 0; seed < REPETITIONS; seed++) {
        best[seed] = -INFINITY;
        space_first(&s, point);
        do {
            best[seed] = fmax(best[seed], discrete_score(seed, point));
        } while (space_next(&s, point));
    }
    const size_t bayes = within("grid", &s, discrete_score, best, SEARCH_BAYES);
    const size_t random = within("grid", &s, discrete_score, best, SEARCH_RANDOM);
    const size_t sobol = within("grid", &s, discrete_score, best, SEARCH_SOBOL);
    assert_true(bayes >= 8 && random < bayes && sobol < bayes);
}

static void a_mixed_space_is_searched(void **state)
{
    (void)state;
    space s;
    space_dimension d[2 * GROUPS + 1];
    static const char *const names[] = {"low", "low.gamma", "mid", "mid.gamma", "high", "high.gamma", "fc", "fc.gamma", "order"};
    for (int i = 0; i <= 2 * GROUPS; i++) {
        d[i] = (space_dimension){names[i], SPACE_CATEGORICAL, .n_choices = i < 2 * GROUPS ? RULES : 2, .parent = SPACE_ALWAYS};
        if (i % 2 == 1) {
            d[i] = (space_dimension){names[i], SPACE_CONTINUOUS, .min = 0.01, .max = 1.0, .scale = SCALE_LOG, .parent = i - 1, .when = 8};
        }
    }
    assert_ok(space_build(lasting, 2 * GROUPS + 1, d, &s));
    double best[REPETITIONS], point[2 * GROUPS + 1];
    for (uint64_t seed = 0; seed < REPETITIONS; seed++) { /* the best gamma is known, and of no group's concern but its own */
        best[seed] = -INFINITY;
        space_first(&s, point);
        do {
            for (size_t g = 0; g < GROUPS; g++) {
                point[2 * g + 1] = point[2 * g] == 3.0 ? space_value(&d[1], 0.5 + 0.8 * centred(seed, 4, g)) : NAN;
            }
            best[seed] = fmax(best[seed], mixed_score(seed, point));
        } while (space_next(&s, point));
    }
    const size_t bayes = within("mixed", &s, mixed_score, best, SEARCH_BAYES);
    const size_t random = within("mixed", &s, mixed_score, best, SEARCH_RANDOM);
    const size_t sobol = within("mixed", &s, mixed_score, best, SEARCH_SOBOL);
    assert_true(bayes >= 8 && random < bayes && sobol < bayes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_is_searched),
        cmocka_unit_test(a_mixed_space_is_searched),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
