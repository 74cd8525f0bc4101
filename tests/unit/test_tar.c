#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/tar_samples.h"

enum { BLOCK = 512, ROOM = 64 * BLOCK };

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

/* An archive that is made here, header by header. */
typedef struct tape {
    unsigned char bytes[ROOM];
    size_t size;
} tape;

static void seal(unsigned char *h)
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += h[i];
    }
    (void)snprintf((char *)h + 148, 8, "%06o", sum & 0777777U);
}

static unsigned char *add(tape *t, const char *name, char type, const char *content)
{
    unsigned char *h = t->bytes + t->size;
    const size_t size = strlen(content);
    assert_true(t->size + BLOCK + size + BLOCK <= ROOM);
    (void)snprintf((char *)h, 100, "%s", name);
    (void)snprintf((char *)h + 124, 12, "%011o", (unsigned)size & 07777777U);
    h[156] = (unsigned char)type;
    memcpy(h + 257, "ustar\00000", 8);
    seal(h);
    memcpy(h + BLOCK, content, size);
    t->size += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    return h;
}

static void end(tape *t)
{
    memset(t->bytes + t->size, 0, (size_t)2 * BLOCK);
    t->size += (size_t)2 * BLOCK;
}

static status read_tape(void *context, uint64_t offset, size_t n, void *data)
{
    const tape *t = context;
    assert_true(n <= t->size && offset <= t->size - n); /* never outside of it */
    memcpy(data, t->bytes + offset, n);
    return STATUS_OK;
}

static status collect(tape *t, tar_samples *out)
{
    static const char *const name[] = {"x.tar"};
    const tar_source source = {"x.tar", t->size, read_tape, t};
    tar_collector *c;
    assert_ok(tar_collect_open(a, name, &c));
    TRY(tar_collect(c, 0, &source));
    return tar_collect_end(c, "x.tar", out);
}

static void test_folders(void **state)
{
    (void)state;
    static tape t;
    tar_samples s;
    add(&t, "./set/b/", '5', "");
    add(&t, "./set/b/2.png", '0', "second");
    add(&t, "./set/b/1.JPEG", '\0', "first");
    add(&t, "set/a/3.jpg", '0', "");
    add(&t, "set/a/notes.txt", '0', "no image");
    add(&t, "set/a/.hidden.png", '0', "hidden");
    add(&t, "set/a/l.txt", '2', "");
    unsigned char *h = add(&t, "4.png", '0', "behind a prefix");
    memcpy(h + 345, "set/c", 6);
    seal(h);
    end(&t);
    assert_ok(collect(&t, &s));
    assert_false(s.labelled);
    assert_int_equal(s.n, 4);
    static const char *const path[] = {"a/3.jpg", "b/1.JPEG", "b/2.png", "c/4.png"}, *const label[] = {"a", "b", "b", "c"};
    for (size_t i = 0; i < s.n; i++) {
        assert_string_equal(s.list[i].path, path[i]);
        assert_string_equal(s.list[i].label, label[i]);
    }
    assert_memory_equal(t.bytes + s.list[1].place.offset, "first", 5);
    assert_int_equal(s.list[1].place.size, 5);
    assert_int_equal(s.list[0].place.size, 0);
}

static void test_labels(void **state)
{
    (void)state;
    static tape t;
    tar_samples s;
    add(&t, "001.png", '0', "x");
    add(&t, "001.seg.png", '0', "no image of its own");
    add(&t, "001.cls", '0', " 7\n");
    add(&t, "001.json", '0', "{\"label\": 3}"); /* a .cls is preferred */
    add(&t, "d.e/002.jpg", '0', "x");
    add(&t, "d.e/002.json", '0', "{\"cls\": \"tench, Tinca\"}");
    end(&t);
    assert_ok(collect(&t, &s));
    assert_true(s.labelled);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.list[0].label, "7");
    assert_string_equal(s.list[1].path, "d.e/002.jpg");
    assert_string_equal(s.list[1].label, "tench, Tinca");
}

/* Names and sizes that do not fit into a header. */
static void test_long(void **state)
{
    (void)state;
    static tape t;
    tar_samples s;
    add(&t, "././@LongLink", 'L', "gnu/long.png");
    add(&t, "gnu/lo", '0', "x");
    unsigned char *pax = add(&t, "PaxHeaders/x", 'x', "21 path=pax/long.png\n12 size=123\n11 mtime=1\n");
    unsigned char *h = add(&t, "pax/lo", '0', "y");
    memset(h + BLOCK, 'y', 123);
    h = add(&t, "b/256.png", '0', "z"); /* base 256 */
    memset(h + 124, 0, 12);
    h[124] = 0x80;
    h[135] = 1;
    seal(h);
    end(&t);
    assert_ok(collect(&t, &s));
    assert_int_equal(s.n, 3);
    assert_string_equal(s.list[0].path, "b/256.png");
    assert_string_equal(s.list[1].path, "gnu/long.png");
    assert_string_equal(s.list[2].path, "pax/long.png");
    assert_int_equal(s.list[2].place.size, 123);
    static const char *const wrong[] = {"20", "22", "99", "0 ", "x1", "21path=", "-1"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        memcpy(pax + BLOCK, "21 path", 7);
        memcpy(pax + BLOCK, wrong[i], strlen(wrong[i]));
        assert_fails(collect(&t, &s), ST_DATA, "x.tar", "pax header", NULL);
    }
}

