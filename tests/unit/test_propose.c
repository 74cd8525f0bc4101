/* Proposals: what they must be in every search, and at the edges of one. That they are good is in test_search.c. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/rng.h"
#include "search/acquisition.h"
#include "search/propose.h"
#include "search/sobol.h"

static arena *scratch, *lasting;

static int set_up(void **state)
{
    (void)state;
    return status_ok(backend_default()->start()) && status_ok(arena_open("proposal test", &scratch)) && status_ok(arena_open("spaces", &lasting)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    arena_close(&lasting);
    return 0;
}

enum { RULE, GAMMA, ORDER, DEPTH, DIMENSIONS, MOST = 200 };
static const space_dimension mixed[DIMENSIONS] = {
    [RULE] = {"rule", SPACE_CATEGORICAL, .n_choices = 3, .parent = SPACE_ALWAYS},
    [GAMMA] = {"gamma", SPACE_CONTINUOUS, .min = 0.01, .max = 1.0, .scale = SCALE_LOG, .parent = RULE, .when = 2},
    [ORDER] = {"order", SPACE_CATEGORICAL, .n_choices = 2, .parent = SPACE_ALWAYS},
    [DEPTH] = {"depth", SPACE_CONTINUOUS, .min = 0.0, .max = 1.0, .parent = SPACE_ALWAYS},
};
static const space_dimension discrete[] = {
    {"a", SPACE_CATEGORICAL, .n_choices = 3, .parent = SPACE_ALWAYS},
    {"b", SPACE_CATEGORICAL, .n_choices = 4, .parent = SPACE_ALWAYS},
    {"c", SPACE_CATEGORICAL, .n_choices = 2, .parent = 0, .when = 1},
};

typedef struct history {
    size_t n;
    double point[MOST * DIMENSIONS];
    search_trial trial[MOST];
} history;

static double objective(const space *s, const double point[])
{
    double value = 0.0;
    for (size_t d = 0; d < s->n; d++) {
        value += isnan(point[d]) ? 0.3 : cos(point[d] * (double)(d + 1));
    }
    return value;
}

static void observe(history *h, const space *s, const double point[], trial_state state)
{
    assert_true(h->n < MOST);
    memcpy(&h->point[h->n * s->n], point, s->n * sizeof *point);
    h->trial[h->n] = (search_trial){&h->point[h->n * s->n], state, objective(s, point), 1e-4};
    h->n++;
}

static search_report last;

static size_t propose(const space *s, const history *h, search_method method, uint64_t seed, size_t q, double point[])
{
    static search_options o[3]; /* never at the same address twice */
    static size_t calls;
    size_t n = 0;
    search_options *at = &o[calls++ % 3];
    *at = (search_options){.method = method, .seed = seed, .n_starts = 2, .n_candidates = 128};
    assert_ok(search_propose(scratch, s, h->n, h->trial, at, q, point, &n, &last));
    arena_reset(scratch);
    return n;
}

static void assert_new(const space *s, const history *h, size_t n, const double point[])
{
    for (size_t i = 0; i < n; i++) {
        double canonical[DIMENSIONS];
        memcpy(canonical, &point[i * s->n], s->n * sizeof *point);
        assert_ok(space_canonical(s, canonical));
        assert_true(space_equal(s, canonical, &point[i * s->n]));
        for (size_t j = 0; j < i; j++) {
            assert_false(space_equal(s, &point[j * s->n], &point[i * s->n]));
        }
        for (size_t j = 0; j < h->n; j++) {
            assert_false(space_equal(s, &h->point[j * s->n], &point[i * s->n]));
        }
    }
}

/* A search that is interrupted after every batch, with a process that knows nothing but the trials, is the search that is not. */
static void the_same_after_every_restart(void **state)
{
    (void)state;
    static history h, again;
    space s;
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    for (search_method method = SEARCH_RANDOM; method < SEARCH_METHODS; method++) {
        double batch[3 * DIMENSIONS], other[3 * DIMENSIONS];
        h.n = 0;
        for (size_t round = 0; round < 8; round++) {
            again = h; /* other addresses, another arena, other calls before */
            for (size_t i = 0; i < h.n; i++) {
                again.trial[i].point = &again.point[i * s.n];
            }
            assert_int_equal(propose(&s, &h, method, 11, 3, batch), 3);
            const search_report first = last;
            (void)propose(&s, &again, SEARCH_BAYES, 999, 2, other);
            assert_int_equal(propose(&s, &again, method, 11, 3, other), 3);
            assert_memory_equal(batch, other, sizeof batch);
            assert_memory_equal(&first.parameters, &last.parameters, sizeof first.parameters);
            assert_true(first.fit.evaluations == last.fit.evaluations && first.incumbent == last.incumbent);
            assert_new(&s, &h, 3, batch);
            for (size_t i = 0; i < 3; i++) {
                observe(&h, &s, &batch[i * s.n], TRIAL_DONE);
            }
        }
        (void)propose(&s, &h, method, 12, 3, other);
        assert_memory_not_equal(batch, other, sizeof batch);
    }
}

