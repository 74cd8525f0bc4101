/* Reading ahead: the same micro-batches, marks and failures on any number of threads; a bounded ring; an end at any moment. */
#include "support/support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stages/batch_source.h"

enum { MICRO_BATCH = 4, PICTURES = 21 }; /* six micro-batches, the last of one picture */

static arena *memory, *scratch;
static double waited;
static const preprocess small = {.output = {16, 16}, .mean = {0.5f, 0.25f, 0.0f}, .std = {0.5f, 0.5f, 1.0f}},
                        large = {.resize = {11, 13}, .output = {11, 13}, .mean = {0.0f, 0.5f, 0.25f}, .std = {1.0f, 0.5f, 0.25f}};

static void *get(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &memory)) && status_ok(arena_open("scratch", &scratch)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&scratch);
    arena_close(&memory);
    return 0;
}

static void copy(const char *from, const char *to)
{
    file_bytes bytes;
    assert_ok(file_read(memory, from, 1 << 20, &bytes));
    FILE *f = fopen(to, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, f), bytes.size);
    assert_int_equal(fclose(f), 0);
}

/* Pictures in a folder of their own, so that they can be spoilt. */
static const dataset *pictures(const char *folder)
{
    dataset *from, *out;
    const char *root = arena_text(memory, "%s/%s", scratch_folder(), folder);
    assert_ok(dataset_open(memory, source_path("examples/digits/data/train"), &from));
    assert_true(from->n_samples >= PICTURES);
    assert_true(mkdir(root, 0777) == 0 && mkdir(arena_text(memory, "%s/only", root), 0777) == 0);
    for (size_t i = 0; i < PICTURES; i++) {
        copy(path_join(memory, from->root, from->path[i]), arena_text(memory, "%s/only/%03zu.png", root, i));
    }
    assert_ok(dataset_open(memory, root, &out));
    assert_int_equal(out->n_samples, PICTURES);
    return out;
}

static const char *path_of(const dataset *d, size_t sample)
{
    return path_join(memory, d->root, d->path[sample]);
}

/* The first n samples of a data set. */
static sample_list first_samples(size_t n)
{
    size_t *sample = get(n, sizeof *sample);
    for (size_t i = 0; i < n; i++) {
        sample[i] = i;
    }
    return (sample_list){n, sample};
}

/* Micro-batches first, first + step, ... below `end` of a list. */
typedef struct batch_run {
    const sample_list *list;
    const preprocess *recipe;
    size_t first, step, end;
} batch_run;

static batch_setup setup_of(const dataset *d, size_t threads, size_t ahead)
{
    file_mark *mark = get(d->n_samples, sizeof *mark);
    return (batch_setup){.data = d, .micro_batch = MICRO_BATCH, .image_size = 3 * 16 * 16, .most_asked = 16, .threads = threads, .ahead = ahead,
                         .mark = mark, .waited = &waited};
}

static void ask(batch_source *s, size_t n_runs, const batch_run run[])
{
    for (size_t r = 0; r < n_runs; r++) {
        for (size_t i = run[r].first; i < run[r].end; i += run[r].step) {
            batch_source_ask(s, run[r].list, run[r].recipe, i);
        }
    }
}

static batch empty_batch(void)
{
    return (batch){.images = get((size_t)MICRO_BATCH * 3 * 16 * 16, sizeof(float))};
}

/* One micro-batch as batch_read() gives it. */
static void assert_batch(const dataset *d, const batch_run *run, size_t index, const batch *got, file_mark *mark)
{
    batch expected = empty_batch();
    assert_ok(batch_read(scratch, d, run->list, index, MICRO_BATCH, run->recipe, mark, &expected));
    assert_int_equal(got->n, expected.n);
    assert_ptr_equal(got->sample, expected.sample);
    assert_memory_equal(got->images, expected.images, MICRO_BATCH * batch_image_size(run->recipe) * sizeof(float));
}

static const size_t thread_counts[] = {0, 1, 3}, ring_sizes[] = {1, 2, 5};

