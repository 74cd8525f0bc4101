/* Rounds of a search as the stages run them: a race does nothing twice and measures what an exhaustive search measures; what a plan says of it; what a
 * process is told of the noise. */
#include "unit/pipeline/search_sample.h"

#include <math.h>

#include "core/exact_sum.h"
#include "pipeline/search_forecast.h"
#include "pipeline/search_parts.h"

static const char few[] = "low: [epsilon], mid: [epsilon, gamma], high: [alpha-beta, z-plus], fc: [epsilon, z-plus], seeds: 4";

typedef struct running {
    target target;
    resume journal;
    progress bar;
} running;

/* The search of the first network, all of whose settings are there. */
static target *start(const char *method)
{
    running *r = arena_alloc(memory, 1, sizeof *r);
    assert_non_null(r);
    const plan *p = open_plan(tasks, arena_text(memory, "method: %s, %s", method, few));
    r->target = (target){.comm = &world, .a = memory, .study = &p->study, .journal = &r->journal, .bar = &r->bar};
    r->target.reference_mark = arena_alloc(memory, p->study.reference_data->n_samples, sizeof(file_mark));
    r->target.evaluation_mark = arena_alloc(memory, p->study.evaluation_data->n_samples, sizeof(file_mark));
    assert_true(r->target.reference_mark != NULL && r->target.evaluation_mark != NULL);
    assert_ok(items_open(&world, memory, &r->journal.items));
    assert_ok(search_target_open(&r->target, scratch));
    assert_ok(arena_open("masks", &r->target.cache.arena));
    search_fill(&r->target);
    return &r->target;
}

/* settings[first..first + n) as a round. */
static void run_some(target *t, size_t first, size_t n)
{
    size_t *which = arena_alloc(memory, n, sizeof *which);
    assert_non_null(which);
    for (size_t i = 0; i < n; i++) {
        which[i] = first + i;
    }
    const search_round r = {.of = &t->tuning, .n = n, .trial = which};
    assert_ok(search_study_settings(memory, &t->tuning, n, t->point + first * t->tuning.space.space.n));
    assert_ok(search_round_run(t, memory, &r));
}

/* Reference images of the seeds first..end, each once. */
static size_t images_of(const study *s, size_t first, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < s->reference_data->n_samples; i++) {
        bool there = false;
        for (size_t r = 0; r < s->n_references; r++) {
            const size_t seed = s->references[r].task % s->config->n_seeds;
            for (size_t k = 0; seed >= first && seed < end && k < s->references[r].samples.n; k++) {
                there = there || s->references[r].samples.sample[k] == i;
            }
        }
        n += there;
    }
    return n;
}

/* Settings that were on a rung and have scores of their own: neighbours differ in `absolute` alone. */
static size_t scored_on(const target *t, size_t rung)
{
    size_t n = 0;
    for (size_t i = 0; i < t->room; i += 2) {
        n += t->round[i] >= rung || t->round[i + 1] >= rung;
    }
    return n;
}

/* Every network that was run is known, each once, and so many images went through it as its evaluation set has: there is one part of them. */
static void assert_nothing_twice(target *t)
{
    const mask_cache *c = &t->cache;
    uint64_t images = 0;
    assert_int_equal(t->n_evaluated, c->n);
    assert_int_equal(c->n_sorted, c->n);
    for (size_t i = 0; i < c->n; i++) {
        assert_true(c->entry[i].evaluation < t->tuning.study.n_evaluations);
        images += t->tuning.study.evaluations[c->entry[i].evaluation].samples.n;
        assert_true(i == 0 || memcmp(&c->entry[i - 1], &c->entry[i], offsetof(mask_cache_entry, counters)) < 0);
    }
    assert_int_equal(t->n_images, images);
}