/* The sequences of a design do not depend on the width of the batches. */
static void designs_do_not_depend_on_batches(void **state)
{
    (void)state;
    static history narrow, wide;
    space s;
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    for (search_method method = SEARCH_RANDOM; method < SEARCH_METHODS; method++) {
        double batch[10 * DIMENSIONS];
        narrow.n = wide.n = 0;
        assert_int_equal(propose(&s, &wide, method, 4, 10, batch), 10);
        for (size_t i = 0; i < 10; i++) {
            double one[DIMENSIONS];
            assert_int_equal(propose(&s, &narrow, method, 4, 1, one), 1);
            assert_true(space_equal(&s, one, &batch[i * s.n]));
            observe(&narrow, &s, one, TRIAL_DONE);
        }
    }
}

/* Until nothing is left: every setting once, then no more, by every method, in batches that do not divide their number. */
static void a_finite_space_is_exhausted(void **state)
{
    (void)state;
    static history h;
    space s;
    assert_ok(space_build(lasting, 3, discrete, &s));
    assert_int_equal(space_combinations(&s), 4 * (2 + 1 + 1));
    for (search_method method = SEARCH_RANDOM; method < SEARCH_METHODS; method++) {
        h.n = 0;
        for (size_t n = 5; n == 5;) {
            double batch[5 * 3];
            n = propose(&s, &h, method, 21, 5, batch);
            assert_new(&s, &h, n, batch);
            for (size_t i = 0; i < n; i++) {
                observe(&h, &s, &batch[i * 3], i == 3 ? TRIAL_FAILED : TRIAL_DONE);
            }
        }
        assert_int_equal(h.n, 16);
    }
}

static double distance(const space *s, const double a[], const double b[])
{
    double code_a[16], code_b[16], sum = 0.0;
    space_encode(s, a, code_a);
    space_encode(s, b, code_b);
    for (size_t c = 0; c < s->n_encoded; c++) {
        sum += (code_a[c] - code_b[c]) * (code_a[c] - code_b[c]);
    }
    return sqrt(sum);
}

/* A batch of the liar is spread: on a smooth hill its points are not all next to each other, and what is pending is kept away from. */
static void batches_are_spread(void **state)
{
    (void)state;
    static history h;
    space s;
    double batch[6 * DIMENSIONS], first[DIMENSIONS], second[DIMENSIONS];
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    h.n = 0;
    (void)propose(&s, &h, SEARCH_BAYES, 3, 6, batch);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 6; i++) {
            observe(&h, &s, &batch[i * s.n], TRIAL_DONE);
        }
        assert_int_equal(propose(&s, &h, SEARCH_BAYES, 3, 6, batch), 6);
        assert_new(&s, &h, 6, batch);
    }
    double least = INFINITY;
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < i; j++) {
            least = fmin(least, distance(&s, &batch[i * s.n], &batch[j * s.n]));
        }
    }
    assert_true(least > 0.02);
    (void)propose(&s, &h, SEARCH_BAYES, 3, 1, first);
    assert_true(space_equal(&s, first, batch)); /* a batch begins as a batch of one */
    observe(&h, &s, first, TRIAL_PENDING);
    (void)propose(&s, &h, SEARCH_BAYES, 3, 1, second);
    assert_true(distance(&s, first, second) > 0.02);
    h.trial[h.n - 1].state = TRIAL_FAILED; /* of which nothing is known: the next best is right beside it */
    (void)propose(&s, &h, SEARCH_BAYES, 3, 1, second);
    assert_true(distance(&s, first, second) > 0.0 && distance(&s, first, second) < 0.02);
}

/* The first point of a batch has the largest expected improvement: of all settings that are not taken, where they can be gone through, and
 * elsewhere at least that of any of many random points. */