static void all_batches_come_in_order(void **state)
{
    (void)state;
    const dataset *d = pictures("order");
    const sample_list all = first_samples(PICTURES), few = first_samples(6);
    const batch_run run[] = {{&all, &small, 6, 1, 6}, {&all, &small, 1, 2, 6}, {&few, &large, 3, 1, 2}, {&few, &large, 0, 1, 2}, {&all, &small, 5, 7, 6}};
    for (size_t t = 0; t < COUNT(thread_counts) * COUNT(ring_sizes); t++) {
        batch_setup setup = setup_of(d, thread_counts[t / COUNT(ring_sizes)], ring_sizes[t % COUNT(ring_sizes)]);
        file_mark *mark = get(d->n_samples, sizeof *mark);
        batch_source *s;
        batch got = empty_batch();
        waited = 0.0;
        assert_ok(batch_source_open(&setup, &s));
        ask(s, COUNT(run), run);
        for (size_t r = 0; r < COUNT(run); r++) {
            for (size_t i = run[r].first; i < run[r].end; i += run[r].step) {
                assert_ok(batch_source_take(s, &got));
                assert_batch(d, &run[r], i, &got, mark);
            }
        }
        batch_source_close(&s);
        assert_null(s);
        assert_memory_equal(setup.mark, mark, d->n_samples * sizeof *mark);
        assert_true(waited > 0.0);
    }
}

/* One is asked for while others are read, are there, or are taken. */
static void asking_goes_on_while_batches_are_taken(void **state)
{
    (void)state;
    const dataset *d = pictures("asked");
    const sample_list all = first_samples(PICTURES);
    const batch_run run = {&all, &small, 0, 1, 6};
    for (size_t t = 0; t < COUNT(thread_counts) * COUNT(ring_sizes); t++) {
        batch_setup setup = setup_of(d, thread_counts[t / COUNT(ring_sizes)], ring_sizes[t % COUNT(ring_sizes)]);
        batch_source *s;
        batch got = empty_batch();
        setup.most_asked = 3;
        assert_ok(batch_source_open(&setup, &s));
        for (size_t asked = 0, i = 0; i < 40; i++) {
            while (asked < i + 1 + i % 3) {
                batch_source_ask(s, run.list, run.recipe, 5 * asked++ % 6);
            }
            assert_ok(batch_source_take(s, &got));
            assert_batch(d, &run, 5 * i % 6, &got, setup.mark);
        }
        batch_source_close(&s);
    }
}

/* What is not there, not an image, or cut off. */
static void spoil(const char *path, size_t how)
{
    FILE *f;
    assert_int_equal(unlink(path), 0);
    if (how == 1) {
        f = fopen(path, "wb");
        assert_non_null(f);
        assert_true(fputs("no picture", f) >= 0 && fclose(f) == 0);
    } else if (how == 2) {
        copy(source_path("tests/e2e/images/half.png"), path);
    }
}

static void the_first_bad_picture_fails_its_own_batch(void **state)
{
    (void)state;
    static const status_code codes[] = {ST_NO_INPUT, ST_DATA, ST_DATA};
    const sample_list all = first_samples(PICTURES);
    const batch_run run[] = {{&all, &small, 0, 1, 6}};
    for (size_t how = 0; how < COUNT(codes); how++) {
        const dataset *d = pictures(arena_text(memory, "bad-%zu", how));
        spoil(path_of(d, 10), how); /* in micro-batch 2 */
        spoil(path_of(d, 11), 1);
        spoil(path_of(d, 12), 0); /* and one more in the next, which nobody comes to */
        for (size_t t = 0; t < COUNT(thread_counts) * COUNT(ring_sizes); t++) {
            for (size_t round = 0; round < 10; round++) {
                batch_setup setup = setup_of(d, thread_counts[t / COUNT(ring_sizes)], ring_sizes[t % COUNT(ring_sizes)]);
                batch_source *s;
                batch got = empty_batch();
                assert_ok(batch_source_open(&setup, &s));
                ask(s, 1, run);
                for (size_t i = 0; i < 2; i++) {
                    assert_ok(batch_source_take(s, &got));
                }
                assert_fails(batch_source_take(s, &got), codes[how], "010.png", NULL);
                assert_fails(batch_source_take(s, &got), codes[how], "010.png", NULL);
                assert_int_equal(setup.mark[12].bytes, 0); /* never taken */
                batch_source_close(&s);
            }
        }
    }
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&t, NULL);
}