/* More seeds on every rung: their reference sets are explained under the settings that are left, those of the others are taken along. */
static void a_race_does_nothing_twice(void **state)
{
    (void)state;
    halving_budget rung[HALVING_MOST_RUNGS];
    size_t n_rungs = 0, of = 0, explained = 0, complete = 0;
    target *race = start("halving, eta: 2, first_images: 1, first_rates: 100, first_seeds: 1"), *all = start("exhaustive");
    assert_ok(search_race_rungs(&race->tuning, &of, rung, &n_rungs));
    assert_true(n_rungs == 3 && rung[0].seeds == 1 && rung[1].seeds == 2 && rung[2].seeds == 4);
    assert_ok(search_race(race));
    assert_nothing_twice(race);
    run_some(all, 0, all->room);
    for (size_t i = 0; i < all->room; i++) {
        if (race->state[i] == TRIAL_COMPLETE) {
            assert_memory_equal(measure_of(race, i, 0), measure_of(all, i, 0), COLUMNS * sizeof(double));
            complete++;
        }
    }
    assert_in_range(complete, 1, all->room / 2);
    for (size_t k = 0; k < n_rungs; k++) {
        const size_t before = k == 0 ? 0 : rung[k - 1].seeds;
        explained += scored_on(race, k) * images_of(&race->tuning.study, before, rung[k].seeds);
    }
    assert_int_equal(race->n_explained, explained);
    assert_int_equal(all->n_explained, all->room / 2 * images_of(&all->tuning.study, 0, 4));
    assert_true(race->n_explained < all->n_explained);
    arena_close(&race->cache.arena);
    arena_close(&all->cache.arena);
}

/* The same seeds on every rung: all is explained on the first one. */
static void rungs_of_more_images_explain_nothing(void **state)
{
    (void)state;
    target *race = start("halving, eta: 2, first_images: 0.3, first_rates: 3, first_seeds: 100");
    assert_ok(search_race(race));
    assert_true(race->n_rounds > 1);
    assert_int_equal(race->n_explained, race->room / 2 * images_of(&race->tuning.study, 0, 4));
    arena_close(&race->cache.arena);
}

static void rounds_run_the_unpruned_network_once(void **state)
{
    (void)state;
    enum { AT_A_TIME = 4 };
    target *rounds = start("sobol, trials: 16"), *all = start("exhaustive");
    for (size_t i = 0; i < rounds->room; i += AT_A_TIME) {
        run_some(rounds, i, AT_A_TIME);
    }
    run_some(all, 0, all->room);
    assert_int_equal(rounds->n_rounds, rounds->room / AT_A_TIME);
    assert_nothing_twice(rounds);
    assert_true(rounds->n_evaluated == all->n_evaluated && rounds->n_images == all->n_images);
    assert_memory_equal(rounds->measure, all->measure, all->room * COLUMNS * sizeof(double));
    arena_close(&rounds->cache.arena);
    arena_close(&all->cache.arena);
}

/* The stages of a round of the first n settings. */
static stage_ctx run_stages(target *t, size_t n, mask_cache *cache)
{
    stage_ctx c = {.comm = &world, .arena = memory, .tick = progress_tick, .progress = t->bar, .items = &t->journal->items, .cache = cache,
                   .reference_mark = t->reference_mark, .evaluation_mark = t->evaluation_mark};
    study *s = arena_alloc(memory, 1, sizeof *s);
    assert_non_null(s);
    assert_ok(search_study_settings(memory, &t->tuning, n, t->point));
    *s = t->tuning.study;
    c.study = s;
    for (size_t i = 0; i < stage_count; i++) {
        assert_ok(search_runs(stage_table[i]->name) ? stage_table[i]->run(&c) : STATUS_OK);
    }
    return c;
}

/* Pruned networks are compared with what the unpruned one said in an earlier round. */
static void predictions_are_remembered(void **state)
{
    (void)state;
    enum { FIRST = 2, ALL = 8 };
    target *t = start("sobol, trials: 16");
    const stage_ctx before = run_stages(t, FIRST, &t->cache), again = run_stages(t, ALL, &t->cache), fresh = run_stages(t, ALL, NULL);
    const size_t n_rates = t->tuning.config.n_rates;
    uint64_t agreeing = 0;
    for (size_t i = 0; i < fresh.study->n_cells * n_rates; i++) {
        const evaluate_point *p = &again.evaluate.points[i], *q = &fresh.evaluate.points[i];
        assert_int_equal(p->agree, q->agree);
        assert_int_equal(p->correct[PREDICTION_RESTRICTED], q->correct[PREDICTION_RESTRICTED]);
        assert_true(p->loss_sum == q->loss_sum);
        agreeing += i % n_rates == 0 ? 0 : q->agree;
    }
    assert_true(agreeing > 0);
    assert_true(again.evaluate.n_evaluated > 0 && before.evaluate.n_evaluated + again.evaluate.n_evaluated == fresh.evaluate.n_evaluated);
    arena_close(&t->cache.arena);
}

