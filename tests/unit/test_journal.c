/* A journal's frames: what was noted is found again, and nothing else is, wherever the file is cut off or damaged. */
#include "unit/journal_sample.h"

#include <string.h>
#include <unistd.h>

/* ---- whole files ---- */

static const size_t sizes[] = {0, 1, 63, 64, 65, 128, 1000, 0, 7, 4096};
enum { N = COUNT(sizes) };

static void what_is_noted_is_found(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    made_journal(memory, folder, "a", identity, N, sizes);
    const journal_index index = scan(folder);
    assert_int_equal(index.n_files, 1);
    assert_int_equal(index.n, N);
    assert_int_equal(index.damaged, 0);
    for (size_t i = 0; i < N; i++) {
        const journal_key key = made_key(i);
        const journal_entry *e = journal_find(&index, &key);
        assert_non_null(e);
        assert_int_equal(e->size, sizes[i]);
        assert_true(e->seconds == 0.5 * (double)i);
        assert_true(made_is_there(memory, &index, i, sizes[i]));
        assert_false(made_is_there(memory, &index, i, sizes[i] + 1)); /* of another size: not this item's */
        assert_false(sizes[i] > 0 && made_is_there(memory, &index, i, sizes[i] - 1));
    }
    const journal_key other = made_key(N);
    assert_null(journal_find(&index, &other));
    assert_int_equal(index.bytes, FRAME_BYTES + frame_padded(strlen(identity)) + 10 * FRAME_BYTES + 64 * (0 + 1 + 1 + 1 + 2 + 2 + 16 + 0 + 1 + 64));
}

/* Every part of a key counts. */
static void keys_that_differ_anywhere_are_others(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    made_journal(memory, folder, "a", identity, N, sizes);
    const journal_index index = scan(folder);
    for (size_t byte = 0; byte < sizeof(journal_key); byte++) {
        journal_key key = made_key(3);
        ((unsigned char *)&key)[byte] ^= 0x80;
        assert_null(journal_find(&index, &key));
    }
}

static void an_empty_or_missing_folder_is_an_empty_journal(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory), *text = "";
    const journal_key key = made_key(0);
    for (int turn = 0; turn < 2; turn++) { /* missing; there, with files of other kinds only */
        const journal_index index = scan(folder);
        assert_int_equal(index.n + index.n_files + index.damaged + index.bytes, 0);
        assert_null(journal_find(&index, &key));
        assert_false(journal_load(&index, &key, NULL, 0));
        assert_ok(journal_identity(memory, folder, &text));
        assert_null(text);
        bytes_write(memory, folder, "notes.txt", "hello", 5);
        bytes_write(memory, folder, ".journal", "hello", 5); /* an end without a name */
    }
}

/* A writer that was opened and never used leaves nothing. */
static void nothing_is_made_before_the_first_frame(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    made_journal(memory, folder, "a", identity, 0, NULL);
    assert_int_not_equal(access(folder, F_OK), 0);
    journal_writer *w;
    assert_ok(journal_open(memory, folder, "a", identity, &w));
    assert_ok(journal_sync(w));
    assert_int_not_equal(access(folder, F_OK), 0);
    journal_close(&w);
    journal_close(&w); /* NULL is fine */
}

