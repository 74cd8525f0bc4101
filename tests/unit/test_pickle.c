#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/pickle.h"

static arena *a;
static unsigned char *last; /* what texts lie in */

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &a)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(last);
    arena_close(&a);
    return 0;
}

static status run(const void *code, size_t size, pickle_value *out)
{
    pickle_storages storages = {0};
    size_t at = 0;
    unsigned char *copy = malloc(size + (size == 0)); /* exact, so that the sanitizer sees a read behind it */
    assert_non_null(copy);
    memcpy(copy, code, size);
    free(last);
    last = copy;
    const status st = pickle_read(a, "net.pt", "data.pkl", (file_bytes){copy, size}, &at, &storages, out);
    if (status_ok(st)) {
        assert_int_equal(at, size);
    }
    return st;
}

#define RUN(code, out) run(code, sizeof(code) - 1, out)

static void numbers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t size;
        int64_t value;
    } cases[] = {
        {"\x80\x02K\xff.", 5, 255},
        {"\x80\x02M\xff\xff.", 6, 65535},
        {"\x80\x02J\xfe\xff\xff\xff.", 8, -2},
        {"\x80\x02\x8a\x00.", 5, 0},
        {"\x80\x02\x8a\x01\xff.", 6, -1},
        {"\x80\x02\x8a\x02\xff\x00.", 7, 255},
        {"\x80\x02\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", 13, INT64_MIN},
        {"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x07.", 14, 7},
    };
    pickle_value v = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_ok(run(cases[i].code, cases[i].size, &v));
        assert_int_equal(v.kind, PICKLE_INTEGER);
        assert_true(v.integer == cases[i].value);
    }
    assert_ok(RUN("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", &v));
    assert_int_equal(v.kind, PICKLE_LARGE);
    assert_ok(RUN("\x80\x02G\x3f\xe0\x00\x00\x00\x00\x00\x00.", &v));
    assert_true(v.kind == PICKLE_REAL && v.real == 0.5);
}

/* {"a": (1, None), "b": [True, "x", "x"]} with values remembered, in protocol 4 too. */
static void containers_and_memory_are_read(void **state)
{
    (void)state;
    pickle_value v = {0};
    assert_ok(RUN("\x80\x02(t.", &v)); /* nothing was ever on the stack */
    assert_true(v.kind == PICKLE_TUPLE && v.list->n == 0);
    assert_ok(RUN("\x80\x02}q\x00(X\x01\x00\x00\x00"
                  "aK\x01N\x86X\x01\x00\x00\x00"
                  "b](\x88X\x01\x00\x00\x00xq\x01h\x01"
                  "eu.",
                  &v));
    for (int round = 0; round < 2; round++) {
        const pickle_value *first = pickle_find(&v, "a"), *second = pickle_find(&v, "b");
        assert_non_null(first);
        assert_non_null(second);
        assert_null(pickle_find(&v, "c"));
        assert_int_equal(first->kind, PICKLE_TUPLE);
        assert_int_equal(first->list->n, 2);
        assert_int_equal(first->list->item[1].kind, PICKLE_NONE);
        assert_int_equal(second->kind, PICKLE_LIST);
        assert_int_equal(second->list->n, 3);
        assert_int_equal(second->list->item[0].kind, PICKLE_BOOL);
        assert_int_equal(second->list->item[2].kind, PICKLE_TEXT);
        assert_ok(RUN("\x80\x04}\x94(\x8c\x01"
                      "aK\x01N\x86\x8c\x01"
                      "b]\x94(\x88\x8c\x01x\x94h\x02"
                      "eu.",
                      &v));
    }
}

#define NAME(module, name)                                                                                             \
    "\x80\x02"                                                                                                         \
    "c" module "\n" name "\n"