/* A large exhaustive search goes in rounds, of settings that share the beginning of their walks. */
static void an_exhaustive_search_is_cut(void **state)
{
    (void)state;
    target *all = start("exhaustive"), *rounds = start("exhaustive");
    const space *s = &all->tuning.space.space;
    const double bytes = search_setting_bytes(&all->tuning);
    assert_true(bytes == (double)all->tuning.model.graph->n_components * 4.0 * (3.0 * 8.0 + 3.0 * (double)sizeof(exact_sum))); /* four seeds */
    assert_int_equal(target_cut(all).n, 1);
    assert_int_equal(search_cut_of(&all->tuning, 16, 16.0 * bytes).n, 1);
    assert_int_equal(search_cut_of(&all->tuning, 16, 16.0 * bytes - 1.0).n, 2); /* by fc */
    assert_int_equal(search_cut_of(&all->tuning, 16, 8.0 * bytes - 1.0).n, 4);
    assert_int_equal(search_cut_of(&all->tuning, 16, 1.0).n, 8);                /* there are no smaller ones */
    rounds->most_bytes = 4.0 * bytes;
    assert_int_equal(target_cut(rounds).n, 4);
    assert_ok(search_exhaust(all));
    assert_ok(search_exhaust(rounds));
    assert_int_equal(rounds->n_rounds, 4);
    for (size_t i = 0; i < rounds->room; i++) {
        assert_int_equal(rounds->round[i], (size_t)rounds->point[i * s->n + 3] * 2 + (size_t)rounds->point[i * s->n + 2]);
    }
    assert_nothing_twice(rounds);
    assert_memory_equal(rounds->measure, all->measure, all->room * COLUMNS * sizeof(double));
    assert_true(rounds->n == all->n && rounds->n_evaluated == all->n_evaluated && rounds->n_images == all->n_images && rounds->n_explained == all->n_explained);
    arena_close(&rounds->cache.arena);
    arena_close(&all->cache.arena);
}

/* A race goes in rounds too: the same settings are left on each rung, with the same numbers; networks are run once. Sums of a rung of several rounds are not
 * kept, so its settings that are left are explained once more. */
static void a_race_is_cut(void **state)
{
    (void)state;
    static const char method[] = "halving, eta: 2, first_images: 1, first_rates: 100, first_seeds: 1";
    target *whole = start(method), *rounds = start(method);
    size_t explained = 0;
    rounds->most_bytes = search_setting_bytes(&whole->tuning) / 4.0 * 8.0 - 1.0; /* less than eight settings have, of one seed of four */
    assert_ok(search_race(whole));
    assert_ok(search_race(rounds));
    assert_int_equal(whole->n_rounds, 3);
    assert_in_range(rounds->n_rounds, 4 + 2 + 2, 3 * 4); /* sixteen settings on one seed, eight on two, four on four; where none are left there is no round */
    assert_nothing_twice(rounds);
    assert_true(rounds->n_evaluated == whole->n_evaluated && rounds->n_images == whole->n_images);
    assert_memory_equal(rounds->measure, whole->measure, whole->room * COLUMNS * sizeof(double));
    assert_memory_equal(rounds->state, whole->state, whole->room * sizeof *whole->state);
    assert_memory_equal(rounds->round, whole->round, whole->room * sizeof *whole->round);
    assert_memory_equal(rounds->first, whole->first, whole->room * sizeof *whole->first);
    size_t moved = 0; /* settings that went on a rung further have another value there */
    for (size_t i = 0; i < whole->room; i++) {
        const double last = measure_of(whole, i, 0)[OBJECTIVE_MEAN];
        assert_true(whole->round[i] > 0 || whole->first[i] == last);
        moved += whole->round[i] == 1 && whole->first[i] != last;
    }
    assert_true(moved > 0);
    for (size_t k = 0; k < 3; k++) {
        explained += scored_on(rounds, k) * images_of(&rounds->tuning.study, 0, (size_t)1 << k);
    }
    assert_int_equal(rounds->n_explained, explained);
    arena_close(&rounds->cache.arena);
    arena_close(&whole->cache.arena);
}