/* In the order of the keys' bytes, frames with one key together, in the order of files and places. */
static void keys_are_in_order(void **state)
{
    (void)state;
    enum { MANY = 700 };
    const char *folder = made_journal_folder(memory);
    size_t small[MANY], n = 0;
    for (size_t i = 0; i < MANY; i++) {
        small[i] = i % 5;
    }
    made_journal(memory, folder, "b", identity, MANY, small);
    made_journal(memory, folder, "a", identity, MANY / 2, small);
    made_journal(memory, folder, "c", identity, 3, small);
    const journal_index index = scan(folder);
    assert_int_equal(index.n, MANY + MANY / 2 + 3);
    assert_int_equal(index.n_files, 3);
    assert_non_null(strstr(index.file[0], "/a.journal"));
    for (size_t i = 1; i < index.n; i++) {
        const journal_entry *e = &index.entry[i - 1], *f = &index.entry[i];
        const int keys = memcmp(&e->key, &f->key, sizeof e->key);
        assert_true(keys < 0 || (keys == 0 && (e->file < f->file || (e->file == f->file && e->offset < f->offset))));
        n += keys == 0;
    }
    assert_int_equal(n, MANY / 2 + 3);
    for (size_t i = 0; i < MANY; i++) {
        const journal_key key = made_key(i);
        const journal_entry *e = journal_find(&index, &key);
        assert_non_null(e);
        assert_int_equal(e->file, i < MANY / 2 ? 0 : 1); /* the first of its frames */
        assert_true(made_is_there(memory, &index, i, small[i]));
    }
}

/* Of several frames the first that is whole and has the size. */
static void a_duplicate_stands_in_for_a_damaged_frame(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    const size_t other[] = {5}, same[] = {100}, longer[] = {101};
    size_t size;
    made_journal(memory, folder, "a", identity, 1, other);
    made_journal(memory, folder, "b", identity, 1, same);
    made_journal(memory, folder, "c", identity, 1, longer);
    made_journal(memory, folder, "d", identity, 1, same);
    unsigned char *data = bytes_read(memory, folder, "b.journal", &size);
    data[size - 64] ^= 1;
    bytes_write(memory, folder, "b.journal", data, size);
    journal_index index = scan(folder);
    assert_int_equal(index.n, 4);
    assert_true(made_is_there(memory, &index, 0, 100));
    assert_true(made_is_there(memory, &index, 0, 101));
    assert_true(made_is_there(memory, &index, 0, 5));
    assert_int_equal(unlink(index.file[3]), 0); /* gone since it was looked for */
    assert_false(made_is_there(memory, &index, 0, 100));
    assert_string_equal(status_message(), "");
}

static void payloads_may_be_large(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    const size_t large[] = {((size_t)5 << 20) + 1, 0, (size_t)3 << 20};
    made_journal(memory, folder, "a", identity, 3, large);
    const journal_index index = scan(folder);
    assert_int_equal(index.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(made_is_there(memory, &index, i, large[i]));
    }
}

static void an_index_is_handed_on(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    const void *data;
    size_t size;
    made_journal(memory, folder, "a", identity, N, sizes);
    made_journal(memory, folder, "b", identity, 3, sizes);
    bytes_write(memory, folder, "c.journal", "hello", 5);
    const journal_index index = scan(folder);
    journal_index copy;
    assert_ok(journal_index_write(memory, &index, &data, &size));
    assert_ok(journal_index_read(memory, data, size, &copy));
    assert_int_equal(copy.n_files, 3);
    assert_int_equal(copy.n, index.n);
    assert_int_equal(copy.bytes, index.bytes);
    assert_int_equal(copy.damaged, 1);
    assert_memory_equal(copy.entry, index.entry, index.n * sizeof index.entry[0]);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(copy.file[i], index.file[i]);
    }
    for (size_t i = 0; i < N; i++) {
        assert_true(made_is_there(memory, &copy, i, sizes[i]));
    }
    assert_fails(journal_index_read(memory, data, size - 1, &copy), ST_BUG, NULL);
    assert_fails(journal_index_read(memory, data, 3, &copy), ST_BUG, NULL);
    const journal_index none = scan(made_journal_folder(memory));
    assert_ok(journal_index_write(memory, &none, &data, &size));
    assert_ok(journal_index_read(memory, data, size, &copy));
    assert_int_equal(copy.n + copy.n_files, 0);
}

/* ---- files that are cut off or damaged ---- */

