/* Words of the command line about resuming, when to stop, and what a journal says to who looks on. */
#include "support/support.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/count.h"
#include "pipeline/duration.h"
#include "pipeline/resume.h"
#include "pipeline/status.h"
#include "stages/counters.h"
#include "stages/curve_notes.h"
#include "stages/item_keys.h"

static void shares_of_an_array(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "/", "1", "1/", "/2", "0/2", "3/2", "1/0", "-1/2", "1/-2", "1/2x", " 1/2", "1 /2", "1/ 2", "+1/2", "1/1000001",
                                        "1/99999999999999999999", "99999999999999999999/2", "1.0/2"};
    size_t task = 9, n = 9;
    assert_ok(resume_array("1/1", &task, &n));
    assert_true(task == 0 && n == 1);
    assert_ok(resume_array("17/20", &task, &n));
    assert_true(task == 16 && n == 20);
    assert_ok(resume_array("1000000/1000000", &task, &n));
    assert_true(task == 999999 && n == 1000000);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_fails(resume_array(wrong[i], &task, &n), ST_USAGE, "--array", "I/N", NULL);
    }
}

static void numbers_are_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0", "-1", "+1", " 1", "1 ", "1x", "1,2", "x", "65", "4294967297", "18446744073709551617", "99999999999999999999999"};
    const char *behind = NULL;
    size_t n = 7;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_fails(count_read("--nodes", wrong[i], 64, &n), ST_USAGE, "--nodes: ", "1 to 64", wrong[i], NULL);
        assert_int_equal(n, 7);
    }
    assert_ok(count_read("--nodes", "64", 64, &n));
    assert_int_equal(n, 64);
    assert_true(count_at("12,345", 64, &n, &behind));
    assert_int_equal(n, 12);
    assert_string_equal(behind, ",345");
}

static void durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"1", 1}, {"90", 90}, {"90s", 90}, {"45m", 2700}, {"1h30m", 5400}, {"1h30", -1}, {"1d", 86400}, {"1d2h3m4s", 93784}, {"0.5h", 1800}, {"12:34", 754},
                {"12:00:00", 43200}, {"1:00:00", 3600}};
    static const char *const wrong[] = {"", "0", "x", "1x", "-5", "1m1h", "1h1h", "1:2:3:4", "1:", ":1", "nan", "inf", "1e99", "99999999999", "h", "1 h", "0:00"};
    double seconds = 0.0;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (good[i].seconds < 0.0) {
            assert_fails(duration_read("--time-limit", good[i].text, &seconds), ST_USAGE, "--time-limit: ", good[i].text, NULL);
            continue;
        }
        assert_ok(duration_read("--time", good[i].text, &seconds));
        assert_true(seconds == good[i].seconds);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_fails(duration_read("--time", wrong[i], &seconds), ST_USAGE, "--time: ", "duration", NULL);
    }
}

static void durations_are_written(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0:00"}, {-3, "0:00"}, {59.4, "0:59"}, {59.6, "1:00"}, {3599, "59:59"}, {3600, "1:00:00"}, {86400, "24:00:00"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        duration_text(text, sizeof text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void time_runs_out(void **state)
{
    (void)state;
    stop s;
    assert_int_equal(unsetenv("SLURM_JOB_END_TIME"), 0);
    stop_open(0.0, &s);
    stop_note(&s, 1e9);
    assert_ok(stop_check(&s)); /* nobody has said when */
    stop_open(100.0, &s);
    assert_ok(stop_check(&s));
    stop_note(&s, 49.0); /* twice that is left */
    assert_ok(stop_check(&s));
    stop_note(&s, 51.0);
    assert_fails(stop_check(&s), ST_STOPPED, "51.0 s", "same command", NULL);
    stop_note(&s, 1.0); /* the slowest counts */
    assert_fails(stop_check(&s), ST_STOPPED, "51.0 s", NULL);
    s = (stop){.end = 1.0, .unheeded = true, .after = -1}; /* long ago: some progress all the same */
    assert_ok(stop_check(&s));
    stop_note(&s, 0.001);
    assert_fails(stop_check(&s), ST_STOPPED, "time", "up to 0.001 s", NULL);
}

static void slurm_says_when(void **state)
{
    (void)state;
    static const char *const nonsense[] = {"", "x", "12", "-5", "nan", "99999999999x", "inf x"};
    stop s;
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)time(NULL) + 100);
    assert_int_equal(setenv("SLURM_JOB_END_TIME", text, 1), 0);
    stop_open(0.0, &s);
    assert_true(fabs(s.end - (double)time(NULL) - 100.0) < 30.0);
    stop_open(1000.0, &s); /* what the user says goes first */
    assert_true(fabs(s.end - (double)time(NULL) - 1000.0) < 30.0);
    for (size_t i = 0; i < COUNT(nonsense); i++) {
        assert_int_equal(setenv("SLURM_JOB_END_TIME", nonsense[i], 1), 0);
        stop_open(0.0, &s);
        assert_true(s.end == 0.0);
    }
    assert_int_equal(unsetenv("SLURM_JOB_END_TIME"), 0);
}

