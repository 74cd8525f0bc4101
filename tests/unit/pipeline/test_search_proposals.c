/* What a plan says of the proposals of a process. */
#include "unit/pipeline/search_sample.h"

#include <math.h>

#include "pipeline/search_parts.h"
#include "pipeline/search_proposals.h"
#include "stages/forecast.h"

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected))) {
        fail_msg("%.12g is not %.12g", value, expected);
    }
}

/* Two sizes were tried: between them it is a power, the square here; beyond them the cube; before them the number itself. */
static void batches_add_up(void **state)
{
    (void)state;
    static const tried_proposal t[] = {{10, 1.0}, {20, 4.0}};
    near(search_proposals_sum(2, t, 10, 20, 10), 1.0 + 4.0);          /* one batch, and the fit at the end */
    near(search_proposals_sum(2, t, 15, 20, 10), 2.25 + 4.0);
    near(search_proposals_sum(2, t, 10, 40, 10), 1.0 + 4.0 + 13.5 + 32.0);
    near(search_proposals_sum(2, t, 5, 10, 5), 0.5 + 1.0);
    near(search_proposals_sum(1, t, 10, 20, 10), 1.0 + 8.0);
    near(search_proposals_sum(2, t, 30, 20, 10), 4.0);                /* the design is all that there is */
}

static const target *open_target(const char *search)
{
    target *t = arena_alloc(memory, 1, sizeof *t);
    assert_non_null(t);
    const plan *p = open_plan(tasks, search);
    *t = (target){.comm = &world, .a = memory, .study = &p->study};
    assert_ok(search_target_open(t, scratch));
    return t;
}