/* A file of FEW items, where its frames begin, and where the last one would end. */
static unsigned char *small_file(const char *folder, size_t at[FEW + 2], size_t *size)
{
    made_journal(memory, folder, "a", identity, FEW, few);
    at[0] = 0;
    at[1] = FRAME_BYTES + frame_padded(strlen(identity));
    for (size_t i = 0; i < FEW; i++) {
        at[i + 2] = at[i + 1] + FRAME_BYTES + frame_padded(few[i]);
    }
    unsigned char *data = bytes_read(memory, folder, "a.journal", size);
    assert_int_equal(*size, at[FEW + 1]);
    return data;
}

static void cut_anywhere_the_frames_before_are_found(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    const unsigned char *data = small_file(folder, at, &size);
    arena *kept = memory;
    for (size_t cut = 0; cut <= size; cut++) {
        assert_ok(arena_open("cut", &memory));
        bytes_write(memory, folder, "a.journal", data, cut);
        const journal_index index = scan(folder);
        const bool known = cut >= FRAME_BYTES + strlen(identity);
        size_t whole = 0, end = at[1];
        for (size_t i = 0; i < FEW; i++) {
            const bool there = known && cut >= at[i + 1] + FRAME_BYTES + few[i];
            assert_int_equal(made_is_there(memory, &index, i, few[i]), there);
            whole += there;
            end = there ? at[i + 2] : end;
        }
        assert_int_equal(index.n, whole);
        assert_int_equal(index.damaged, !known || cut > end); /* padding that is missing is no damage */
        assert_int_equal(index.bytes, cut);
        arena_close(&memory);
    }
    memory = kept;
}

/* What a crash can leave in the place of what is missing: zeros, or what was on the disk before. */
static void a_tail_of_rubbish_is_passed_over(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    const unsigned char *data = small_file(folder, at, &size);
    arena *kept = memory;
    for (size_t cut = 0; cut <= size; cut++) {
        for (int filling = 0; filling < 256; filling += 255) {
            assert_ok(arena_open("cut", &memory));
            unsigned char *torn = arena_alloc(memory, size + 100, 1);
            assert_non_null(torn);
            memset(torn, filling, size + 100);
            memcpy(torn, data, cut);
            bytes_write(memory, folder, "a.journal", torn, size + 100);
            const journal_index index = scan(folder);
            for (size_t i = 0; i < FEW; i++) {
                const bool before = cut >= at[i + 1] + FRAME_BYTES + few[i];
                assert_true(made_is_there(memory, &index, i, few[i]) || !before || cut < FRAME_BYTES + strlen(identity));
            }
            assert_true(index.damaged > 0);
            arena_close(&memory);
        }
    }
    memory = kept;
}

/* made_is_there() fails on a payload that is accepted and wrong. */
static void a_flipped_bit_costs_its_own_frame_only(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    unsigned char *data = small_file(folder, at, &size);
    arena *kept = memory;
    for (size_t byte = 0; byte < size; byte++) {
        for (unsigned mask = 0x01; mask <= 0xff; mask = mask == 0x80 ? 0xff : mask == 0xff ? 0x100 : mask << 7) {
            assert_ok(arena_open("flip", &memory));
            data[byte] ^= (unsigned char)mask;
            bytes_write(memory, folder, "a.journal", data, size);
            data[byte] ^= (unsigned char)mask;
            const journal_index index = scan(folder);
            const bool in_identity = byte < FRAME_BYTES + strlen(identity);
            for (size_t i = 0; i < FEW; i++) {
                const bool hit = byte >= at[i + 1] && byte < at[i + 1] + FRAME_BYTES + few[i];
                if (made_is_there(memory, &index, i, few[i]) != (!hit && !in_identity)) {
                    fail_msg("byte %zu of %zu flipped by %#x: item %zu was %sfound", byte, size, mask, i, hit ? "" : "not ");
                }
            }
            arena_close(&memory);
        }
    }
    memory = kept;
}