/* A name is all of its bytes, with or without a zero behind them. */
static void test_long_names(void **state)
{
    (void)state;
    static tape t;
    tar_samples s;
    unsigned char *h = add(&t, "././@LongLink", 'L', "gnu/long.png..");
    add(&t, "gnu/lo", '0', "x");
    end(&t);
    memcpy(h + BLOCK, "gnu/long.png\0", 13);
    (void)snprintf((char *)h + 124, 12, "%011o", 13U);
    seal(h);
    assert_ok(collect(&t, &s));
    assert_string_equal(s.list[0].path, "gnu/long.png");
    (void)snprintf((char *)h + 124, 12, "%011o", 14U);
    seal(h);
    assert_fails(collect(&t, &s), ST_DATA, "x.tar", "zero byte", NULL);
}

static void test_sparse(void **state)
{
    (void)state;
    static tape t;
    tar_samples s;
    add(&t, "PaxHeaders/x", 'x', "22 GNU.sparse.major=1\n");
    add(&t, "a/1.png", '0', "y");
    end(&t);
    assert_fails(collect(&t, &s), ST_DATA, "x.tar", "a sparse file; make the archive without", NULL);
}

/* Classes are named as folders are. */
static void test_labels_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"a/b", "..", ".x", "/", " .hidden\n"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        static tape t;
        tar_samples s;
        memset(&t, 0, sizeof t);
        add(&t, "1.png", '0', "x");
        add(&t, "1.cls", '0', wrong[i]);
        end(&t);
        assert_fails(collect(&t, &s), ST_DATA, "x.tar", "1.cls", "expected the class", NULL);
    }
}

typedef struct damage {
    size_t at;
    const char *bytes;
    bool sealed; /* the header's sum is made right again */
    const char *said;
} damage;

static void test_hostile(void **state)
{
    (void)state;
    static const damage all[] = {
        {0, "/a", true, "absolute"},
        {0, "a/../../x.png", true, "leads out"},
        {0, "../", true, "leads out"},
        {0, "a/\n.png", true, "control character"},
        {156, "1", true, "is a link"},
        {156, "2", true, "is a link"},
        {124, "77777777777", true, "longer than the file"},
        {124, "00000000001", false, "found"},
        {124, "0000000000x", true, "found"},
        {124, "-0000000001", true, "found"},
        {124, "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", true, "found"},
        {124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", true, "found"},
        {156, "x", true, "pax header"},
        {156, "S", true, "a sparse file; make the archive without"},
        {148, "000000", false, "found"},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        static tape t;
        tar_samples s;
        memset(&t, 0, sizeof t);
        add(&t, "a/1.png", '0', "content");
        end(&t);
        memcpy(t.bytes + all[i].at, all[i].bytes, strlen(all[i].bytes));
        if (all[i].sealed) {
            seal(t.bytes);
        }
        assert_fails(collect(&t, &s), ST_DATA, "x.tar", all[i].said, NULL);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *said;
    } all[] = {
        {"a/1.png", "x/a/1.png", "same sample 'a/1.png'"}, {"1.png", "a/2.png", "in a folder that names its class"},
        {"a/1.cls", "a/1.cls", "same sample 'a/1'"},       {"a/1.txt", "a/2.txt", "found none"},
        {"a/1.cls", "a/2.png", "found neither"},           {".a/1.png", "a/2.png", "hidden"},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        static tape t;
        tar_samples s;
        memset(&t, 0, sizeof t);
        add(&t, all[i].first, '0', "1");
        add(&t, all[i].second, '0', "1");
        end(&t);
        assert_fails(collect(&t, &s), ST_DATA, "x.tar", all[i].said, NULL);
    }
    static tape keys;
    tar_samples s;
    add(&keys, "1.cls", '0', "1");
    add(&keys, "1.png", '0', "1");
    add(&keys, "1.jpg", '0', "1");
    end(&keys);
    assert_fails(collect(&keys, &s), ST_DATA, "same sample", NULL);
}

/* Wherever it is cut, it is noticed; wherever a byte is changed, nothing is read outside. */
static void test_cut(void **state)
{
    (void)state;
    static tape whole, t;
    tar_samples s;
    add(&whole, "././@LongLink", 'L', "a/a long name.png");
    add(&whole, "a/1.png", '0', "content");
    add(&whole, "a/2.png", '0', "content");
    end(&whole);
    assert_ok(collect(&whole, &s));
    for (size_t size = 0; size + (size_t)2 * BLOCK < whole.size; size++) {
        t = whole;
        t.size = size;
        assert_fails(collect(&t, &s), ST_DATA, "x.tar", NULL);
    }
    for (size_t i = 0; i < whole.size; i++) {
        t = whole;
        t.bytes[i] ^= 0x81;
        (void)collect(&t, &s);
        status_clear();
        arena_reset(a);
    }
    t = whole;
    add(&t, "a/3.png", '0', "behind the end");
    assert_fails(collect(&t, &s), ST_DATA, "behind the end", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down), cmocka_unit_test_setup_teardown(test_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),    cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_names, set_up, tear_down), cmocka_unit_test_setup_teardown(test_sparse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down), cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
