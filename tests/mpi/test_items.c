/* Items that are dealt out, noted and found again: straight, stopped, damaged, failing, by other numbers of ranks and as arrays of jobs. */
#include "support/made_items.h"
#include "support/support.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/rng.h"
#include "io/journal_frame.h"

static comm world;
static arena *memory;
static const char *folder; /* of this test's journal, the same on all ranks */

static int open_all(void **state)
{
    (void)state;
    static int made;
    const void *data = "";
    size_t size = 0;
    if (!status_ok(arena_open("items", &memory))) {
        return 1;
    }
    if (world.rank == 0) {
        data = arena_text(memory, "%s/%d.journal", scratch_folder(), made++);
        size = strlen(data);
    }
    const status st = comm_share_bytes(&world, memory, &data, &size);
    folder = data;
    return status_ok(st) ? 0 : 1;
}

static int close_all(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

/* What a run is to be like. */
typedef struct attempt {
    int ranks;            /* 0: all */
    long after;           /* items until it stops; < 0: it does not */
    size_t task, n_tasks; /* 0, 0: no array */
    bool only_join;
    uint32_t study;       /* of a search */
    double limit;         /* seconds; 0: none */
} attempt;

/* How it went: the same on all ranks of the world, but for `st`, which is this rank's, or OK of a rank that took no part. */
typedef struct outcome {
    status st;
    int64_t computed, restored, missing; /* missing: the damaged ones too */
} outcome;

static double all_images(const comm *c, double mine)
{
    double sum = 0.0;
    assert_int_equal(MPI_Allreduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, c->mpi), MPI_SUCCESS);
    return sum;
}

/* Where it ends well the items are counted, unless others have to do the rest. */
static outcome run(made_items *m, attempt how)
{
    outcome out = {.st = STATUS_OK};
    comm c;
    const int size = how.ranks == 0 || how.ranks > world.size ? world.size : how.ranks;
    int64_t numbers[3] = {0};
    if (made_comm_open(&world, size, &c)) {
        arena *a;
        item_service s;
        assert_ok(arena_open("run", &a));
        made_service(&c, a, folder, &s);
        if (how.limit > 0.0) {
            stop_open(how.limit, s.stop);
        }
        s.stop->after = how.after;
        s.task = how.task;
        s.n_tasks = how.n_tasks == 0 ? 1 : how.n_tasks;
        s.only_join = how.only_join;
        s.study = how.study;
        out.st = made_items_run(&s, a, m);
        if (status_ok(out.st) && items_missing(&s) == 0 && (how.n_tasks <= 1 || m->needed)) {
            made_items_assert_complete(&c, m);
        }
        if (status_ok(out.st) && !s.only_join) { /* what a job computes and what is no work of it are together its share of all */
            const double share = (double)m->n / (double)s.n_tasks;
            assert_true(fabs(all_images(&c, m->images_skipped + (double)s.n_computed) - share) < 1e-6); /* thirds among them */
        }
        if (status_ok(out.st)) {
            assert_true(s.n_tasks > 1 || m->images_skipped == (double)s.n_restored);
            assert_int_equal(m->computed, s.n_computed);
            assert_int_equal(m->checked, s.n_restored);
        }
        numbers[0] = (int64_t)s.n_computed;
        numbers[1] = (int64_t)s.n_restored;
        numbers[2] = c.rank == 0 ? (int64_t)items_missing(&s) : 0;
        journal_close(&s.writer);
        arena_close(&a);
        made_comm_close(&c);
    }
    comm_sum_i64(&world, 3, numbers);
    out.computed = numbers[0];
    out.restored = numbers[1];
    out.missing = numbers[2];
    return out;
}

static made_items items_of(size_t n, size_t stretch)
{
    return (made_items){.n = n, .stretch = stretch, .fail_at = NO_ITEM, .changed_at = NO_ITEM, .needed = true};
}

/* Fails unless some rank brings `code` with this text and the others know of it. */
static void assert_one_fails(outcome o, status_code code, const char *text)
{
    const bool mine = o.st.code == code;
    if (mine) {
        assert_fails(o.st, code, text, NULL);
    } else if (!status_ok(o.st)) {
        assert_fails(o.st, ST_PEER, NULL);
    }
    assert_true(made_items_total(&world, mine) >= 1);
}

static void forget(void)
{
    assert_ok(comm_agree(&world, world.rank == 0 ? journal_remove(folder) : STATUS_OK));
}

static void every_item_is_taken_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 17, 600}, stretches[] = {1, 5, 16};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t k = 0; k < COUNT(stretches); k++) {
            made_items m = items_of(sizes[i], stretches[k]);
            outcome o = run(&m, (attempt){.after = -1});
            assert_ok(o.st);
            assert_int_equal(o.computed, sizes[i]);
            assert_int_equal(o.restored, 0);
            o = run(&m, (attempt){.after = -1, .ranks = 1 + (int)k}); /* all of it is noted */
            assert_ok(o.st);
            assert_int_equal(o.computed, 0);
            assert_int_equal(o.restored, sizes[i]);
            forget();
        }
    }
}