static const search_part *foresee(const char *of, const char *method, search_forecast *f)
{
    study extended;
    const plan *p = open_plan(of, arena_text(memory, "method: %s, %s", method, few));
    assert_ok(search_forecast_open(&world, memory, &p->study, f, &extended));
    return &f->part[0];
}

/* The multiply-adds of explanations: with all seeds on the first rung those of all settings once. With one more on each, less than that, and more than those
 * of the first rung alone. */
static void explanations_are_foreseen(void **state)
{
    (void)state;
    static const char many[] = "classes: [3], seeds: 2, references: [20]"; /* micro-batches that are full, most of them */
    search_forecast f;
    const double once = foresee(many, "sobol, trials: 16, batch: 16", &f)->macs;
    const double images = foresee(many, "halving, eta: 2, first_images: 0.3, first_rates: 3, first_seeds: 100", &f)->macs;
    const double seeds = foresee(many, "halving, eta: 2, first_images: 1, first_rates: 100, first_seeds: 1", &f)->macs;
    assert_true(images == once);
    assert_true(seeds > 0.25 * once && seeds < once);
}

/* What is remembered of networks is what a plan says, but for the masks that turn out equal. */
static void known_networks_are_foreseen(void **state)
{
    (void)state;
    static const char method[] = "halving, eta: 2, first_images: 0.3, first_rates: 3, first_seeds: 2";
    search_forecast f;
    const search_part *part = foresee(tasks, method, &f);
    target *race = start(method);
    assert_ok(search_race(race));
    const size_t bytes = arena_bytes(race->cache.arena), said = part->masks + part->predictions;
    size_t predictions = 0;
    for (size_t i = 0; i < race->tuning.study.n_evaluations; i++) {
        predictions += race->tuning.study.evaluations[i].samples.n * sizeof(uint32_t);
    }
    assert_in_range(bytes, said / 100 * 85, said);
    assert_in_range(part->predictions, predictions, 4 * predictions); /* each part of the images is padded */
    assert_true(part->sums > 0 && f.known >= said + part->sums);
    arena_close(&race->cache.arena);
}

/* A rung with the seeds of the one before takes what that one was left along as it is: nothing is copied, and no more is foreseen. */
static void known_sums_stay(void **state)
{
    (void)state;
    static const char method[] = "halving, eta: 2, first_images: 0.3, first_rates: 3, first_seeds: 100";
    search_forecast f;
    const size_t said = foresee(tasks, method, &f)->sums;
    target *t = start(method);
    search_study of;
    search_round round;
    size_t n_rounds = 0;
    const double *const *sums = NULL;
    known_sums k = {.n_seeds = 0};
    bool *alive = arena_alloc(memory, t->room, sizeof *alive);
    assert_non_null(alive);
    for (size_t i = 0; i < t->room; i++) {
        alive[i] = i % 2 == 0;
    }
    assert_ok(search_race_foresee(t, memory, scratch, &(foreseen_rung){.k = 0, .n = t->room}, &of, &round, &n_rounds));
    round.sums = &sums;
    assert_ok(search_round_run(t, memory, &round));
    assert_ok(search_sums_keep(t, &round, sums, alive, &k));
    assert_int_equal(said, search_sums_bytes(t, &of.study, t->room / 2));
    const double *const *before = k.sums;
    assert_non_null(before[0]);
    assert_ok(search_race_foresee(t, memory, scratch, &(foreseen_rung){.k = 1, .n = t->room / 2, .n_known = 4}, &of, &round, &n_rounds));
    alive[0] = false;
    assert_ok(search_sums_keep(t, &round, sums, alive, &k));
    assert_true(k.sums == before && k.n_seeds == 4);
    arena_close(&k.arena);
    arena_close(&t->cache.arena);
}

