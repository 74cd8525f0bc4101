/* A journal's folder and who writes into it: other identities, files that are none, disks that are full, processes that are killed. */
#include "unit/journal_sample.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static const char *in(const char *folder, const char *name)
{
    const char *path = path_join(memory, folder, name);
    assert_non_null(path);
    return path;
}

/* ---- identity ---- */

static void another_identity_is_told_by_its_first_line(void **state)
{
    (void)state;
    static const struct {
        const char *was, *is, *says;
    } cases[] = {
        {"a\nb: 1\nc\n", "a\nb: 2\nd\n", "it was 'b: 1', it is now 'b: 2'"},
        {"a\nb: 1\n", "a\nb: 12\n", "it was 'b: 1', it is now 'b: 12'"},
        {"x\n", "y\n", "it was 'x', it is now 'y'"},
        {"a\nb\n", "a\n", "it was 'b', it is now ''"},
        {"a\n", "a\nb\n", "it was '', it is now 'b'"},
        {"a\n\nb", "a\nb", "it was '', it is now 'b'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *folder = made_journal_folder(memory), *found;
        journal_index index;
        made_journal(memory, folder, "a", cases[i].was, FEW, few);
        assert_fails(journal_scan(memory, folder, cases[i].is, &index), ST_CONFIG, folder, cases[i].says, "-o", "--fresh", NULL);
        assert_ok(journal_scan(memory, folder, cases[i].was, &index));
        assert_int_equal(index.n, FEW);
        assert_ok(journal_scan(memory, folder, NULL, &index)); /* whatever it is */
        assert_int_equal(index.n, FEW);
        assert_ok(journal_identity(memory, folder, &found));
        assert_string_equal(found, cases[i].was);
    }
}

static void one_file_of_another_run_is_enough(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    journal_index index;
    made_journal(memory, folder, "a", identity, FEW, few);
    made_journal(memory, folder, "b", "pollard 1.0\nrate: 0.25\n", FEW, few);
    assert_fails(journal_scan(memory, folder, identity, &index), ST_CONFIG, "it was 'rate: 0.25', it is now 'rate: 0.5'", NULL);
}

/* Longer lines than a message holds are cut. */
static void a_line_without_end_is_cut(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    char *was = arena_alloc(memory, 100001, 1), *is = arena_alloc(memory, 100001, 1);
    journal_index index;
    assert_non_null(was);
    assert_non_null(is);
    memset(was, 'w', 100000);
    memset(is, 'i', 100000);
    made_journal(memory, folder, "a", was, FEW, few);
    assert_fails(journal_scan(memory, folder, is, &index), ST_CONFIG, "it was 'wwww", "it is now 'iiii", "--fresh", NULL);
}

/* Lists of rates and seeds are longer than what a message shows, and differ at their end. */
static void what_differs_in_a_long_line_is_shown(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    char same[1001] = "";
    journal_index index;
    memset(same, 's', 1000);
    const char *was = arena_text(memory, "a\n%s old %s\nb\n", same, same), *is = arena_text(memory, "a\n%s new\nb\n", same);
    assert_non_null(was);
    assert_non_null(is);
    made_journal(memory, folder, "a", was, FEW, few);
    assert_fails(journal_scan(memory, folder, is, &index), ST_CONFIG, "it was '...sss", "sss old sss", "sss...', it is now '...sss", "sss new'; undo", NULL);
}

/* Whose work it is can no longer be said: none of it is used, and it stops nobody. */
static void without_an_identity_nothing_is_used(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory), *found;
    size_t size;
    made_journal(memory, folder, "a", "another run\n", FEW, few);
    made_journal(memory, folder, "b", identity, FEW, few);
    unsigned char *data = bytes_read(memory, folder, "a.journal", &size);
    data[70] ^= 1;
    bytes_write(memory, folder, "a.journal", data, size);
    const journal_index index = scan(folder);
    assert_int_equal(index.n, FEW);
    assert_int_equal(index.damaged, 1);
    assert_int_equal(index.entry[0].file, 1);
    assert_ok(journal_identity(memory, folder, &found));
    assert_string_equal(found, identity);
}

/* ---- files that are none ---- */

static void what_is_no_file_is_named(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory), *found;
    journal_index index;
    made_journal(memory, folder, "a", identity, FEW, few);
    for (int kind = 0; kind < 4; kind++) {
        const char *path = in(folder, "0.journal"), *says = "expected a file, found something else";
        switch (kind) {
        case 0:
            assert_int_equal(symlink("a.journal", path), 0);
            says = "0.journal: cannot be opened";
            break;
        case 1:
            assert_int_equal(symlink("nowhere", path), 0);
            says = "0.journal: cannot be opened";
            break;
        case 2:
            assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: must not wait */
            break;
        default:
            assert_int_equal(mkdir(path, 0700), 0);
            break;
        }
        assert_fails(journal_scan(memory, folder, identity, &index), ST_NO_INPUT, path, says, NULL);
        assert_fails(journal_identity(memory, folder, &found), ST_NO_INPUT, path, says, NULL);
        assert_int_equal(kind == 3 ? rmdir(path) : unlink(path), 0);
    }
    bytes_write(memory, folder, "0.journal", "", 0);
    index = scan(folder);
    assert_int_equal(index.n, FEW);
    assert_int_equal(index.damaged, 1);
    assert_true(made_is_there(memory, &index, 0, few[0]));
}

