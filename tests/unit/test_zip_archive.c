#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"
#include "io/zip_archive.h"

static arena *a;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &a)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&a);
    return 0;
}

/* A writer of archives, honest or not. */
typedef struct part {
    const char *name, *content;
    size_t size; /* of a content with zero bytes; 0: up to the first */
    unsigned method, flags;
    size_t overlap; /* the local header that the directory tells lies so many parts before */
    bool zip64;
} part;

typedef struct bytes {
    unsigned char data[8192];
    size_t n;
} bytes;

static void put(bytes *b, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        b->data[b->n++] = (unsigned char)(i < 8 ? value >> (8 * i) : 0);
    }
}

static void put_text(bytes *b, const char *text)
{
    memcpy(b->data + b->n, text, strlen(text));
    b->n += strlen(text);
}

static size_t size_of(const part *p)
{
    return p->size > 0 ? p->size : strlen(p->content);
}

static void put_header(bytes *b, const part *p, uint64_t place, bool central)
{
    const uint64_t size = size_of(p), field = p->zip64 ? UINT32_MAX : size;
    put(b, central ? 0x02014b50 : 0x04034b50, 4);
    put(b, 0, central ? 4 : 2);
    put(b, p->flags, 2);
    put(b, p->method, 2);
    put(b, 0, 8); /* time, date, check sum */
    put(b, field, 4);
    put(b, field, 4);
    put(b, strlen(p->name), 2);
    put(b, p->zip64 ? 5 + (central ? 28 : 20) : 0, 2);
    if (central) {
        put(b, 0, 10); /* comment, disk, attributes */
        put(b, p->zip64 ? UINT32_MAX : place, 4);
    }
    put_text(b, p->name);
    if (p->zip64) {
        put(b, 0x9999, 2); /* another program's field before it */
        put(b, 1, 2);
        put(b, 0, 1);
        put(b, 1, 2);
        put(b, central ? 24 : 16, 2);
        put(b, size, 8);
        put(b, size, 8);
        if (central) {
            put(b, place, 8);
        }
    }
}

static bytes make(size_t n, const part parts[], bool end64)
{
    bytes b = {.n = 0};
    size_t place[16];
    for (size_t i = 0; i < n; i++) {
        place[i] = b.n;
        put_header(&b, &parts[i], 0, false);
        memcpy(b.data + b.n, parts[i].content, size_of(&parts[i]));
        b.n += size_of(&parts[i]);
    }
    const size_t directory = b.n;
    for (size_t i = 0; i < n; i++) {
        put_header(&b, &parts[i], place[i - parts[i].overlap], true);
    }
    const size_t end = b.n;
    if (end64) {
        put(&b, 0x06064b50, 4);
        put(&b, 44, 8);
        put(&b, 0, 12); /* versions, disks */
        put(&b, n, 8);
        put(&b, n, 8);
        put(&b, end - directory, 8);
        put(&b, directory, 8);
        put(&b, 0x07064b50, 4);
        put(&b, 0, 4);
        put(&b, end, 8);
        put(&b, 1, 4);
    }
    put(&b, 0x06054b50, 4);
    put(&b, 0, 4);
    put(&b, end64 ? 65535 : n, 2);
    put(&b, end64 ? 65535 : n, 2);
    put(&b, end64 ? UINT32_MAX : end - directory, 4);
    put(&b, end64 ? UINT32_MAX : directory, 4);
    put(&b, 0, 2);
    return b;
}

static status open_archive(const bytes *b, zip_archive *z)
{
    return zip_open(a, "net.pt", (file_bytes){b->data, b->n}, z);
}

static void stored_entries_are_found(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        const bool zip64 = form % 2 != 0;
        const part parts[] = {{.name = "n/data.pkl", .content = "N.", .zip64 = zip64},
                              {.name = "n/data/10", .content = "abc", .zip64 = zip64},
                              {.name = "n/data/1", .content = ""}};
        const bytes b = make(3, parts, form / 2 != 0);
        zip_archive z;
        file_bytes found;
        assert_ok(open_archive(&b, &z));
        assert_int_equal(z.n, 3);
        assert_null(zip_find(&z, "n/data/2"));
        assert_null(zip_find(&z, "n/data/100"));
        assert_ok(zip_entry_bytes(&z, zip_find(&z, "n/data/10"), &found));
        assert_int_equal(found.size, 3);
        assert_memory_equal(found.data, "abc", 3);
        assert_ok(zip_entry_bytes(&z, zip_find(&z, "n/data/1"), &found));
        assert_int_equal(found.size, 0);
    }
}

static void dishonest_archives_are_refused(void **state)
{
    (void)state;
    zip_archive z;
    tensors *t = NULL;
    file_bytes found;
    const part packed[] = {{.name = "n/data.pkl", .content = "N.", .method = 8}};
    bytes b = make(1, packed, false);
    assert_ok(open_archive(&b, &z));
    assert_fails(zip_entry_bytes(&z, &z.entry[0], &found), ST_DATA, "'n/data.pkl' stored as it is", "deflate", "zip -0",
                 NULL);
    assert_fails(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t), ST_DATA, "stored as it is", NULL);
    const part secret[] = {{.name = "n/data.pkl", .content = "N.", .flags = 1}};
    b = make(1, secret, false);
    assert_fails(open_archive(&b, &z), ST_DATA, "encrypted", NULL);
    const part twice[] = {{.name = "n/data/0", .content = "abc"}, {.name = "n/data/0", .content = "xyz"}};
    b = make(2, twice, false);
    assert_fails(open_archive(&b, &z), ST_DATA, "two entries of one name", NULL);
    const part overlapping[] = {{.name = "n/data/0", .content = "abc"},
                                {.name = "n/data/1", .content = "xyz", .overlap = 1}};
    b = make(2, overlapping, false);
    assert_fails(open_archive(&b, &z), ST_DATA, "entries overlap", NULL);
    const part others[] = {{.name = "word/document.xml", .content = "<a/>"}};
    b = make(1, others, false);
    assert_fails(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t), ST_DATA,
                 "a zip archive without <name>/data.pkl", NULL);
    const part script[] = {{.name = "n/data.pkl", .content = "N."}, {.name = "n/constants.pkl", .content = "N."}};
    b = make(2, script, false);
    assert_fails(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t), ST_DATA, "TorchScript", "state_dict()",
                 NULL);
    const part big[] = {{.name = "n/byteorder", .content = "big"}, {.name = "n/data.pkl", .content = "}."}};
    b = make(2, big, false);
    assert_fails(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t), ST_DATA, "byte order 'big'", NULL);
}