/* The ring fills without anybody taking, and no further. */
static void reading_goes_ahead_and_stays_within_the_ring(void **state)
{
    (void)state;
    const sample_list all = first_samples(PICTURES);
    const batch_run run[] = {{&all, &small, 0, 1, 6}};
    for (size_t threads = 1; threads <= 3; threads += 2) {
        const dataset *d = pictures(arena_text(memory, "ahead-%zu", threads));
        batch_setup setup = setup_of(d, threads, 2);
        batch_source *s;
        batch got = empty_batch();
        assert_ok(batch_source_open(&setup, &s));
        ask(s, 1, run);
        for (size_t ms = 0; batch_source_ready(s) < 2; ms++) {
            assert_true(ms < 60000);
            pause_ms(1);
        }
        pause_ms(50); /* time enough to go too far */
        for (size_t i = 0; i < PICTURES; i++) {
            assert_int_equal(unlink(path_of(d, i)), 0);
        }
        assert_int_equal(batch_source_ready(s), 2);
        assert_ok(batch_source_take(s, &got)); /* read while they were there */
        assert_ok(batch_source_take(s, &got));
        assert_int_equal(got.sample[0], 4);
        assert_fails(batch_source_take(s, &got), ST_NO_INPUT, "008.png", NULL);
        batch_source_close(&s);
    }
}

/* Early exits: before anything is ready, in the middle, and where there is nothing to take. */
static void a_source_can_be_closed_at_any_moment(void **state)
{
    (void)state;
    const dataset *d = pictures("close");
    const sample_list all = first_samples(PICTURES);
    const batch_run run[] = {{&all, &small, 0, 1, 6}};
    batch got = empty_batch();
    for (size_t round = 0; round < 60; round++) {
        batch_setup setup = setup_of(d, round % 4, 1 + round % 3);
        batch_source *s;
        assert_ok(batch_source_open(&setup, &s));
        ask(s, 1, run);
        for (size_t i = 0; i < round % 7 && i < 6; i++) {
            assert_ok(batch_source_take(s, &got));
        }
        batch_source_close(&s);
        batch_source_close(&s);
        assert_ok(batch_source_open(&setup, &s)); /* and where nothing was asked for */
        batch_source_close(&s);
    }
}

static pthread_t main_thread;
static volatile sig_atomic_t on_main, elsewhere;

static void note_thread(int signal_)
{
    (void)signal_;
    if (pthread_equal(pthread_self(), main_thread)) {
        on_main++;
    } else {
        elsewhere++;
    }
}

static void signals_are_the_callers(void **state)
{
    (void)state;
    enum { SIGNALS = 200 };
    const dataset *d = pictures("signals");
    const sample_list all = first_samples(PICTURES);
    const batch_run run[] = {{&all, &small, 0, 1, 6}};
    batch_setup setup = setup_of(d, 3, 2);
    const struct sigaction note = {.sa_handler = note_thread};
    struct sigaction before;
    sigset_t usr1, mask;
    batch_source *s;
    main_thread = pthread_self();
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    assert_int_equal(sigaction(SIGUSR1, &note, &before), 0);
    assert_ok(batch_source_open(&setup, &s));
    ask(s, 1, run);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGUSR1), 0); /* opening has put the caller's mask back */
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0); /* a thread that takes it would be chosen now */
    for (int i = 0; i < SIGNALS; i++) {
        assert_int_equal(kill(getpid(), SIGUSR1), 0);
    }
    pause_ms(20);
    assert_int_equal(on_main + elsewhere, 0);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
    assert_int_equal(on_main, 1); /* pending ones are one */
    batch_source_close(&s);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

static void the_bytes_are_told(void **state)
{
    (void)state;
    const size_t one = batch_source_bytes(16, 3 * 224 * 224, 1, 1), two = batch_source_bytes(16, 3 * 224 * 224, 1, 2);
    assert_int_equal(batch_source_bytes(16, 3 * 224 * 224, 0, 2), 0);
    assert_true(two - one >= (size_t)16 * 3 * 224 * 224 * 4 && two - one < (size_t)16 * 3 * 224 * 224 * 4 + 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_batches_come_in_order),
        cmocka_unit_test(asking_goes_on_while_batches_are_taken),
        cmocka_unit_test(the_first_bad_picture_fails_its_own_batch),
        cmocka_unit_test(reading_goes_ahead_and_stays_within_the_ring),
        cmocka_unit_test(a_source_can_be_closed_at_any_moment),
        cmocka_unit_test(signals_are_the_callers),
        cmocka_unit_test(the_bytes_are_told),
    };
    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