static void a_file_in_the_place_of_the_folder_is_named(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory), *found;
    const journal_key key = made_key(0);
    journal_index index;
    journal_writer *w;
    bytes_write(memory, scratch_folder(), strrchr(folder, '/') + 1, "hello", 5);
    assert_fails(journal_scan(memory, folder, identity, &index), ST_NO_INPUT, folder, NULL);
    assert_fails(journal_identity(memory, folder, &found), ST_NO_INPUT, folder, NULL);
    assert_fails(journal_remove(folder), ST_CANT_WRITE, folder, NULL);
    assert_ok(journal_open(memory, folder, "a", identity, &w));
    assert_fails(journal_append(w, &key, 0.0, "x", 1), ST_CANT_WRITE, folder, NULL);
    journal_close(&w);
}

/* The name of a file belongs to one process; a second writer must not write into it, nor through a link. */
static void nobody_writes_into_a_file_that_is_there(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    const journal_key key = made_key(0);
    size_t size, after;
    made_journal(memory, folder, "a", identity, FEW, few);
    const unsigned char *before = bytes_read(memory, folder, "a.journal", &size);
    assert_int_equal(symlink("elsewhere", in(folder, "b.journal")), 0);
    for (int turn = 0; turn < 2; turn++) {
        journal_writer *w;
        assert_ok(journal_open(memory, folder, turn == 0 ? "a" : "b", identity, &w));
        assert_fails(journal_append(w, &key, 0.0, "x", 1), ST_CANT_WRITE, NULL);
        journal_close(&w);
    }
    assert_memory_equal(bytes_read(memory, folder, "a.journal", &after), before, size);
    assert_int_equal(after, size);
    assert_false(is_there(in(folder, "elsewhere")));
}

static void only_what_journals_are_made_of_is_removed(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    assert_ok(journal_remove(folder)); /* not there */
    made_journal(memory, folder, "a", identity, FEW, few);
    made_journal(memory, folder, "b", identity, FEW, few);
    bytes_write(memory, folder, "notes.txt", "hello", 5);
    bytes_write(memory, folder, "journal", "hello", 5);
    bytes_write(memory, folder, "a.journal.gz", "hello", 5);
    assert_ok(journal_remove(folder));
    assert_false(is_there(in(folder, "a.journal")) || is_there(in(folder, "b.journal")));
    assert_true(is_there(in(folder, "notes.txt")) && is_there(in(folder, "journal")) && is_there(in(folder, "a.journal.gz")));
    assert_int_equal(unlink(in(folder, "notes.txt")) + unlink(in(folder, "journal")) + unlink(in(folder, "a.journal.gz")), 0);
    assert_ok(journal_remove(folder));
    assert_false(is_there(folder));
}

/* A folder that somebody has put on another disk: the link is theirs. */
static void a_folder_behind_a_link_is_used_and_emptied(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory), *real = made_journal_folder(memory);
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(symlink(real, folder), 0);
    made_journal(memory, folder, "a", identity, FEW, few);
    assert_int_equal(scan(real).n, FEW);
    assert_int_equal(scan(folder).n, FEW);
    assert_ok(journal_remove(folder));
    assert_int_equal(scan(folder).n_files, 0);
    assert_true(is_there(folder) && is_there(real));
}

/* Another run of the same study has finished meanwhile and has tidied up. */
static void a_folder_that_vanishes_costs_nothing_of_ones_own(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    const journal_key key = made_key(1), empty = made_key(2);
    journal_writer *w, *later;
    assert_ok(journal_open(memory, folder, "a", identity, &w));
    assert_ok(journal_open(memory, folder, "b", identity, &later));
    assert_ok(journal_append(w, &key, 0.0, "x", 1));
    assert_ok(journal_append(w, &empty, 0.0, NULL, 0));
    const journal_index index = scan(folder);
    assert_int_equal(index.n, 2);
    assert_ok(journal_remove(folder));
    assert_false(journal_load(&index, &key, (char[1]){0}, 1));
    assert_false(journal_load(&index, &empty, NULL, 0));
    assert_ok(journal_append(w, &key, 0.0, "y", 1));
    assert_ok(journal_sync(w));
    assert_ok(journal_append(later, &key, 0.0, "z", 1));
    journal_close(&w);
    journal_close(&later);
    assert_int_equal(scan(folder).n, 1);
}