/* Without a journal. */
static void nothing_need_be_noted(void **state)
{
    (void)state;
    item_service s;
    made_items m = items_of(100, 4);
    made_service(&world, memory, NULL, &s);
    for (int turn = 0; turn < 3; turn++) {
        assert_ok(made_items_run(&s, memory, &m));
        made_items_assert_complete(&world, &m);
    }
}

/* Whenever it stops: what was computed is never computed again, and other numbers of ranks go on. */
static void what_was_stopped_goes_on(void **state)
{
    (void)state;
    static const size_t stretches[] = {1, 7};
    enum { N = 60 };
    for (long after = 0; after < 8; after++) {
        for (size_t k = 0; k < COUNT(stretches); k++) {
            made_items m = items_of(N, stretches[k]);
            int64_t computed = 0;
            int ranks = 1 + (int)(after % world.size), starts = 0;
            for (bool over = false; !over; starts++) {
                const outcome o = run(&m, (attempt){.ranks = ranks, .after = starts == 0 ? after : 1 + after});
                computed += o.computed;
                over = made_items_total(&world, !status_ok(o.st)) == 0;
                if (!over) {
                    assert_one_fails(o, ST_STOPPED, "run the same command again");
                    assert_true(starts == 0 || o.computed > 0);
                }
                ranks = 1 + ranks % world.size;
            }
            assert_int_equal(computed, N);
            assert_true(starts > N / (world.size * (1 + after)));
            forget();
        }
    }
}

/* However short the time: some progress with every start, an item of each rank at least that came for one. */
static void a_time_that_is_over_leaves_room_for_one_item(void **state)
{
    (void)state;
    made_items m = items_of(10, 1);
    int64_t computed = 0;
    m.slow_us = 100;
    for (bool over = false; !over;) {
        const outcome o = run(&m, (attempt){.after = -1, .limit = 1e-9});
        over = made_items_total(&world, !status_ok(o.st)) == 0;
        assert_true(o.computed > 0);
        computed += o.computed;
        if (!over) {
            assert_one_fails(o, ST_STOPPED, "are left of the job's time");
        }
    }
    assert_int_equal(computed, 10);
}

/* ---- damage ---- */

/* Each of the journal's files in turn, by rank 0; all wait. */
static void for_each_file(void (*change)(const char *path, unsigned char *data, size_t size, size_t number))
{
    if (world.rank == 0) {
        journal_index index;
        assert_ok(journal_scan(memory, folder, NULL, &index));
        for (size_t i = 0; i < index.n_files; i++) {
            size_t size;
            FILE *f = fopen(index.file[i], "r+b");
            assert_non_null(f);
            assert_int_equal(fseek(f, 0, SEEK_END), 0);
            size = (size_t)ftell(f);
            rewind(f);
            unsigned char *data = arena_alloc(memory, size, 1);
            assert_non_null(data);
            assert_int_equal(fread(data, 1, size, f), size);
            change(index.file[i], data, size, i);
            rewind(f);
            assert_int_equal(fwrite(data, 1, size, f), size);
            assert_int_equal(fclose(f), 0);
        }
    }
    assert_ok(comm_agree(&world, STATUS_OK));
}

static size_t n_flipped; /* payloads, on rank 0 */

/* One bit in every fifth payload: heads stay, so that the damage is seen only when it is read. */
static void flip_payloads(const char *path, unsigned char *data, size_t size, size_t number)
{
    (void)path;
    (void)number;
    for (size_t at = 128, i = 0; at + FRAME_BYTES < size; at += FRAME_BYTES + frame_padded(((const frame_head *)(data + at))->size), i++) {
        if (i % 5 == 0) {
            data[at + FRAME_BYTES + 3] ^= 0x10;
            n_flipped++;
        }
    }
}

static void a_damaged_payload_is_computed_again(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= world.size; ranks++) {
        made_items m = items_of(120, 3);
        assert_ok(run(&m, (attempt){.after = -1}).st);
        n_flipped = 0;
        for_each_file(flip_payloads);
        const int64_t flipped = made_items_total(&world, world.rank == 0 ? (int64_t)n_flipped : 0);
        assert_true(flipped >= 20);
        outcome o = run(&m, (attempt){.after = -1, .only_join = true, .ranks = ranks});
        assert_ok(o.st);
        assert_int_equal(o.missing, flipped);
        o = run(&m, (attempt){.after = -1, .ranks = ranks});
        assert_ok(o.st);
        assert_int_equal(o.computed, flipped);
        assert_int_equal(o.restored, 120 - flipped);
        o = run(&m, (attempt){.after = -1, .only_join = true, .ranks = ranks}); /* the new frames stand in for the damaged ones */
        assert_ok(o.st);
        forget();
    }
}