/* Storages that the archive lacks or that are too small, tensors that lead out of them. */
static void tensors_stay_in_their_storage(void **state)
{
    (void)state;
#define TENSOR(n, offset, size, stride)                                                                                \
    "}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor\n(("                                                            \
    "X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"                                                  \
    "0X\x03\x00\x00\x00"                                                                                               \
    "cpuK" n "tQK" offset size stride "tRs."
#define CASE(code, expected)                                                                                           \
    {                                                                                                                  \
        code, sizeof(code) - 1, expected                                                                               \
    }
    static const struct {
        const char *pickle;
        size_t size;
        const char *expected;
    } cases[] = {
        CASE(TENSOR("\x04", "\x01", "K\x03\x85", "K\x01\x85"), NULL),
        CASE(TENSOR("\x04", "\x00", "K\x02K\x02\x86", "K\x00K\x03\x86"), NULL), /* expanded */
        CASE(TENSOR("\x04", "\x01", "K\x04\x85", "K\x01\x85"), "lead out of its storage '0' of 4 elements"),
        CASE(TENSOR("\x04", "\x04", "K\x01\x85", "K\x01\x85"), "lead out of its storage"),
        CASE(TENSOR("\x04", "\x01", "K\x02\x85", "J\xff\xff\xff\x7f\x85"), "lead out of its storage"),
        CASE(TENSOR("\x04", "\x01", "K\x02\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"),
             "lead out of its storage"),
        CASE(TENSOR("\x05", "\x01", "K\x03\x85", "K\x01\x85"), "storage '0' has 16 bytes, expected 5 of F32"),
        CASE(TENSOR("\x04", "\x01", "K\xffK\xff\x86", "K\x00K\x00\x86"), "as many elements as the file has bytes"),
        CASE(TENSOR("\x04", "\x01",
                    "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x86",
                    "K\x01K\x01\x86"),
             "as many elements as the file has bytes"),
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const float numbers[4] = {0.5f, 1.5f, 2.5f, 3.5f};
        const part parts[] = {{.name = "n/data.pkl", .content = cases[i].pickle, .size = cases[i].size},
                              {.name = "n/data/0", .content = (const char *)numbers, .size = sizeof numbers}};
        const bytes b = make(2, parts, false);
        tensors *t = NULL;
        const status st = checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t);
        if (cases[i].expected != NULL) {
            assert_fails(st, ST_DATA, "net.pt: tensor 'w': ", cases[i].expected, NULL);
            continue;
        }
        assert_ok(st);
        assert_true(t->list[0].data[0] == numbers[1 - i] && t->list[0].data[2] == numbers[i == 0 ? 3 : 0]);
    }
    const part parts[] = {{.name = "n/data.pkl", .content = cases[0].pickle, .size = cases[0].size}};
    const bytes b = make(1, parts, false);
    tensors *t = NULL;
    assert_fails(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t), ST_DATA, "expected the entry 'n/data/0'",
                 NULL);
}

/* One tensor is as large as the file allows; two of them are not, though neither alone is refused. */
static void all_tensors_together_are_bounded(void **state)
{
    (void)state;
#define LARGE(name)                                                                                                    \
    "X\x01\x00\x00\x00" name                                                                                           \
    "ctorch._utils\n_rebuild_tensor\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"                \
    "0X\x03\x00\x00\x00"                                                                                               \
    "cpuK\x04tQK\x00M\x2c\x01\x85K\x00\x85tR"
    static const char single[] = "}(" LARGE("a") "u.",
                      pair[] = "}(" LARGE("a") LARGE("b") LARGE("c") LARGE("d") LARGE("e") "u.";
    const float numbers[4] = {0.5f};
    const part storage = {.name = "n/data/0", .content = (const char *)numbers, .size = sizeof numbers};
    const part one[] = {{.name = "n/data.pkl", .content = single, .size = sizeof single - 1}, storage};
    const part two[] = {{.name = "n/data.pkl", .content = pair, .size = sizeof pair - 1}, storage};
    tensors *t = NULL;
    bytes b = make(2, one, false);
    assert_ok(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t));
    assert_int_equal(t->list[0].dim[0], 300);
    b = make(2, two, false);
    assert_true(b.n > 300 && b.n < 5 * 300);
    assert_fails(checkpoint_parse(a, "net.pt", (file_bytes){b.data, b.n}, &t), ST_DATA,
                 "as many elements as the file has bytes", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_entries_are_found),
        cmocka_unit_test(dishonest_archives_are_refused),
        cmocka_unit_test(tensors_stay_in_their_storage),
        cmocka_unit_test(all_tensors_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