/* ---- full disks ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int append(journal_writer *w, size_t i, size_t size)
{
    unsigned char payload[1000];
    const journal_key key = made_key(i);
    made_payload(i, size, payload);
    return journal_append(w, &key, 0.0, payload, size).code;
}

/* A limit of every size stands in for a disk that is full there. It raises SIGXFSZ, which kills whoever has not thought of it. */
static void a_full_disk_costs_the_frame_that_finds_no_room(void **state)
{
    (void)state;
    for (rlim_t room = 0; room < 700; room += 24) {
        const char *folder = made_journal_folder(memory);
        journal_writer *w;
        char message[1000] = "";
        size_t noted = 0;
        assert_ok(journal_open(memory, folder, "a", identity, &w));
        limit_files(room);
        int code;
        while ((code = append(w, noted, 50 + 10 * noted)) == ST_OK && noted < 5) {
            noted++;
        }
        limit_files(RLIM_INFINITY);
        (void)snprintf(message, sizeof message, "%s", status_message());
        status_clear();
        assert_int_equal(code, ST_CANT_WRITE);
        assert_non_null(strstr(message, folder));
        assert_non_null(strstr(message, strerror(EFBIG)));
        assert_non_null(strstr(message, "run the same command again"));
        journal_index index = scan(folder);
        assert_int_equal(index.n, noted);
        for (size_t i = noted; i < noted + 2; i++) { /* there is room again; the first is shorter than what did not fit */
            assert_int_equal(append(w, i, i == noted ? 3 : 200), ST_OK);
        }
        journal_close(&w);
        index = scan(folder);
        assert_int_equal(index.n, noted + 2);
        for (size_t i = 0; i < noted; i++) {
            assert_true(made_is_there(memory, &index, i, 50 + 10 * i));
        }
        assert_true(made_is_there(memory, &index, noted, 3));
        assert_true(made_is_there(memory, &index, noted + 1, 200));
    }
}

static void the_callers_own_answer_to_the_limit_is_kept(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    struct sigaction own = {.sa_handler = SIG_DFL}, now;
    const journal_key key = made_key(0);
    journal_writer *w;
    assert_int_equal(sigaction(SIGXFSZ, &own, NULL), 0);
    assert_ok(journal_open(memory, folder, "a", identity, &w));
    assert_ok(journal_append(w, &key, 0.0, "x", 1));
    journal_close(&w);
    assert_int_equal(sigaction(SIGXFSZ, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

/* ---- processes that are killed ---- */

/* Notes one item after the other until it is killed; says through the pipe which of them it has noted. */
static void note_for_ever(const char *folder, int say)
{
    static unsigned char payload[200000];
    journal_writer *w;
    const bool opened = status_ok(journal_open(memory, folder, "a", identity, &w));
    for (size_t i = 0; opened; i++) {
        const size_t size = i % 3 == 0 ? sizeof payload - i : 100 + i;
        const journal_key key = made_key(i);
        made_payload(i, size, payload);
        if (!status_ok(journal_append(w, &key, 0.0, payload, size)) || write(say, &i, sizeof i) != sizeof i) {
            break;
        }
    }
    _exit(1);
}

static void killed_anywhere_all_that_was_noted_is_there(void **state)
{
    (void)state;
    arena *kept = memory;
    size_t in_all = 0;
    for (long turn = 0; turn < 25; turn++) {
        int pipes[2], result;
        assert_ok(arena_open("killed", &memory));
        const char *folder = made_journal_folder(memory);
        const struct timespec wait = {.tv_nsec = 1000000 + turn * 717171};
        size_t noted = 0, last;
        assert_int_equal(pipe(pipes), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            note_for_ever(folder, pipes[1]);
        }
        (void)close(pipes[1]);
        if (turn % 2 == 1) { /* surely in the middle, however late it begins; else perhaps before the first */
            assert_int_equal(read(pipes[0], &last, sizeof last), sizeof last);
            noted = last + 1;
        }
        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result));
        while (read(pipes[0], &last, sizeof last) == sizeof last) {
            noted = last + 1;
        }
        (void)close(pipes[0]);
        const journal_index index = scan(folder);
        assert_in_range(index.n, noted, noted + 1); /* it may have had no time to say so */
        assert_true(index.damaged <= 1);
        for (size_t i = 0; i < index.n; i++) {
            assert_true(made_is_there(memory, &index, i, i % 3 == 0 ? 200000 - i : 100 + i));
        }
        in_all += noted;
        assert_ok(journal_remove(folder));
        arena_close(&memory);
    }
    assert_true(in_all >= 12);
    memory = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_identity_is_told_by_its_first_line, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(one_file_of_another_run_is_enough, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_line_without_end_is_cut, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(what_differs_in_a_long_line_is_shown, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(without_an_identity_nothing_is_used, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_named, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_file_in_the_place_of_the_folder_is_named, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(nobody_writes_into_a_file_that_is_there, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(only_what_journals_are_made_of_is_removed, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_folder_behind_a_link_is_used_and_emptied, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_folder_that_vanishes_costs_nothing_of_ones_own, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(the_callers_own_answer_to_the_limit_is_kept, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_full_disk_costs_the_frame_that_finds_no_room, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(killed_anywhere_all_that_was_noted_is_there, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