/* By hand: weights of the rates, times sqrt(p (1 - p) / n). */
static void binomial_variance_is_that_of_the_objective(void **state)
{
    (void)state;
    static const double rates[] = {0.0, 0.5, 0.9}, at[] = {0.5, 0.9};
    static const uint64_t correct[] = {8, 4, 2}, masked[] = {0, 0, 16}, parameters[] = {100, 50, 25}, macs[] = {1000, 900, 100};
    static const double s0 = 0.125, s1 = 0.10825317547305482, s2 = 0.08267972847076846; /* sqrt(1/4 / 16), sqrt(3/16 / 16), sqrt(7/64 / 16) */
    const result_cell r = {.total = 16, .correct = correct, .correct_masked = masked, .parameters_left = parameters, .macs_left = macs};
    const double expected[] = {[OBJECTIVE_MEAN] = (s0 + s1 + s2) / 3.0,
                               [OBJECTIVE_TRAPEZOID] = 0.25 * s0 + 0.45 * s1 + 0.2 * s2,
                               [OBJECTIVE_PARAMETERS] = 0.25 * s0 + 0.375 * s1 + 0.125 * s2,
                               [OBJECTIVE_MACS] = 0.05 * s0 + 0.45 * s1 + 0.4 * s2,
                               [OBJECTIVE_ACCURACY] = (s1 + s2) / 2.0};
    config c = {.n_rates = 3, .rates = rates, .search = {.at = at, .n_at = 2}};
    for (size_t k = 0; k < CONFIG_OBJECTIVES; k++) {
        double variance = -1.0;
        c.prediction = PREDICTION_RESTRICTED;
        c.search.objective = (config_search_objective)k;
        assert_ok(search_binomial(memory, &c, &r, &variance));
        assert_true(fabs(variance - expected[k] * expected[k]) < 1e-15);
        c.prediction = PREDICTION_MASKED; /* all wrong, or all right */
        assert_ok(search_binomial(memory, &c, &r, &variance));
        assert_true(variance == 0.0);
    }
}

/* The process is told of the seeds' variance, or of the images' where that is more or nothing else is known. */
static void noise_is_that_of_seeds_and_images(void **state)
{
    (void)state;
    target *t = start("bayes, trials: 4");
    const search_trial *trials;
    static const double error[] = {0.1, 0.3, 0.0}, binomial[] = {0.04, 0.04, 0.04}, expected[] = {0.04, 0.09, 0.04};
    for (size_t i = 0; i < COUNT(error); i++) {
        measure_of(t, i, 0)[COLUMN_ERROR] = error[i];
        measure_of(t, i, 0)[COLUMN_BINOMIAL] = binomial[i];
    }
    measure_of(t, 3, 0)[COLUMN_ERROR] = (double)NAN;
    measure_of(t, 3, 0)[COLUMN_BINOMIAL] = 0.01;
    t->n = 4;
    assert_ok(search_as_trials(memory, t, &trials));
    for (size_t i = 0; i < COUNT(error); i++) {
        assert_true(fabs(trials[i].variance - expected[i]) < 1e-15);
    }
    assert_true(trials[3].variance == 0.01);
    run_some(t, 0, 4);
    for (size_t i = 0; i < 4; i++) { /* four seeds of more than 60 images: at most 1/4 / 60 / 4 */
        assert_true(measure_of(t, i, 0)[COLUMN_BINOMIAL] > 0.0 && measure_of(t, i, 0)[COLUMN_BINOMIAL] < 1.0 / 960.0);
    }
    arena_close(&t->cache.arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(a_race_does_nothing_twice),
        TEST_WITH_MEMORY(rungs_of_more_images_explain_nothing),
        TEST_WITH_MEMORY(rounds_run_the_unpruned_network_once),
        TEST_WITH_MEMORY(an_exhaustive_search_is_cut),
        TEST_WITH_MEMORY(a_race_is_cut),
        TEST_WITH_MEMORY(predictions_are_remembered),
        TEST_WITH_MEMORY(explanations_are_foreseen),
        TEST_WITH_MEMORY(known_networks_are_foreseen),
        TEST_WITH_MEMORY(known_sums_stay),
        TEST_WITH_MEMORY(binomial_variance_is_that_of_the_objective),
        TEST_WITH_MEMORY(noise_is_that_of_seeds_and_images),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