/* Frames that are lost as a whole, as blocks of a disk are. */
static void a_missing_stretch_costs_what_it_held(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    unsigned char *data = small_file(folder, at, &size);
    memset(data + at[2], 0, at[3] - at[2]);
    bytes_write(memory, folder, "a.journal", data, size);
    const journal_index index = scan(folder);
    assert_int_equal(index.n, 2);
    assert_int_equal(index.damaged, 1);
    assert_true(made_is_there(memory, &index, 0, few[0]));
    assert_true(made_is_there(memory, &index, 2, few[2]));
}

/* A head whose checks are right and whose size is not: only somebody who means harm writes it. */
static void sizes_that_no_file_holds_are_no_frames(void **state)
{
    (void)state;
    static const uint64_t huge[] = {UINT64_MAX, UINT64_MAX - 63, UINT64_MAX - 64, UINT64_MAX - 127, (uint64_t)1 << 63, INT64_MAX, (uint64_t)1 << 40, 0};
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    const unsigned char *whole = small_file(folder, at, &size);
    unsigned char *data = arena_alloc(memory, size, 1);
    assert_non_null(data);
    for (size_t k = 0; k < COUNT(huge); k++) {
        memcpy(data, whole, size);
        for (size_t i = 1; i <= 2; i++) { /* an item's size, then the identity's too */
            frame_head h;
            memcpy(&h, data + at[2 - i], sizeof h);
            h.size = huge[k] != 0 ? huge[k] : size - at[2 - i] - FRAME_BYTES + 1; /* one more than there is */
            made_frame_seal(&h);
            memcpy(data + at[2 - i], &h, sizeof h);
            bytes_write(memory, folder, "a.journal", data, size);
            const journal_index index = scan(folder);
            assert_int_equal(index.n, i == 1 ? FEW - 1 : 0);
            assert_int_equal(index.damaged, 1);
            assert_int_equal(made_is_there(memory, &index, 2, few[2]), i == 1);
        }
    }
}

static void a_size_up_to_the_end_swallows_what_is_behind(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    unsigned char *data = small_file(folder, at, &size);
    frame_head h;
    memcpy(&h, data + at[1], sizeof h);
    h.size = size - at[1] - FRAME_BYTES;
    made_frame_seal(&h);
    memcpy(data + at[1], &h, sizeof h);
    bytes_write(memory, folder, "a.journal", data, size);
    const journal_index index = scan(folder);
    assert_int_equal(index.n, 1); /* frames within a payload are a payload */
    assert_false(made_is_there(memory, &index, 0, h.size));
}

/* Of a later version of the format. */
static void frames_of_another_version_are_passed_over(void **state)
{
    (void)state;
    const char *folder = made_journal_folder(memory);
    size_t at[FEW + 2], size;
    unsigned char *data = small_file(folder, at, &size);
    frame_head h;
    memcpy(&h, data + at[1], sizeof h);
    h.version++;
    made_frame_seal(&h);
    memcpy(data + at[1], &h, sizeof h);
    bytes_write(memory, folder, "a.journal", data, size);
    const journal_index index = scan(folder);
    assert_int_equal(index.n, FEW - 1);
    assert_int_equal(index.damaged, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_noted_is_found, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(keys_that_differ_anywhere_are_others, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(an_empty_or_missing_folder_is_an_empty_journal, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(nothing_is_made_before_the_first_frame, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(keys_are_in_order, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_duplicate_stands_in_for_a_damaged_frame, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(payloads_may_be_large, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(an_index_is_handed_on, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(cut_anywhere_the_frames_before_are_found, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_tail_of_rubbish_is_passed_over, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_flipped_bit_costs_its_own_frame_only, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_missing_stretch_costs_what_it_held, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(sizes_that_no_file_holds_are_no_frames, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_size_up_to_the_end_swallows_what_is_behind, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(frames_of_another_version_are_passed_over, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