static void only_a_process_takes_time(void **state)
{
    (void)state;
    static const struct {
        const char *search;
        bool takes;
    } cases[] = {{"method: bayes, continuous: true, trials: 40, batch: 4", true}, {"method: bayes, trials: 60, batch: 8", true},
                 {"method: sobol, trials: 40", false}, {"method: random, trials: 40", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const target *t = open_target(cases[i].search);
        double seconds = -1.0;
        assert_ok(search_proposals_try(scratch, &t->tuning.space.space, t->tuning.space.options, t->room, 0.1, &seconds));
        assert_true(cases[i].takes ? seconds > 0.0 : seconds == 0.0);
    }
}

/* Seconds that are foreseen for a search, over those that its proposals take of the processor, whoever else uses it. */
static double compare_times(const target *t)
{
    const space *s = &t->tuning.space.space;
    const search_options options = search_engine_options(t->tuning.space.options);
    const size_t at_a_time = t->tuning.space.options->batch;
    double *point = arena_alloc(memory, t->room * s->n, sizeof *point), said = 0.0;
    search_trial *trials = arena_alloc(memory, t->room, sizeof *trials);
    assert_true(point != NULL && trials != NULL);
    assert_ok(search_proposals_try(scratch, s, t->tuning.space.options, t->room, 100.0, &said));
    const trial_moment begun = trial_now();
    for (size_t done = 0, n = 0; done < t->room; done += n) {
        search_report report;
        arena_reset(scratch);
        assert_ok(search_propose(scratch, s, done, trials, &options, at_a_time, point + done * s->n, &n, &report));
        assert_int_equal(n, at_a_time);
        for (size_t i = done; i < done + n; i++) {
            trials[i] = (search_trial){.point = point + i * s->n, .state = TRIAL_DONE, .value = sin(3.0 * point[i * s->n]) + 0.1 * (double)(i % 3), .variance = 1e-3};
        }
    }
    return said / (trial_now().used - begun.used);
}

/* As long as the proposals that are made, within a factor of four, since a fit may end early. */
static void time_is_that_of_proposals(void **state)
{
    (void)state;
    static const char *const searches[] = {"trials: 64, batch: 8", "trials: 96, batch: 32"};
    for (size_t i = 0; i < COUNT(searches); i++) {
        const double ratio = compare_times(open_target(arena_text(memory, "method: bayes, continuous: true, %s", searches[i])));
        if (!(ratio > 0.25 && ratio < 4.0)) {
            fail_msg("%s: %g times the seconds that proposals take are foreseen", searches[i], ratio);
        }
    }
}

/* With no time to try anything, a few points after 256 trials are proposed and one more, however many trials there will be in batches of however many. */
static void little_is_tried_without_time(void **state)
{
    (void)state;
    enum { TRIALS = 256, POINTS = 8 };
    const target *t = open_target("method: bayes, continuous: true, trials: 4096, batch: 1024");
    const space *s = &t->tuning.space.space;
    const search_options spread = {.method = SEARCH_SOBOL}, options = search_engine_options(t->tuning.space.options);
    double *point = arena_alloc(memory, TRIALS * s->n, sizeof *point), next[POINTS * SPACE_MOST_DIMENSIONS], said = 0.0;
    search_trial trials[TRIALS];
    search_report report;
    size_t n = 0;
    assert_non_null(point);
    assert_int_equal(t->room, 4096);
    assert_ok(search_propose(scratch, s, 0, NULL, &spread, TRIALS, point, &n, &report));
    for (size_t i = 0; i < TRIALS; i++) {
        trials[i] = (search_trial){.point = point + i * s->n, .state = TRIAL_DONE, .value = sin(3.0 * point[i * s->n]), .variance = 1e-3};
    }
    const trial_moment begun = trial_now();
    assert_ok(search_propose(scratch, s, TRIALS, trials, &options, POINTS, next, &n, &report));
    const trial_moment between = trial_now();
    assert_ok(search_proposals_try(scratch, s, t->tuning.space.options, t->room, 0.0, &said));
    const double once = between.used - begun.used, tried = trial_now().used - between.used;
    assert_true(said > 0.0);
    if (tried > 10.0 * once) { /* two fits of other values, and 4096 made-up trials; after 1024 trials a fit alone is sixteen times as long */
        fail_msg("%g s were tried, where 8 points after 256 trials take %g s", tried, once);
    }
}

/* What lies in the caller's arena is the fit's and the process's; a process with the lies of a batch is somewhere else. */
static void memory_is_that_of_proposals(void **state)
{
    (void)state;
    enum { TRIALS = 96, BATCH = 4 };
    const target *t = open_target(arena_text(memory, "method: bayes, continuous: true, trials: %d, batch: %d", TRIALS, BATCH));
    const space *s = &t->tuning.space.space;
    const search_options spread = {.method = SEARCH_SOBOL}, options = search_engine_options(t->tuning.space.options);
    double *point = arena_alloc(memory, TRIALS * s->n, sizeof *point), next[BATCH * SPACE_MOST_DIMENSIONS];
    search_trial trials[TRIALS];
    search_report report;
    size_t n = 0;
    assert_non_null(point);
    assert_ok(search_propose(scratch, s, 0, NULL, &spread, TRIALS, point, &n, &report));
    for (size_t i = 0; i < TRIALS; i++) {
        trials[i] = (search_trial){.point = point + i * s->n, .state = TRIAL_DONE, .value = (double)(i * i % 17), .variance = 0.1};
    }
    arena_reset(scratch);
    assert_ok(search_propose(scratch, s, TRIALS, trials, &options, BATCH, next, &n, &report));
    const size_t said = search_proposals_bytes(s, TRIALS, BATCH), own = arena_bytes(scratch), lies = 2 * (TRIALS + BATCH) * (TRIALS + BATCH) * sizeof(double);
    if (own + lies > said || own + lies < said / 10 * 8) {
        fail_msg("%zu bytes are foreseen, %zu and %zu were taken", said, own, lies);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(batches_add_up),
        TEST_WITH_MEMORY(only_a_process_takes_time),
        TEST_WITH_MEMORY(time_is_that_of_proposals),
        TEST_WITH_MEMORY(little_is_tried_without_time),
        TEST_WITH_MEMORY(memory_is_that_of_proposals),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