static void whatever_would_run_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *code, *name;
    } cases[] = {
        {NAME("os", "system") "X\x02", "'os.system'"},
        {NAME("builtins", "eval"), "'builtins.eval'"},
        {NAME("torch", "load"), "'torch.load'"},
        {NAME("evil", "OrderedDict"), "'evil.OrderedDict'"},
        {NAME("evil", "FloatStorage"), "'evil.FloatStorage'"},
        {NAME("torch.nn.parameter", "_rebuild_tensor_v2"), "'torch.nn.parameter._rebuild_tensor_v2'"},
        {NAME("torch.storage", "_load_from_bytes"), "'torch.storage._load_from_bytes'"},
        {NAME("torch._utils", "_rebuild_tensor_v3"), "'torch._utils._rebuild_tensor_v3'"},
        {NAME("numpy.core.multiarray", "scalar"), "'numpy.core.multiarray.scalar'"},
        {NAME("argparse", "Namespace"), "'argparse.Namespace'"},
        {NAME("collections.OrderedDict", ""), "'collections.OrderedDict.'"},
        {NAME("collections", "OrderedDict.fromkeys"), "'collections.OrderedDict.fromkeys'"},
        {NAME("torch", "FloatStorage.__init__"), "'torch.FloatStorage.__init__'"},
        {NAME("os\x1b[2J", "system"), "'os"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pickle_value v = {0};
        assert_fails(run(cases[i].code, strlen(cases[i].code), &v), ST_DATA, "net.pt: data.pkl, byte 2: refers to",
                     cases[i].name, "nothing is executed", NULL);
    }
    pickle_value v = {0};
    assert_fails(RUN("\x80\x04\x8c\x05posix\x8c\x06system\x93.", &v), ST_DATA, "'posix.system'", NULL);
    assert_fails(RUN("\x80\x02(X\x06\x00\x00\x00moduleK\x01tQ.", &v), ST_DATA, "'module'", "would be executed", NULL);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t size;
        const char *expected;
    } cases[] = {
        {".", 1, "expected 1 values on the stack, found 0"},
        {"", 0, "expected 1 more bytes, found 0"},
        {"\x80\x01.", 3, "protocol 2 to 5, found 1"},
        {"\x80\x09.", 3, "protocol 2 to 5, found 9"},
        {"(N.", 3, "the end of nested values"},
        {"Nt.", 3, "expected a mark"},
        {"(Nd.", 4, "a value for each key"},
        {"N\x86.", 3, "expected 2 values on the stack, found 1"},
        {"(N\x85"
         "0.",
         5, "operation 0x30"},
        {"NNa.", 4, "expected a list"},
        {"]N(s.", 5, "expected 2 values on the stack, found 0"},
        {"}(Nu.", 5, "expected a dictionary to add 1"},
        {"h\x00.", 3, "refers to value 0, which does not exist"},
        {"q\x00.", 3, "expected a value to remember"},
        {"Nr\xff\xff\xff\xff.", 7, "a value to remember under a small number"},
        {"Nr\x40\x42\x0f\x00.", 7, "a value to remember under a small number"},
        {"Nj\x00\x00\x00\x80.", 7, "refers to value 2147483648"},
        {"X\xff\xff\xff\xff"
         "abc.",
         9, "expected 4294967295 more bytes, found 4"},
        {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", 10, "expected 18446744073709551615 more bytes"},
        {"\x8b\xff\xff\xff\x7f.", 6, "expected 2147483647 more bytes"},
        {"cos", 3, "expected a name and the end of its line"},
        {"NNR.", 4, "found a call of None with None"},
        {"]N\x93.", 4, "expected two texts as a name"},
        {"NNb.", 4, "attributes of a dictionary"},
        {"NQ.", 3, "found another reference"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pickle_value v = {0};
        assert_fails(run(cases[i].code, cases[i].size, &v), ST_DATA, "net.pt: data.pkl, byte ", cases[i].expected,
                     NULL);
    }
}

#define STORAGE(n)                                                                                                     \
    "(X\x07\x00\x00\x00storage"                                                                                        \
    "ctorch\nFloatStorage\nX\x01\x00\x00\x00"                                                                          \
    "0X\x03\x00\x00\x00"                                                                                               \
    "cpu" n "tQ"

static void tensors_are_checked(void **state)
{
    (void)state;
    pickle_value v = {0};
    assert_ok(RUN("ctorch._utils\n_rebuild_tensor\n(" STORAGE("K\x08") "K\x02K\x02K\x03\x86K\x03K\x01\x86tR.", &v));
    assert_int_equal(v.kind, PICKLE_TENSOR);
    assert_int_equal(v.tensor->rank, 2);
    assert_true(v.tensor->offset == 2 && v.tensor->dim[1] == 3 && v.tensor->stride[0] == 3 &&
                v.tensor->storage->n == 8);
    assert_string_equal(v.tensor->storage->key, "0");
    assert_fails(RUN("ctorch._utils\n_rebuild_tensor\n(" STORAGE("K\x08") "J\xff\xff\xff\xffK\x02\x85K\x01\x85tR.", &v),
                 ST_DATA, "an offset of at least 0", NULL);
    assert_fails(RUN("ctorch._utils\n_rebuild_tensor\n(NK\x00K\x02\x85K\x01\x85tR.", &v), ST_DATA,
                 "expected a tensor of a storage", NULL);
    assert_fails(RUN("ctorch._utils\n_rebuild_tensor\n(" STORAGE("K\x08") "K\x00K\x02\x85)tR.", &v), ST_DATA,
                 "a stride for each of 1", NULL);
    assert_fails(RUN("ctorch._utils\n_rebuild_tensor\n(" STORAGE("K\x08") "K\x00J\xff\xff\xff\xff\x85K\x01\x85tR.", &v),
                 ST_DATA, "the size of a tensor", NULL);
    assert_fails(RUN("ctorch._utils\n_rebuild_tensor\n(" STORAGE("K\x08") "K\x00(KKKKKKKKKKKKKKKKKKtK\x01\x85tR.", &v),
                 ST_DATA, "at most 8 numbers", NULL);
    assert_fails(RUN("ctorch._utils\n_rebuild_tensor\n(NtR.", &v), ST_DATA, "cannot be called with 1 arguments", NULL);
    assert_fails(RUN(STORAGE("J\xff\xff\xff\xff") ".", &v), ST_DATA, "found another reference", NULL);
    assert_fails(RUN("ctorch\nFloatStorage\n)R.", &v), ST_DATA, "cannot be called", NULL);
}

/* Long, deep and wide pickles cost what they are long, and end. */
static void growth_is_bounded(void **state)
{
    (void)state;
    const size_t size = (size_t)PICKLE_MOST_BYTES + 100;
    unsigned char *code = malloc(size);
    pickle_value v = {0};
    assert_non_null(code);
    memset(code, '(', size); /* marks within marks */
    assert_fails(run(code, size, &v), ST_DATA, "nested at most 256 deep", NULL);
    memset(code, ']', size); /* values without end */
    assert_fails(run(code, size, &v), ST_DATA, "at most 1048576 values", NULL);
    memset(code, 0x85, size); /* ((((...),),),) as deep as values go */
    code[0] = 'N';
    assert_fails(run(code, size, &v), ST_DATA, "at most 1048576 values", NULL);
    code[1000000] = '.';
    assert_ok(run(code, 1000001, &v));
    assert_int_equal(v.kind, PICKLE_TUPLE);
    code[0] = 'X'; /* a text that fills the file */
    const uint32_t length = PICKLE_MOST_BYTES;
    memcpy(code + 1, &length, 4);
    assert_fails(run(code, size, &v), ST_DATA, "the description of tensors in at most 67108864 bytes", NULL);
    free(code);
    assert_true(arena_bytes(a) < (size_t)1 << 30);
    arena_reset(a);
}

/* A remembered list of pairs is copied by every call that makes a dictionary of it: small files must not ask for all memory. */
static void copies_of_pairs_are_counted(void **state)
{
    (void)state;
    enum { PAIRS = 1000, CALLS = 2000, ROOM = 1 << 15 };
    static const char begin[] = "ccollections\nOrderedDict\nq\x00]q\x01(", middle[] = "e\x85q\x02", call[] = "h\x00h\x02R";
    static char code[ROOM];
    size_t n = sizeof begin - 1;
    memcpy(code, begin, n);
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(code + n, "K\x01N\x86", 4);
        n += 4;
    }
    memcpy(code + n, middle, sizeof middle - 1);
    n += sizeof middle - 1;
    for (size_t i = 0; i < CALLS; i++) {
        memcpy(code + n, call, sizeof call - 1);
        n += sizeof call - 1;
    }
    memcpy(code + n, "N.", 2);
    pickle_value v;
    assert_fails(run(code, n + 2, &v), ST_DATA, "at most 1048576 values", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_of_pairs_are_counted),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(containers_and_memory_are_read),
        cmocka_unit_test(whatever_would_run_is_refused_by_name),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(growth_is_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