static void items_are_counted_down(void **state)
{
    (void)state;
    stop s = {.after = 2};
    for (size_t i = 0; i < 2; i++) {
        assert_ok(stop_check(&s));
        stop_note(&s, 1.0);
    }
    assert_fails(stop_check(&s), ST_STOPPED, "request", "same command", NULL);
}

static void a_signal_stops(void **state)
{
    (void)state;
    stop s = {.after = -1};
    stop_listen();
    assert_false(stop_asked());
    assert_int_equal(raise(SIGUSR2), 0);
    assert_true(stop_asked());
    assert_fails(stop_check(&s), ST_STOPPED, "signal", "same command", NULL);
}

/* ---- status ---- */

enum { CLASSES = 3, RATES = 3, SEEDS = 2, SAMPLES = 10, RUNS = 2 };

static arena *memory;
static const char *folder;
static journal_writer *writer;

static void note(uint32_t stage, uint32_t part, uint32_t index, uint8_t content, double seconds, const void *data, size_t size)
{
    const journal_key key = {stage, 0, part, index, {content}};
    assert_ok(journal_append(writer, &key, seconds, data, size));
}

/* Counters of which the first of each prediction is the right answers. */
static void note_counts(uint32_t stage, uint32_t index, uint8_t content, int64_t restricted, int64_t masked)
{
    int64_t counters[64] = {0};
    counters[0] = restricted;
    counters[CLASSES + 2] = masked;
    note(stage, 0, index, content, 2.0, counters, sizeof counters);
}

static void note_run(double started, uint32_t ranks)
{
    static const char texts[] = "net\0filters\0" "3\0lrp\0" "5\0net\0filters\0" "3\0lrp\0" "5";
    const double rates[RATES] = {0.0, 0.25, 0.5};
    run_note n = {.layout = RUN_NOTE_LAYOUT, .ranks = ranks, .n_tasks = 1, .started = started, .rows = 7, .whole = 1, .pruned = 99, .prediction = 1,
                  .n_rates = RATES, .n_cells = SEEDS, .n_models = 1, .text = sizeof texts};
    unsigned char data[sizeof n + sizeof rates + sizeof texts];
    (void)snprintf(n.study, sizeof n.study, "made");
    memcpy(data, &n, sizeof n);
    memcpy(data + sizeof n, rates, sizeof rates);
    memcpy(data + sizeof n + sizeof rates, texts, sizeof texts);
    note(ITEM_RUN, 0, 0, (uint8_t)ranks, 0.0, data, sizeof data);
}

/* Both seeds share the unpruned network and the mask 1 of rate 0.25; each has a mask of its own at 0.5. */
static void note_curves(void)
{
    curve_note n[SEEDS * RATES];
    for (uint32_t i = 0; i < SEEDS * RATES; i++) {
        const uint32_t rate = i / SEEDS, cell = i % SEEDS;
        n[i] = (curve_note){.digest = {(uint8_t)(rate == 2 ? 2 + cell : rate)}, .items = rate == 0 ? 1 : RUNS, .cell = cell, .rate = rate, .n_classes = CLASSES,
                            .whole = rate == 0, .payload = 64 * sizeof(int64_t), .samples = SAMPLES};
    }
    note(ITEM_CURVES, 0, 0, 0, 0.0, n, sizeof n);
}