static void rubbish(const char *path, unsigned char *data, size_t size, size_t number)
{
    (void)path;
    for (uint32_t i = 0; i < 12; i++) {
        data[rng_u64(5, RNG_TEST, (uint32_t)number, i) % size] ^= (unsigned char)(1 + i);
    }
}

static void cut_and_remove(const char *path, unsigned char *data, size_t size, size_t number)
{
    (void)data;
    (void)size;
    if (number % 2 == 0) {
        assert_int_equal(unlink(path), 0);
    }
}

static void damage_anywhere_changes_nothing(void **state)
{
    (void)state;
    static void (*const changes[])(const char *, unsigned char *, size_t, size_t) = {rubbish, cut_and_remove};
    for (size_t k = 0; k < COUNT(changes); k++) {
        made_items m = items_of(200, 4);
        assert_ok(run(&m, (attempt){.after = -1}).st);
        for_each_file(changes[k]);
        const outcome o = run(&m, (attempt){.after = -1});
        assert_ok(o.st);
        assert_int_equal(o.computed + o.restored, 200);
        assert_true(o.computed > 0);
        forget();
    }
}

/* The same keys with payloads of another size, as of a stage that has changed: not taken for its own. */
static void payloads_of_another_size_are_not_taken(void **state)
{
    (void)state;
    made_items m = items_of(50, 2), wider = items_of(50, 2);
    wider.wide = 3;
    assert_ok(run(&m, (attempt){.after = -1}).st);
    outcome o = run(&wider, (attempt){.after = -1});
    assert_ok(o.st);
    assert_int_equal(o.computed, 50);
    for (int turn = 0; turn < 2; turn++) { /* both are there now */
        o = run(turn == 0 ? &m : &wider, (attempt){.after = -1});
        assert_ok(o.st);
        assert_int_equal(o.computed, 0);
    }
}

/* ---- failures ---- */

static void an_item_that_fails_ends_it_for_all(void **state)
{
    (void)state;
    static const long places[] = {0, 1, 30, 58, 59};
    for (size_t i = 0; i < COUNT(places); i++) {
        made_items m = items_of(60, 4);
        m.fail_at = places[i];
        m.slow_us = 50;
        outcome o = run(&m, (attempt){.after = -1});
        assert_one_fails(o, ST_DATA, "was told to fail");
        const int64_t kept = o.computed;
        m.fail_at = NO_ITEM;
        o = run(&m, (attempt){.after = -1});
        assert_ok(o.st);
        assert_int_equal(o.computed, 60 - kept);
        assert_int_equal(o.restored, kept);
        forget();
    }
}

/* While the rest still has to be computed, and with blocks of many items. */
static void an_input_that_has_changed_ends_it_for_all(void **state)
{
    (void)state;
    static const long places[] = {0, 1, 3, 100, 299};
    for (size_t i = 0; i < COUNT(places); i++) {
        made_items m = items_of(300, 16);
        assert_ok(run(&m, (attempt){.after = -1}).st);
        m.n = i % 2 == 0 ? 300 : 600; /* nothing is left to be computed, or half of it */
        m.changed_at = places[i];
        outcome o = run(&m, (attempt){.after = -1});
        assert_one_fails(o, ST_DATA, "was changed");
        m.changed_at = NO_ITEM;
        o = run(&m, (attempt){.after = -1});
        assert_ok(o.st);
        assert_int_equal(o.computed + o.restored, m.n);
        forget();
    }
}

/* The journal of one rank cannot be written. */
static void a_rank_that_cannot_note_ends_it_for_all(void **state)
{
    (void)state;
    for (int bad = 0; bad < world.size; bad++) {
        arena *a;
        item_service s;
        made_items m = items_of(600, 1);
        m.slow_us = world.rank == bad ? 0 : 3000; /* it comes for an item in time */
        assert_ok(arena_open("run", &a));
        made_service(&world, a, folder, &s);
        if (world.rank == bad) {
            assert_ok(journal_open(a, "/dev/null/folder", "x", "made\n", &s.writer));
        }
        const status st = made_items_run(&s, a, &m);
        assert_one_fails((outcome){.st = st}, ST_CANT_WRITE, "/dev/null/folder");
        arena_close(&a);
        forget();
    }
}

/* ---- arrays ---- */

