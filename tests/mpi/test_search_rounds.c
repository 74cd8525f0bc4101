/* A search that goes in rounds, exhaustive or a race, with a journal: stopped in each of its rounds and resumed, by jobs that know nothing but the journal, it computes
 * nothing twice and finds, bit for bit, what it finds in one round that nobody stops. Any number of ranks. */
#include "support/made_items.h"
#include "support/with_ranks.h"

#include <string.h>

#include "pipeline/search_parts.h"

enum { ROUNDS = 4, MOST_STARTS = 400 };

typedef struct running {
    plan p;
    target target;
    resume journal;
    progress bar;
} running;

/* The transformer, whose softmax and last layers have two rules each: 2 x 2 x 2 settings, by |R| and by R. */
static target *start(bool race)
{
    const char *const sets[] = {
        race ? "search={method: halving, eta: 2, first_images: 1, first_rates: 100, first_seeds: 1}" : "search.method=exhaustive",
        "search.softmax=[epsilon, cp]", "search.fc=[epsilon, z-plus]", "search.high=[epsilon, gamma]", "search.mid=[epsilon]", "search.low=[epsilon]",
        "search.seeds=2",               "tasks.references=[3]",        "search.references=3",          "rates=[0, 0.5, 0.9]",
    };
    running *r = arena_alloc(memory, 1, sizeof *r);
    assert_non_null(r);
    assert_ok(plan_build(&world, memory, source_path("configs/digits-search.yaml"), COUNT(sets), sets, &r->p));
    const study *s = &r->p.study;
    r->target = (target){.comm = &world, .a = memory, .study = s, .journal = &r->journal, .bar = &r->bar, .model = s->n_models - 1, .kind = race ? 0 : ALL_KINDS};
    r->target.reference_mark = arena_alloc(memory, s->reference_data->n_samples, sizeof(file_mark));
    r->target.evaluation_mark = arena_alloc(memory, s->evaluation_data->n_samples, sizeof(file_mark));
    assert_true(r->target.reference_mark != NULL && r->target.evaluation_mark != NULL);
    assert_ok(search_target_open(&r->target, scratch));
    assert_int_equal(r->target.room, 16);
    return &r->target;
}

static void cut(target *t)
{
    t->most_bytes = search_setting_bytes(&t->tuning) * (double)t->room / ROUNDS;
    assert_int_equal(target_cut(t).n, ROUNDS);
}

/* The search with what `folder` has (NULL: nothing), as search.c starts it; it stops after so many items of a rank, < 0: never. */
static made_run run(target *t, const char *folder, long after)
{
    item_service *items = &t->journal->items;
    made_service(&world, memory, folder, items);
    items->study = 1;
    items->stop->after = after;
    assert_ok(arena_open("masks of a search", &t->cache.arena));
    const bool race = t->tuning.space.options->method == SEARCH_BY_HALVING;
    if (race) {
        search_fill(t);
    }
    const status st = race ? search_race(t) : search_exhaust(t);
    arena_close(&t->cache.arena);
    if (st.code != ST_OK && st.code != ST_STOPPED && st.code != ST_PEER) {
        fail_msg("%s", status_message());
    }
    status_clear();
    int64_t sums[] = {st.code != ST_OK, (int64_t)items->n_computed, (int64_t)items->n_restored};
    comm_sum_i64(&world, COUNT(sums), sums);
    journal_close(&items->writer);
    return (made_run){sums[0], sums[1], sums[2]};
}

static void assert_found(const target *found, const target *expected)
{
    const size_t n = expected->room * n_kinds(expected);
    assert_int_equal(found->n, expected->room);
    assert_memory_equal(found->measure, expected->measure, n * COLUMNS * sizeof(double));
    assert_memory_equal(found->cost, expected->cost, expected->room * sizeof(double));
    assert_true(found->n_masks == expected->n_masks && found->n_evaluated == expected->n_evaluated && found->n_images == expected->n_images &&
                found->n_explained == expected->n_explained);
}

static void rounds_are_stopped_and_resumed(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "rounds");
    target *whole = start(false), *straight = start(false), *t = NULL;
    int64_t computed = 0, starts = 0;
    bool stopped_in[ROUNDS] = {false};
    made_run one, last;
    assert_int_equal(target_cut(whole).n, 1);
    assert_int_equal(run(whole, NULL, -1).stopped, 0);
    cut(straight);
    one = run(straight, NULL, -1);
    assert_true(one.stopped == 0 && one.computed > 0 && one.restored == 0);
    assert_found(straight, whole);
    const long after = (long)(one.computed / (3 * ROUNDS * world.size));
    assert_true(after > 0);
    do {
        t = start(false);
        cut(t);
        last = run(t, folder, after);
        computed += last.computed;
        starts++;
        assert_true(last.computed > 0 && starts < MOST_STARTS);
        if (last.stopped > 0) {
            assert_true(t->n_rounds < ROUNDS);
            stopped_in[t->n_rounds] = true;
        }
    } while (last.stopped > 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        assert_true(stopped_in[i]);
    }
    assert_int_equal(computed, one.computed);
    assert_found(t, whole);
    assert_memory_equal(t->round, straight->round, t->room * sizeof *t->round);
    t = start(false);
    cut(t);
    last = run(t, folder, 0); /* nothing is left to be stopped */
    assert_true(last.stopped == 0 && last.computed == 0 && last.restored == one.computed);
    assert_found(t, whole);
}

/* A race as well, whose second rung explains again what the first one has: it goes on where it was stopped, and nothing is left at the end. */
static void a_race_in_rounds_is_resumed(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "race");
    target *whole = start(true), *t = NULL;
    int64_t starts = 0;
    made_run last, one = run(whole, NULL, -1);
    assert_true(one.stopped == 0 && whole->n_rounds == 2);
    const long after = (long)(one.computed / (6 * world.size));
    assert_true(after > 0);
    do {
        t = start(true);
        t->most_bytes = search_setting_bytes(&t->tuning) / 4.0 * (double)t->room / ROUNDS; /* of one seed of two, less than half of the settings */
        last = run(t, folder, after);
        starts++;
        assert_true(last.computed > 0 && starts < MOST_STARTS);
    } while (last.stopped > 0);
    assert_true(starts > 3 && t->n_rounds > 2);
    assert_int_equal(t->n, whole->n);
    assert_memory_equal(t->measure, whole->measure, whole->room * COLUMNS * sizeof(double));
    assert_memory_equal(t->state, whole->state, whole->room * sizeof *whole->state);
    assert_memory_equal(t->round, whole->round, whole->room * sizeof *whole->round);
    t = start(true);
    t->most_bytes = search_setting_bytes(&t->tuning) / 4.0 * (double)t->room / ROUNDS;
    last = run(t, folder, 0);
    assert_true(last.stopped == 0 && last.computed == 0 && last.restored > 0);
    assert_memory_equal(t->measure, whole->measure, whole->room * COLUMNS * sizeof(double));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(rounds_are_stopped_and_resumed),
        TEST_WITH_MEMORY(a_race_in_rounds_is_resumed),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
