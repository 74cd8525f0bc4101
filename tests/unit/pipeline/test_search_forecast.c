/* What a plan says of a search, against the rounds that the search has. */
#include "unit/pipeline/search_sample.h"

#include <math.h>

#include "core/exact_sum.h"
#include "pipeline/dry_run_parts.h"
#include "pipeline/search_parts.h"

enum { STAGES = 16 };
static const char few[] = "low: [epsilon, z-plus], mid: [epsilon, gamma], high: [alpha-beta, z-plus], fc: [epsilon], softmax: [epsilon], report: 2, seeds: 3, references: 3";

static const search_forecast *foresee(const plan *p, study *extended)
{
    search_forecast *f = arena_alloc(memory, 1, sizeof *f);
    assert_non_null(f);
    assert_ok(search_forecast_open(&world, memory, &p->study, f, extended));
    return f;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void count(void *passes, double images)
{
    (void)images;
    ++*(size_t *)passes;
}

/* The round of all settings for a model, as the search runs it: what each stage keeps, and how often it ticks. */
static void run_round(const plan *p, size_t model, size_t kept[], size_t passes[])
{
    arena *a;
    assert_ok(arena_open("round", &a));
    item_service items;
    target t = {.comm = &world, .a = a, .study = &p->study, .model = model, .kind = ALL_KINDS};
    assert_ok(search_target_open(&t, scratch));
    search_fill(&t);
    assert_ok(search_study_settings(a, &t.tuning, t.room, t.point));
    assert_ok(items_open(&world, memory, &items));
    arena *outputs;
    assert_ok(arena_open("outputs", &outputs));
    size_t ticks = 0;
    stage_ctx c = {.comm = &world, .study = &t.tuning.study, .arena = outputs, .tick = count, .progress = &ticks, .items = &items};
    c.reference_mark = arena_alloc(a, p->study.reference_data->n_samples, sizeof(file_mark));
    c.evaluation_mark = arena_alloc(a, p->study.evaluation_data->n_samples, sizeof(file_mark));
    assert_true(c.reference_mark != NULL && c.evaluation_mark != NULL);
    for (size_t i = 0; i < stage_count; i++) {
        const size_t before = arena_bytes(outputs);
        if (search_runs(stage_table[i]->name)) {
            ticks = 0;
            assert_ok(stage_table[i]->run(&c));
            kept[i] = most(kept[i], arena_bytes(outputs) - before);
            passes[i] += ticks;
        }
    }
    arena_close(&outputs);
    arena_close(&a);
}

static void a_round_keeps_what_is_foreseen(void **state)
{
    (void)state;
    const plan *p = open_plan(tasks, arena_text(memory, "method: exhaustive, %s", few));
    study extended;
    const search_forecast *f = foresee(p, &extended);
    size_t kept[STAGES] = {0}, passes[STAGES] = {0};
    assert_int_equal(f->n_parts, MODELS);
    assert_true(stage_count <= STAGES);
    for (size_t m = 0; m < MODELS; m++) {
        run_round(p, m, kept, passes);
    }
    for (size_t i = 0; i < stage_count; i++) {
        if (!search_runs(stage_table[i]->name)) {
            assert_int_equal(f->stage[i].kept + f->stage[i].items, 0);
        } else if (f->stage[i].at_most) { /* masks turn out equal */
            assert_in_range(kept[i], f->stage[i].kept / 4, f->stage[i].kept);
            assert_true(passes[i] > 0);
        } else {
            assert_int_equal(kept[i], f->stage[i].kept);
        }
    }
    assert_true(f->known == 0 && f->trials > 0); /* there is one round: no mask has to be remembered */
}

static size_t part_of(const stage_forecast *f, const char *name)
{
    size_t i = 0;
    while (i < f->n_parts && strcmp(f->part[i].name, name) != 0) {
        i++;
    }
    assert_true(i < f->n_parts);
    return f->part[i].bytes;
}

/* Values of a tree are added up exactly, and then stand beside that as rounded ones, until the settings have theirs. */
static void sums_are_counted_twice(void **state)
{
    (void)state;
    study extended;
    const search_forecast *f = foresee(open_plan(tasks, arena_text(memory, "method: exhaustive, %s", few)), &extended);
    for (size_t i = 0; i < stage_count; i++) {
        if (strcmp(stage_table[i]->name, "attribute") == 0) {
            const size_t exact = part_of(&f->stage[i], "sums of relevance"), rounded = part_of(&f->stage[i], "sums of the tree, rounded");
            assert_in_range(rounded * sizeof(exact_sum) / sizeof(double), exact / 100 * 99, exact / 100 * 101);
        }
    }
}

/* A search by rounds remembers masks; it takes no more memory at once for fewer settings at a time. */
static void rounds_remember_masks(void **state)
{
    (void)state;
    study extended;
    const search_forecast *all = foresee(open_plan(tasks, arena_text(memory, "method: exhaustive, %s", few)), &extended);
    const search_forecast *race = foresee(open_plan(tasks, arena_text(memory, "method: halving, eta: 2, first_rates: 3, %s", few)), &extended);
    const search_forecast *batches = foresee(open_plan(tasks, arena_text(memory, "method: bayes, trials: 12, batch: 4, %s", few)), &extended);
    const size_t kinds = MODELS + 1; /* the transformer's heads and neurons each have a search */
    assert_true(race->n_parts == kinds && batches->n_parts == kinds);
    assert_true(race->known > 0 && batches->known > 0 && all->proposals == 0 && batches->proposals > 0);
    for (size_t i = 0; i < stage_count; i++) {
        if (search_runs(stage_table[i]->name)) {
            assert_true(forecast_bytes(&batches->stage[i]) <= forecast_bytes(&all->stage[i]) && batches->stage[i].kept < all->stage[i].kept);
        }
    }
}

/* A later rung has settings from everywhere in the space. Neighbours differ in `absolute` alone and share their explanation, so of the first four two
 * would be explained. */
static void settings_of_a_rung_are_spread(void **state)
{
    (void)state;
    enum { LEFT = 4 };
    const plan *p = open_plan(tasks, arena_text(memory, "method: halving, eta: 2, first_rates: 3, %s", few));
    target t = {.comm = &world, .a = memory, .study = &p->study, .model = 0, .kind = 0};
    search_study of;
    search_round round;
    size_t explained = 0, n_rounds = 0;
    assert_ok(search_target_open(&t, scratch));
    search_fill(&t);
    assert_ok(search_race_foresee(&t, memory, scratch, &(foreseen_rung){.k = 1, .n = LEFT, .n_known = 3}, &of, &round, &n_rounds));
    assert_int_equal(n_rounds, 1);
    assert_int_equal(round.n, LEFT);
    for (size_t k = 0; k < LEFT; k++) {
        explained += attribute_explains(&of.study, 0, k);
    }
    assert_int_equal(explained, LEFT);
}

/* The study has as many criteria, of as many cells, as it will have. */
static void what_it_will_find_is_counted(void **state)
{
    (void)state;
    static const char *const methods[] = {"exhaustive", "halving, eta: 2", "sobol, trials: 5, batch: 2"};
    for (size_t k = 0; k < COUNT(methods); k++) {
        study extended;
        const plan *p = open_plan(tasks, arena_text(memory, "method: %s, %s", methods[k], few));
        const search_forecast *f = foresee(p, &extended);
        const size_t n = p->study.config->n_criteria, kinds = MODELS + 1;
        assert_int_equal(f->n_tuned, 2 * kinds);
        assert_int_equal(extended.config->n_criteria, n + 2 * kinds);
        assert_string_equal(extended.config->criteria[n].name, "tuned-digits_vgg_bn-filters-1");
        assert_string_equal(extended.config->criteria[n + 2 * kinds - 1].name, "tuned-digits_vit-heads-2");
        for (size_t i = n; i < n + 2 * kinds; i++) {
            for (size_t other = 0; other < i; other++) { /* explained by itself, as most of what is found will be */
                const bool same_model = other < n || extended.config->criteria[other].models[0] == extended.config->criteria[i].models[0];
                assert_true(!same_model || strcmp(extended.config->scoring[other], extended.config->scoring[i]) != 0);
            }
        }
        assert_true(extended.n_cells > p->study.n_cells);
    }
}

static void a_study_without_a_search_stays_as_it_is(void **state)
{
    (void)state;
    study extended;
    plan *p = arena_alloc(memory, 1, sizeof *p);
    assert_non_null(p);
    *p = *open_plan(tasks, few);
    config plain = *p->study.config;
    plain.search.on = false;
    p->study.config = &plain;
    const search_forecast *f = foresee(p, &extended);
    assert_true(f->n_parts == 0 && f->n_tuned == 0 && extended.n_cells == p->study.n_cells && extended.config == &plain);
}

/* Of a rank: while it searches what its rounds take and what is remembered; from then on what was found, which is in the file as well. */
static void memory_counts_the_search(void **state)
{
    (void)state;
    static const double gib = 1073741824.0;
    study extended;
    const plan *p = open_plan(tasks, arena_text(memory, "method: halving, eta: 2, first_rates: 3, %s", few));
    search_forecast f = *foresee(p, &extended);
    const search_forecast none = {.n_parts = 0};
    stage_forecast stage[STAGES] = {{0}};
    const rank_memory start = {.ranks = 1, .program = 1e6};
    rank_memory without = start, with = start, remembered = start, found = start;
    double rounds = 0.0;
    dry_run_memory_sum(stage, &none, &extended, false, &without);
    dry_run_memory_sum(stage, &f, &extended, false, &with);
    for (size_t i = 0; i < stage_count; i++) {
        rounds = fmax(rounds, (double)forecast_bytes(&f.stage[i]));
    }
    assert_string_equal(with.when, "search");
    assert_true(rounds > 0.0 && with.most >= rounds + (double)(f.known + f.trials) && without.most < with.most && without.found == 0.0);
    f.known += (size_t)gib;
    dry_run_memory_sum(stage, &f, &extended, false, &remembered);
    assert_true(remembered.most == with.most + gib && remembered.found == with.found && remembered.tables == with.tables);
    assert_true(f.lists > 0 && f.drawn > 0 && f.proposals == 0); /* a race asks no process */
    f.lists += (size_t)gib;
    dry_run_memory_sum(stage, &f, &extended, false, &remembered);
    assert_true(remembered.most == with.most + 2.0 * gib);
    f.proposals = (size_t)(8.0 * gib); /* between two rounds, whose lists are not there */
    dry_run_memory_sum(stage, &f, &extended, false, &remembered);
    assert_true(remembered.most >= 9.0 * gib && remembered.most < 10.0 * gib);
    f.proposals = f.lists = 0;
    f.trials += (size_t)(4.0 * gib);
    dry_run_memory_sum(stage, &f, &extended, true, &found);
    assert_string_equal(found.when, "result");
    assert_true(found.found == (double)f.trials && found.most >= 2.0 * found.found && found.file >= found.found);
}

/* A setting is tried, and all of them are said to take as many times more as there are. */
static void time_is_that_of_all_settings(void **state)
{
    (void)state;
    study extended;
    arena *work, *images;
    const plan *p = open_plan(tasks, arena_text(memory, "method: exhaustive, %s", few));
    search_forecast *f = arena_alloc(memory, 1, sizeof *f);
    assert_non_null(f);
    *f = *foresee(p, &extended);
    assert_ok(arena_open("work", &work));
    assert_ok(arena_open("images", &images));
    size_t ticks = 0;
    stage_ctx c = {.comm = &world, .study = &p->study, .arena = memory, .tick = count, .progress = &ticks};
    c.reference_mark = arena_alloc(memory, p->study.reference_data->n_samples, sizeof(file_mark));
    c.evaluation_mark = arena_alloc(memory, p->study.evaluation_data->n_samples, sizeof(file_mark));
    assert_true(c.reference_mark != NULL && c.evaluation_mark != NULL);
    const stage_ctx before = c;
    assert_ok(search_forecast_try(&c, work, images, 0.1, f));
    assert_memory_equal(&before, &c, sizeof c);
    for (size_t i = 0; i < stage_count; i++) {
        assert_true(search_runs(stage_table[i]->name) ? f->seconds[i] > 0.0 : f->seconds[i] == 0.0);
    }
    assert_true(ticks > 0);
    search_forecast more = *f;
    more.seconds = arena_alloc(memory, stage_count, sizeof *more.seconds);
    assert_non_null(more.seconds);
    for (size_t i = 0; i < f->n_parts; i++) {
        assert_true(f->part[i].settings == 16.0); /* 2 x 2 x 2 rules, absolute or signed */
        f->part[i].settings *= 1000.0;
        f->part[i].macs *= 1000.0;
        f->part[i].rankings *= 1000.0;
    }
    assert_ok(search_forecast_try(&c, work, images, 0.1, &more));
    for (size_t i = 0; i < stage_count; i++) {
        assert_true(!search_runs(stage_table[i]->name) || more.seconds[i] > 50.0 * f->seconds[i]);
    }
    arena_close(&images);
    arena_close(&work);
}

/* The paragraph of the plan about the search. */
static const char *printed(const plan *p)
{
    enum { MOST = 16384 };
    char *text = arena_alloc(memory, MOST, 1);
    assert_non_null(text);
    FILE *f = fmemopen(text, MOST, "w");
    const dry_run_report r = {.plan = p};
    assert_non_null(f);
    assert_ok(dry_run_print_search(memory, f, &r));
    assert_int_equal(fclose(f), 0);
    return text;
}

static void assert_says(const char *text, const char *expected, bool says)
{
    if ((strstr(text, expected) != NULL) != says) {
        fail_msg("expected %s'%s', found: %s", says ? "" : "no ", expected, text);
    }
}

/* A search that would take more than a round of it may: of 512 settings and 200 seeds at 4 GiB and 336 bytes more than 124 components. */
static void rounds_are_said(void **state)
{
    (void)state;
    const char *small = printed(open_plan(tasks, "method: exhaustive, seeds: 3"));
    const plan *p = open_plan(tasks, "method: exhaustive, seeds: 200");
    const char *large = printed(p);
    assert_says(small, "digits_vit: 512 settings, ", true);
    assert_says(small, "rounds", false);
    for (size_t m = 0; m < MODELS; m++) {
        target t = {.comm = &world, .a = memory, .study = &p->study, .model = m, .kind = ALL_KINDS};
        assert_ok(search_target_open(&t, scratch));
        assert_says(large, arena_text(memory, "%s: 512 settings in %zu rounds, ", networks[m], target_cut(&t).n), target_cut(&t).n > 1);
        assert_says(large, arena_text(memory, "%s: 512 settings, ", networks[m]), target_cut(&t).n == 1);
    }
    assert_says(large, " rounds, ", true);
    assert_says(printed(open_plan(tasks, "method: halving, seeds: 200")), " rounds", false);
    const char *race = printed(open_plan(tasks, "method: halving, seeds: 200, first_images: 0.3, first_rates: 100, first_seeds: 200"));
    assert_says(race, "at most 512 settings for each kind that differ, 31.4 % of the images, 20 rates, 200 seeds, in at most 16 rounds\n", true);
    assert_says(race, "at most 57 settings for each kind that differ, 100 % of the images, 20 rates, 200 seeds\n", true);
}

/* What the stage keeps of all settings of the part in one round. */
static size_t kept_of_all(const plan *p, const search_part *part, const stage_def *stage, size_t *n_rounds)
{
    arena *a;
    target t = {.comm = &world, .study = &p->study, .model = part->model, .kind = part->kind};
    stage_ctx c = {.comm = &world, .study = &t.tuning.study};
    stage_forecast one = {0};
    assert_ok(arena_open("part", &a));
    c.arena = t.a = a;
    assert_ok(search_target_open(&t, scratch));
    search_fill(&t);
    assert_ok(search_study_settings(a, &t.tuning, t.room, t.point));
    assert_ok(stage->forecast(&c, scratch, &one));
    *n_rounds = target_cut(&t).n;
    arena_close(&a);
    return one.kept;
}

/* The first rung of a race, with all seeds and rates: where it goes in rounds, sums and masks are those of a part of the settings, and no sums are left to
 * the next rung. */
static void a_race_in_rounds_keeps_less(void **state)
{
    (void)state;
    const plan *p = open_plan("classes: [2], seeds: 1, references: [1]",
                              "method: halving, eta: 16, seeds: 200, first_images: 0.1, first_rates: 100, first_seeds: 200, references: 1, report: 1");
    study extended;
    const search_forecast *f = foresee(p, &extended);
    for (size_t k = 1; k < f->n_parts; k++) { /* networks of all rounds are remembered, not of a quarter of them; small networks have fewer at all rates */
        assert_true(f->part[k].masks > f->part[0].masks / 2);
    }
    for (size_t i = 0; i < stage_count; i++) {
        size_t whole = 0, round = 0;
        if (strcmp(stage_table[i]->name, "attribute") != 0 && strcmp(stage_table[i]->name, "prune") != 0) {
            continue;
        }
        for (size_t k = 0; k < f->n_parts; k++) {
            size_t n_rounds = 0;
            const size_t kept = kept_of_all(p, &f->part[k], stage_table[i], &n_rounds);
            assert_true((f->part[k].sums == 0) == (n_rounds > 1));
            whole = most(whole, kept);
            round = most(round, kept / n_rounds);
        }
        assert_true(round < whole);
        assert_in_range(f->stage[i].kept, round, round + round / 20);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(a_round_keeps_what_is_foreseen),
        TEST_WITH_MEMORY(sums_are_counted_twice),
        TEST_WITH_MEMORY(rounds_remember_masks),
        TEST_WITH_MEMORY(settings_of_a_rung_are_spread),
        TEST_WITH_MEMORY(what_it_will_find_is_counted),
        TEST_WITH_MEMORY(a_study_without_a_search_stays_as_it_is),
        TEST_WITH_MEMORY(memory_counts_the_search),
        TEST_WITH_MEMORY(time_is_that_of_all_settings),
        TEST_WITH_MEMORY(rounds_are_said),
        TEST_WITH_MEMORY(a_race_in_rounds_keeps_less),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