static void a_proposal_is_the_largest_improvement(void **state)
{
    (void)state;
    static history h;
    for (uint64_t seed = 0; seed < 12; seed++) {
        const size_t t = seed % 2;
        space s;
        double batch[10 * DIMENSIONS], point[DIMENSIONS], code[16], work[10 + 16], mean, variance, highest = -INFINITY;
        assert_ok(t == 0 ? space_build(lasting, 3, discrete, &s) : space_build(lasting, DIMENSIONS, mixed, &s));
        h.n = 0;
        (void)propose(&s, &h, SEARCH_SOBOL, seed, 10, batch);
        for (size_t i = 0; i < 10; i++) {
            observe(&h, &s, &batch[i * s.n], TRIAL_DONE);
        }
        const search_options o = {.method = SEARCH_BAYES, .seed = seed, .n_initial = 1};
        search_model m;
        size_t n;
        assert_ok(search_propose(scratch, &s, h.n, h.trial, &o, 1, batch, &n, &last));
        assert_ok(search_fit_after(scratch, &s, h.n, h.trial, &o, &m));
        assert_true(m.best_mean == last.incumbent && m.best == last.best);
        space_encode(&s, batch, code);
        gp_predict(&m.process, 1, code, work, &mean, &variance);
        const double chosen = log_expected_improvement(mean, sqrt(variance), m.best_mean);
        space_first(&s, point);
        for (uint32_t i = 0; i < 3000; i++) {
            bool taken = false;
            for (size_t j = 0; j < h.n; j++) {
                taken = taken || space_equal(&s, &h.point[j * s.n], point);
            }
            space_encode(&s, point, code);
            gp_predict(&m.process, 1, code, work, &mean, &variance);
            highest = taken ? highest : fmax(highest, log_expected_improvement(mean, sqrt(variance), m.best_mean));
            if (t == 0 && !space_next(&s, point)) {
                break;
            }
            if (t == 1) {
                double unit[DIMENSIONS];
                random_point(77, s.n, i, unit);
                space_from_unit(&s, unit, point);
            }
        }
        /* a product of several rows may round otherwise than one of one row */
        assert_true(t == 0 ? fabs(chosen - highest) < 1e-9 : chosen > highest - 1e-9);
        arena_reset(scratch);
    }
}

/* One observation, none (all failed), the same value everywhere, the same point again and again, without noise: still new points. */
static void poor_histories_are_searched(void **state)
{
    (void)state;
    static history h;
    space s;
    double batch[4 * DIMENSIONS];
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    const search_options o = {.method = SEARCH_BAYES, .seed = 5, .n_initial = 1};
    for (size_t t = 0; t < 4; t++) {
        search_report r;
        size_t n = 0;
        h.n = 0;
        const double same[DIMENSIONS] = {1.0, 0.1, 0.0, 0.5};
        for (size_t i = 0; i < (t == 0 ? 1 : 9); i++) {
            double point[DIMENSIONS] = {(double)(i % 3), 0.05 * (double)(i + 1), (double)(i % 2), 0.1 * (double)i};
            assert_ok(space_canonical(&s, point));
            observe(&h, &s, t == 3 ? same : point, t == 1 ? TRIAL_FAILED : TRIAL_DONE);
            h.trial[i].variance = 0.0;
            h.trial[i].value = t == 2 ? 0.25 : h.trial[i].value;
        }
        assert_ok(search_propose(scratch, &s, h.n, h.trial, &o, 4, batch, &n, &r));
        assert_int_equal(n, 4);
        assert_new(&s, &h, n, batch);
        assert_true(isfinite(r.incumbent) && isfinite(r.jitter));
        arena_reset(scratch);
    }
}

/* The model of a search: its best is the trial with the largest posterior mean, and failed or pending trials are no observations. */
static void the_best_is_the_model_s(void **state)
{
    (void)state;
    static history h;
    space s;
    double batch[20 * DIMENSIONS], work[20 + 16], highest = -INFINITY;
    search_model m;
    size_t best = 0;
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    h.n = 0;
    (void)propose(&s, &h, SEARCH_SOBOL, 8, 20, batch);
    for (size_t i = 0; i < 20; i++) {
        observe(&h, &s, &batch[i * s.n], i == 4 ? TRIAL_FAILED : i == 9 ? TRIAL_PENDING : TRIAL_DONE);
        h.trial[i].variance = 0.01;
    }
    h.trial[13].value += 0.4; /* luck, within its noise */
    h.trial[13].variance = 100.0;
    assert_ok(search_fit(scratch, &s, h.n, h.trial, 1, 3, &m));
    assert_int_equal(m.process.data.n, 18);
    for (size_t i = 0; i < 18; i++) {
        double code[16], mean, variance;
        assert_true(m.done[i] == i + (i >= 4) + (i >= 8));
        space_encode(&s, h.trial[m.done[i]].point, code);
        gp_predict(&m.process, 1, code, work, &mean, &variance);
        assert_true(mean == m.mean[i]);
        if (mean > highest) {
            highest = mean;
            best = m.done[i];
        }
    }
    assert_true(m.best == best && m.best_mean == highest);
    h.trial[0].state = TRIAL_FAILED;
    assert_fails(search_fit(scratch, &s, 1, h.trial, 1, 3, &m), ST_DATA, "none of 1 trials", NULL);
}