static void jobs_of_an_array_share_the_work(void **state)
{
    (void)state;
    static const size_t jobs[] = {1, 2, 5}, stretches[] = {1, 4};
    enum { N = 83 };
    for (size_t k = 0; k < COUNT(jobs); k++) {
        for (size_t l = 0; l < COUNT(stretches); l++) {
            made_items m = items_of(N, stretches[l]);
            int64_t computed = 0, missing = N;
            m.needed = false;
            for (size_t task = 0; task < jobs[k]; task++) {
                outcome o = run(&m, (attempt){.after = 1, .task = task, .n_tasks = jobs[k], .ranks = 1 + (int)task % world.size});
                int64_t share = o.computed;
                assert_one_fails(o, ST_STOPPED, "again");
                o = run(&m, (attempt){.after = -1, .task = task, .n_tasks = jobs[k], .ranks = 1 + (int)(task + 1) % world.size});
                assert_ok(o.st);
                share += o.computed;
                missing -= share;
                computed += share;
                assert_int_equal(o.missing, jobs[k] > 1 ? missing : 0);
                assert_in_range(share, N / jobs[k] - stretches[l], N / jobs[k] + stretches[l]);
                o = run(&m, (attempt){.after = -1, .only_join = true});
                assert_ok(o.st);
                assert_int_equal(o.missing, missing);
                assert_int_equal(o.restored, N - missing);
            }
            assert_int_equal(computed, N);
            forget();
        }
    }
}

/* What a stage needs whole is computed by whoever comes first, its own share before the others'. */
static void a_job_that_is_alone_does_what_it_needs(void **state)
{
    (void)state;
    made_items m = items_of(90, 4);
    outcome o = run(&m, (attempt){.after = -1, .task = 3, .n_tasks = 5});
    assert_ok(o.st);
    assert_int_equal(o.computed, 90);
    o = run(&m, (attempt){.after = -1, .task = 0, .n_tasks = 5, .ranks = 1});
    assert_ok(o.st);
    assert_int_equal(o.computed, 0);
    assert_int_equal(o.restored, 90);
}

static void joining_computes_nothing(void **state)
{
    (void)state;
    made_items m = items_of(40, 1);
    outcome o = run(&m, (attempt){.after = -1, .only_join = true});
    assert_ok(o.st);
    assert_int_equal(o.missing, 40);
    assert_int_equal(o.computed, 0);
    o = run(&m, (attempt){.after = -1, .only_join = true, .study = 2});
    assert_one_fails(o, ST_NO_INPUT, "of a search missing are 40 of 40 items (and 0 damaged)");
    m.n = 0;
    o = run(&m, (attempt){.after = -1, .only_join = true});
    assert_ok(o.st);
}

/* Several lists of several kinds, and what is said of all of them. */
static void what_is_missing_is_told_by_kind(void **state)
{
    (void)state;
    const char *text = NULL;
    item_service s = {.study = 0};
    assert_int_equal(items_missing(&s), 0);
    assert_ok(items_missing_text(memory, &s, &text));
    assert_string_equal(text, "");
    s.shortfall[ITEM_ROWS] = (item_shortfall){.of = 40};
    s.shortfall[ITEM_PRUNED] = (item_shortfall){.of = 95, .missing = 12, .damaged = 2};
    s.shortfall[ITEM_HEATMAPS] = (item_shortfall){.of = 30, .missing = 30};
    assert_int_equal(items_missing(&s), 44);
    assert_ok(items_missing_text(memory, &s, &text));
    assert_string_equal(text, "12 of 95 pruned networks x runs (and 2 damaged), 30 of 30 blocks of heatmaps");
    assert_string_equal(item_kind_name(ITEM_STUDY + ITEM_WHOLE), item_kind_name(ITEM_WHOLE));
    for (uint32_t k = 1; k < ITEM_KINDS; k++) {
        assert_string_not_equal(item_kind_name(k), "items");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_item_is_taken_once, open_all, close_all),
        cmocka_unit_test_setup_teardown(nothing_need_be_noted, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_was_stopped_goes_on, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_time_that_is_over_leaves_room_for_one_item, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_damaged_payload_is_computed_again, open_all, close_all),
        cmocka_unit_test_setup_teardown(damage_anywhere_changes_nothing, open_all, close_all),
        cmocka_unit_test_setup_teardown(payloads_of_another_size_are_not_taken, open_all, close_all),
        cmocka_unit_test_setup_teardown(an_item_that_fails_ends_it_for_all, open_all, close_all),
        cmocka_unit_test_setup_teardown(an_input_that_has_changed_ends_it_for_all, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_rank_that_cannot_note_ends_it_for_all, open_all, close_all),
        cmocka_unit_test_setup_teardown(jobs_of_an_array_share_the_work, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_job_that_is_alone_does_what_it_needs, open_all, close_all),
        cmocka_unit_test_setup_teardown(joining_computes_nothing, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_is_missing_is_told_by_kind, open_all, close_all),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