static int open_journal(void **state)
{
    (void)state;
    static int made;
    if (!status_ok(arena_open("test", &memory))) {
        return 1;
    }
    folder = arena_text(memory, "%s/%d.journal", scratch_folder(), made++);
    return status_ok(journal_open(memory, folder, "run", "made for a test", &writer)) ? 0 : 1;
}

static int close_journal(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static status read_status(status_report *r)
{
    journal_index index;
    TRY(journal_scan(memory, folder, NULL, &index));
    return status_read(memory, &index, (double)time(NULL), r);
}

static void status_counts_and_averages(void **state)
{
    (void)state;
    status_report r;
    note_run(100.0, 2);
    note_run(50.0, 9); /* an earlier one that is found later */
    assert_ok(read_status(&r));
    assert_int_equal(r.kind[STATUS_PRUNED].of, 99);
    assert_true(r.kind[STATUS_PRUNED].at_most);
    note_curves();
    note(ITEM_ROWS, 0, 3, 0, 1.5, "rows", 4);
    note(ITEM_ROWS, 0, 3, 0, 1.5, "rows", 4); /* twice, as two jobs may have computed it */
    note_counts(ITEM_WHOLE, 0, 0, 9, 8);
    for (uint32_t run = 0; run < RUNS; run++) {
        note_counts(ITEM_PRUNED, run, 1, 0, 3);
    }
    note_counts(ITEM_PRUNED, 0, 2, 0, 1); /* half of a point */
    for (uint32_t run = 0; run < RUNS; run++) {
        note_counts(ITEM_PRUNED, run, 3, 0, 2);
    }
    assert_ok(read_status(&r));
    assert_true(r.n_runs == 2 && r.last.ranks == 2 && r.last.started == 100.0 && r.running && r.active == 1);
    assert_string_equal(r.last.study, "made");
    assert_true(r.kind[STATUS_ROWS].done == 1 && r.kind[STATUS_ROWS].of == 7 && r.kind[STATUS_ROWS].seconds == 1.5);
    assert_true(r.kind[STATUS_WHOLE].done == 1 && r.kind[STATUS_WHOLE].of == 1);
    assert_true(r.kind[STATUS_PRUNED].done == 5 && r.kind[STATUS_PRUNED].of == 3 * RUNS && !r.kind[STATUS_PRUNED].at_most);
    assert_true(r.kind[STATUS_PRUNED].seconds == 10.0 && r.kind[STATUS_PRUNED].slowest == 2.0);
    assert_int_equal(r.n_curves, 1); /* of two seeds */
    const status_curve *c = &r.curve[0];
    assert_string_equal(c->field[3], "lrp");
    assert_int_equal(c->n_seeds, SEEDS);
    assert_true(c->complete[0] == 2 && c->complete[1] == 2 && c->complete[2] == 1);
    assert_true(fabs(c->sum[0] - 2 * 0.8) < 1e-12 && fabs(c->sum[1] - 2 * 0.6) < 1e-12 && fabs(c->sum[2] - 0.4) < 1e-12);
    status_print(stderr, "made.h5", &r, (double)time(NULL));
}

/* Some of the last bytes of a frame that was appended are lost, as when its writer is killed; not those that only fill it up. */
static void damage_last(void)
{
    journal_index index;
    struct stat info;
    assert_ok(journal_sync(writer));
    assert_ok(journal_scan(memory, folder, NULL, &index));
    assert_int_equal(stat(index.file[0], &info), 0);
    const int fd = open(index.file[0], O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, "\xff\xff\xff", 3, info.st_size - 72) == 3 && close(fd) == 0);
}