/* Who reports a search asks for the fit with the options that proposals have, as they are: the parameters are those of the proposal, of all its
 * starts. One start alone must find other ones here now and then, else this would show nothing. */
static void a_report_has_the_fit_of_the_proposals(void **state)
{
    (void)state;
    static history h;
    space s;
    size_t differ = 0;
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    for (uint64_t seed = 0; seed < 40; seed++) {
        const search_options o = {.method = SEARCH_BAYES, .seed = seed}, one = {.method = SEARCH_BAYES, .seed = seed, .n_starts = 1};
        double batch[12 * DIMENSIONS];
        search_model m, of_one;
        search_report r;
        size_t n;
        h.n = 0;
        (void)propose(&s, &h, SEARCH_SOBOL, seed, 12, batch);
        for (size_t i = 0; i < 12; i++) {
            observe(&h, &s, &batch[i * s.n], TRIAL_DONE);
            h.trial[i].value = rng_uniform(seed, RNG_TEST, 7, (uint32_t)i); /* noise: the posterior has several maxima */
        }
        assert_ok(search_propose(scratch, &s, h.n, h.trial, &o, 1, batch, &n, &r));
        assert_ok(search_fit_after(scratch, &s, h.n, h.trial, &o, &m));
        assert_memory_equal(&m.parameters, &r.parameters, sizeof r.parameters);
        assert_true(m.fit.log_posterior == r.fit.log_posterior && m.fit.evaluations == r.fit.evaluations);
        assert_true(m.best == r.best && m.best_mean == r.incumbent);
        assert_ok(search_fit_after(scratch, &s, h.n, h.trial, &one, &of_one));
        differ += of_one.fit.log_posterior < m.fit.log_posterior - 1e-6;
        arena_reset(scratch);
    }
    assert_true(differ > 0);
}

static void bad_histories_are_refused(void **state)
{
    (void)state;
    static history h;
    space s;
    double batch[DIMENSIONS], point[DIMENSIONS] = {0.0, NAN, 1.0, 0.5};
    search_report r;
    size_t n;
    const search_options o = {.method = SEARCH_BAYES};
    assert_ok(space_build(lasting, DIMENSIONS, mixed, &s));
    h.n = 0;
    observe(&h, &s, point, TRIAL_DONE);
    h.trial[0].value = NAN;
    assert_fails(search_propose(scratch, &s, 1, h.trial, &o, 1, batch, &n, &r), ST_DATA, "trial 0", "nan", NULL);
    h.trial[0].state = TRIAL_FAILED; /* nobody looks at the value of what has failed */
    assert_ok(search_propose(scratch, &s, 1, h.trial, &o, 1, batch, &n, &r));
    h.trial[0] = (search_trial){h.point, TRIAL_DONE, 1.0, -1.0};
    assert_fails(search_propose(scratch, &s, 1, h.trial, &o, 1, batch, &n, &r), ST_DATA, "trial 0", "variance", NULL);
    h.trial[0].variance = 0.0;
    h.point[DEPTH] = 1.5;
    assert_fails(search_propose(scratch, &s, 1, h.trial, &o, 1, batch, &n, &r), ST_DATA, "depth", "1.5", NULL);
    assert_fails(search_propose(scratch, &s, 1, h.trial, &o, 100000, batch, &n, &r), ST_DATA, "at most", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_is_the_model_s),
        cmocka_unit_test(a_proposal_is_the_largest_improvement),
        cmocka_unit_test(a_report_has_the_fit_of_the_proposals),
        cmocka_unit_test(the_same_after_every_restart), cmocka_unit_test(designs_do_not_depend_on_batches),
        cmocka_unit_test(a_finite_space_is_exhausted),  cmocka_unit_test(batches_are_spread),
        cmocka_unit_test(poor_histories_are_searched),  cmocka_unit_test(bad_histories_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