static void damaged_notes_are_passed_over(void **state)
{
    (void)state;
    status_report r;
    note_run(50.0, 9);
    note_run(100.0, 2);
    damage_last();
    assert_ok(read_status(&r));
    assert_true(r.last.ranks == 9 && r.last.started == 50.0);
    note_curves();
    damage_last();
    assert_ok(read_status(&r));
    assert_true(r.kind[STATUS_PRUNED].at_most && r.kind[STATUS_PRUNED].of == 99);
}

static void status_of_heatmaps(void **state)
{
    (void)state;
    status_report r;
    note_run(100.0, 2);
    note(ITEM_HEATMAPS, 0, 3, 0, 1.5, "maps", 4);
    assert_ok(read_status(&r));
    assert_true(r.heatmaps.done == 1 && r.heatmaps.seconds == 1.5 && r.search.done == 0);
}

/* How many items heatmaps or a search have is not known, so shares of such a study are never said to be all, also before the first of them. */
static void shares_are_done_where_all_is_known(void **state)
{
    (void)state;
    status_report r = {.last = {.n_tasks = 2}};
    for (size_t k = 0; k < STATUS_KINDS; k++) {
        r.kind[k].done = r.kind[k].of = 3;
    }
    assert_true(status_shares_done(&r));
    r.last.more = 1;
    assert_false(status_shares_done(&r));
    r.last.more = 0;
    r.kind[STATUS_KINDS - 1].done = 2;
    assert_false(status_shares_done(&r));
}

static void status_of_nothing(void **state)
{
    (void)state;
    status_report r;
    assert_fails(read_status(&r), ST_NO_INPUT, "no run", NULL);
    note(ITEM_ROWS, 0, 3, 0, 1.5, "rows", 4);
    assert_fails(read_status(&r), ST_NO_INPUT, "no run", NULL);
}

/* Notes of every length, and with every number too large: refused, never read past their end. */
static void hostile_notes_are_refused(void **state)
{
    (void)state;
    status_report r;
    journal_index index;
    note_run(100.0, 2);
    note_curves();
    assert_ok(journal_scan(memory, folder, NULL, &index));
    for (size_t i = 0; i < index.n; i++) {
        const size_t size = (size_t)index.entry[i].size;
        unsigned char *good = arena_alloc(memory, size, 1), *bad = arena_alloc(memory, size, 1);
        assert_true(good != NULL && bad != NULL && journal_load(&index, &index.entry[i].key, good, size));
        const uint32_t stage = index.entry[i].key.stage;
        for (size_t at = 0; at < size; at += 4) {
            memcpy(bad, good, size);
            memset(bad + at, 0xff, size - at < 4 ? size - at : 4);
            folder = arena_text(memory, "%s/hostile-%zu-%zu.journal", scratch_folder(), i, at);
            assert_ok(journal_open(memory, folder, "run", "made for a test", &writer));
            if (stage == ITEM_RUN) {
                note(ITEM_RUN, 0, 0, 0, 0.0, bad, at % 8 == 0 ? at : size);
                note_curves();
            } else {
                note_run(100.0, 2);
                note(ITEM_CURVES, 0, 0, 0, 0.0, bad, at % 8 == 0 ? at : size);
            }
            const status st = read_status(&r);
            assert_true(st.code == ST_OK || st.code == ST_DATA || st.code == ST_NO_INPUT);
            status_clear();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_an_array),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(durations_are_written),
        cmocka_unit_test(time_runs_out),
        cmocka_unit_test(slurm_says_when),
        cmocka_unit_test(items_are_counted_down),
        cmocka_unit_test_setup_teardown(status_counts_and_averages, open_journal, close_journal),
        cmocka_unit_test_setup_teardown(damaged_notes_are_passed_over, open_journal, close_journal),
        cmocka_unit_test_setup_teardown(status_of_heatmaps, open_journal, close_journal),
        cmocka_unit_test(shares_are_done_where_all_is_known),
        cmocka_unit_test_setup_teardown(status_of_nothing, open_journal, close_journal),
        cmocka_unit_test_setup_teardown(hostile_notes_are_refused, open_journal, close_journal),
        cmocka_unit_test(a_signal_stops), /* the last: it stays asked */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
