#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"

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

/* A block of exactly this size on the heap, so that the sanitizer sees a read behind it; the arena rounds up. */
static file_bytes exact(const void *data, size_t size)
{
    unsigned char *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return (file_bytes){copy, size};
}

static void release(file_bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

/* A safetensors file with this header and `data_size` bytes of data that count 0, 1, 2, ... */
static file_bytes make_file(const char *header, size_t data_size)
{
    static unsigned char file[1 << 20];
    const uint64_t length = strlen(header);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data_size; i++) {
        file[8 + length + i] = (unsigned char)i;
    }
    return exact(file, 8 + length + data_size);
}

static status parse(file_bytes bytes, tensors **out)
{
    return safetensors_parse(a, "net.safetensors", bytes, out);
}

static void refuse(const char *header, size_t data_size, const char *first, const char *second)
{
    tensors *t = NULL;
    const file_bytes bytes = make_file(header, data_size);
    const status st = parse(bytes, &t);
    release(bytes);
    assert_fails(st, ST_DATA, "net.safetensors", first, second, NULL);
    assert_null(t);
}

#define HALVES                                                                                                         \
    "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"v\":{\"dtype\":\"F32\",\"shape\":[1],\"data_"    \
    "offsets\":"

static void tensors_are_described_and_found_in_place(void **state)
{
    (void)state;
    tensors *t = NULL;
    const file_bytes bytes = make_file("{\"__metadata__\":{\"arch\":\"vit\",\"note\":\"\"},"
                                       "\"steps\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]},"
                                       "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[24,24]},"
                                       "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}   ",
                                       32);
    assert_ok(parse(bytes, &t));
    assert_int_equal(t->n, 3);
    assert_string_equal(t->source, "net.safetensors");
    const tensor *steps = &t->list[0], *empty = &t->list[1], *weight = &t->list[2];
    assert_string_equal(steps->name, "steps");
    assert_int_equal(steps->rank, 0);
    assert_int_equal(steps->type, TENSOR_OTHER);
    assert_string_equal(steps->type_name, "I64");
    assert_null(steps->data);
    assert_int_equal(empty->dim[0], 0);
    assert_int_equal(weight->rank, 2);
    assert_int_equal(weight->dim[0], 2);
    assert_int_equal(weight->dim[1], 3);
    assert_int_equal(weight->type, TENSOR_F32);
    for (size_t i = 0; i < 24; i++) {
        assert_int_equal(((const unsigned char *)weight->data)[i], i);
    }
    assert_int_equal(t->n_facts, 2);
    assert_string_equal(t->facts[0].name, "arch");
    assert_string_equal(t->facts[0].value, "vit");
    assert_string_equal(t->facts[0].source, "metadata");
    assert_string_equal(t->facts[1].value, "");
    release(bytes);
}

static void data_at_any_alignment_is_usable(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 8; pad++) {
        char header[200];
        tensors *t = NULL;
        (void)snprintf(header, sizeof header, "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},%*s%s}",
                       (int)pad, "", "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}");
        const file_bytes bytes = make_file(header, 9);
        assert_ok(parse(bytes, &t));
        assert_int_equal((uintptr_t)t->list[1].data % 4, 0);
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(((const unsigned char *)t->list[1].data)[i], i + 1);
        }
        release(bytes);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    const file_bytes whole = make_file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    tensors *t = NULL;
    assert_ok(parse(whole, &t));
    for (size_t size = 0; size < whole.size; size++) {
        const file_bytes cut = exact(whole.data, size);
        const status st = parse(cut, &t);
        release(cut);
        assert_fails(st, ST_DATA, "net.safetensors", NULL);
    }
    const file_bytes cut = exact(whole.data, whole.size - 3);
    char expected[80], found[80];
    (void)snprintf(expected, sizeof expected, "expected %zu bytes", whole.size);
    (void)snprintf(found, sizeof found, "found %zu", whole.size - 3);
    assert_fails(parse(cut, &t), ST_DATA, "truncated", expected, found, NULL);
    release(cut);
    release(whole);
}

static void hostile_lengths_are_refused(void **state)
{
    (void)state;
    const struct {
        uint64_t length;
        const char *expected;
    } cases[] = {{(uint64_t)1 << 63, "header of at most"},
                 {UINT64_MAX, "header of at most"},
                 {UINT64_MAX - 7, "header of at most"},
                 {100000001, "header of at most"},
                 {57, "needs 65 bytes"},
                 {56, "JSON"},
                 {0, "JSON"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        tensors *t = NULL;
        unsigned char file[64] = {0};
        memcpy(file, &cases[i].length, 8);
        memset(file + 8, ' ', sizeof file - 8);
        const file_bytes bytes = exact(file, sizeof file);
        const status st = parse(bytes, &t);
        release(bytes);
        assert_fails(st, ST_DATA, "net.safetensors", cases[i].expected, NULL);
    }
    tensors *t = NULL;
    assert_fails(parse((file_bytes){(const unsigned char *)"PK\x03\x04 and so on", 15}, &t), ST_DATA,
                 "found a zip archive", NULL);
}

/* Files of other kinds are named, a header whose length looks like one is not taken for it. */
static void other_kinds_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *start, *name;
    } cases[] = {
        {"\x80\x02}q", "a Python pickle"},
        {"\x89PNG\r\n\x1a\n", "a PNG image"},
        {"\xff\xd8\xff\xe0", "a JPEG image"},
        {"\x89HDF\r\n\x1a\n", "an HDF5 file"},
        {"\x1f\x8b\x08", "gzip"},
        {"study: \xc3\xa9\nmodels:\n", "found text"},
        {"1234567890123456789012345678901234567890123456789012345678901\xe2\x82\xac", "found text"}, /* cut in a character */
    };
    tensors *t = NULL;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char file[80];
        memset(file, cases[i].name[0] == 'f' ? ' ' : 0, sizeof file);
        memcpy(file, cases[i].start, strlen(cases[i].start));
        const file_bytes bytes = exact(file, sizeof file);
        const status st = parse(bytes, &t);
        release(bytes);
        assert_fails(st, ST_DATA, "expected a safetensors file", cases[i].name, NULL);
    }
    char header[0x280]; /* its length begins like a pickle */
    const uint64_t length = sizeof header;
    unsigned char file[8 + sizeof header];
    memset(header, ' ', sizeof header);
    memcpy(header, "{}", 2);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, sizeof header);
    const file_bytes bytes = exact(file, sizeof file);
    assert_ok(parse(bytes, &t));
    release(bytes);
}

/* What a fact says ends in a message without what commands a terminal. */
static void facts_cannot_command_the_terminal(void **state)
{
    (void)state;
    tensors t = {.source = "net"};
    const fact bad = {"mean", "4\x1b[2J", "model.json"};
    assert_fails(facts_merge(a, 0, NULL, 1, &bad, &t), ST_DATA, "found '4?[2J'", NULL);
}

static void shapes_and_types_are_checked(void **state)
{
    (void)state;
    refuse("{\"w\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor w", "F33");
    refuse("{\"w\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor w", "dtype");
    refuse("{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor w", "dtype");
    refuse("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "tensor w", "shape");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":{\"0\":2},\"data_offsets\":[0,8]}}", 8, "tensor w", "shape");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "tensor w", "dimension 0");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "tensor w", "dimension 0");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,\"2\"],\"data_offsets\":[0,8]}}", 8, "tensor w", "dimension 1");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
           "at most 8 dimensions", "found 9");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "12 bytes", "data_offsets 8");
    /* 2^32 x 2^32 x 4 bytes wraps to 0, 2^62 x 4 too */
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "tensor w",
           "2^64");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, "tensor w", "2^64");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}", 0, "JSON", "integer");
    refuse("{\"w\":[1,2]}", 0, "tensor w", "expected {dtype");
    refuse("{\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "name of tensor 1", "empty");
    refuse("{\"a\\u001b[2J\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "name of tensor 1",
           "control");
}

static void offsets_cover_the_data_once(void **state)
{
    (void)state;
    refuse("{" HALVES "[12,16]}}", 16, "tensor v", "gap");
    refuse("{" HALVES "[4,8]}}", 8, "tensor v", "overlap");
    refuse("{" HALVES "[0,4]}}", 8, "they overlap", "starts at byte 0");
    refuse("{" HALVES "[8,12]}}", 16, "expected", "belong to no tensor");
    refuse("{" HALVES "[8,12]}}", 11, "expected", "truncated");
    refuse("{" HALVES "[8,4]}}", 12, "tensor v", "begin <= end");
    refuse("{" HALVES "[-4,0]}}", 12, "tensor v", "begin <= end");
    refuse("{" HALVES "[8]}}", 12, "tensor v", "begin <= end");
    refuse("{" HALVES "[8,12,16]}}", 12, "tensor v", "begin <= end");
    refuse("{" HALVES "\"8,12\"}}", 12, "tensor v", "begin <= end");
    refuse("{" HALVES "[9223372036854775803,9223372036854775807]}}", 12, "tensor v", "gap");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "tensor w", "the header ends");
}

static void headers_are_strict_json(void **state)
{
    (void)state;
    refuse("{" HALVES "[8,12]},\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[12,12]}}", 12, "JSON",
           "duplicate");
    refuse("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "JSON",
           "duplicate");
    refuse("{\"\xff\xfe\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "JSON", "decode byte 0xff");
    refuse("{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "JSON", "u0000");
    refuse("[]", 0, "expected the header to be a JSON object", "");
    refuse("{} {}", 0, "JSON", "");
    refuse("", 0, "JSON", "");
    refuse("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__", "text as the value of a");
    refuse("{\"__metadata__\":[]}", 0, "__metadata__", "object");
    static char deep[600000];
    memset(deep, '[', sizeof deep - 1);
    memcpy(deep, "{\"w\":", 5);
    refuse(deep, 0, "JSON", "depth");
}

static void json_facts(const char *text, size_t *n, fact **out)
{
    const file_bytes bytes = exact(text, strlen(text));
    assert_ok(model_json_parse(a, "model.json", bytes, n, out));
    release(bytes);
}

static const char *value_of(size_t n, const fact *facts, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(facts[i].name, name) == 0) {
            return facts[i].value;
        }
    }
    return "(absent)";
}

static void model_json_is_flattened(void **state)
{
    (void)state;
    size_t n = 0;
    fact *facts = NULL;
    json_facts(
        "{\"val\":{\"top1\":0.5,\"deep\":{\"name\":\"inner\",\"leaf\":7}},\"train\":{\"top1\":1},\"name\":\"outer\","
        "\"resize\":[48,48],\"crop\":null,\"mean\":[0.485,1e-05,-2],\"yes\":true,\"no\":false,\"third\":0.1,"
        "\"classes\":[\"tench, a "
        "fish\",\"back\\\\slash\",\"c\"],\"none_at_all\":[],\"matrix\":[[1]],\"big\":9007199254740993}",
        &n, &facts);
    assert_string_equal(value_of(n, facts, "top1"), "0.5");   /* equally deep: the first */
    assert_string_equal(value_of(n, facts, "name"), "outer"); /* less deep, though later */
    assert_string_equal(value_of(n, facts, "leaf"), "7");
    assert_string_equal(value_of(n, facts, "resize"), "48,48");
    assert_string_equal(value_of(n, facts, "crop"), "none");
    assert_string_equal(value_of(n, facts, "mean"), "0.485,1e-05,-2");
    assert_string_equal(value_of(n, facts, "yes"), "true");
    assert_string_equal(value_of(n, facts, "no"), "false");
    assert_string_equal(value_of(n, facts, "third"), "0.1");
    assert_string_equal(value_of(n, facts, "classes"), "tench\\, a fish,back\\\\slash,c");
    assert_string_equal(value_of(n, facts, "none_at_all"), "");
    assert_string_equal(value_of(n, facts, "matrix"), "(absent)");
    assert_string_equal(value_of(n, facts, "big"), "9007199254740993");
    assert_int_equal(n, 12);
    assert_string_equal(facts[0].source, "model.json");
}

static void refuse_json(const char *text, const char *where, const char *what)
{
    size_t n = 0;
    fact *facts = NULL;
    const file_bytes bytes = exact(text, strlen(text));
    const status st = model_json_parse(a, "x/model.json", bytes, &n, &facts);
    release(bytes);
    assert_fails(st, ST_DATA, "x/model.json", where, what, NULL);
}

static void broken_model_json_is_refused(void **state)
{
    (void)state;
    refuse_json("{\n \"a\": 1,\n \"a\": 2}", ":3:", "duplicate");
    refuse_json("{\n \"a\": }", ":2:7", "JSON");
    refuse_json("{\"a\": \"\xc3\x28\"}", ":1:", "decode byte 0xc3");
    refuse_json("", ":1:", "JSON");
    refuse_json("[1]", ":1:1", "object");
    char deep[1000] = "";
    for (size_t i = 0; i < 100; i++) {
        (void)strcat(deep, "{\"a\":");
    }
    (void)strcat(deep, "1");
    for (size_t i = 0; i < 100; i++) {
        (void)strcat(deep, "}");
    }
    refuse_json(deep, "deeper", "64");
}

#define FACT(n, v, s)                                                                                                  \
    {                                                                                                                  \
        n, v, s                                                                                                        \
    }

static void facts_are_merged_by_rank(void **state)
{
    (void)state;
    const fact config[] = {FACT("heads", "8", "config"), FACT("resize", "none", "config"),
                           FACT("mean", "0.5", "config")};
    const fact json[] = {FACT("resize", "48,48", "model.json"),      FACT("num_heads", "4", "model.json"),
                         FACT("architecture", "ViT!", "model.json"), FACT("arch", "vit", "model.json"),
                         FACT("height", "32", "model.json"),         FACT("width", "24", "model.json"),
                         FACT("crop", "224", "model.json"),          FACT("num_classes", "none", "model.json"),
                         FACT("mean", "not numbers", "model.json"),  FACT("lr", "0.1", "model.json")};
    const fact metadata[] = {FACT("num_classes", "10", "metadata"), FACT("input", "3x16x16", "metadata"),
                             FACT("std", "0.229, 0.224 ,0.225", "metadata"), FACT("lr", "0.2", "metadata")};
    tensors t = {.source = "net", .n_facts = COUNT(metadata), .facts = metadata};
    assert_ok(facts_merge(a, COUNT(config), config, COUNT(json), json, &t));
    assert_string_equal(value_of(t.n_facts, t.facts, "num_heads"), "8");
    assert_string_equal(value_of(t.n_facts, t.facts, "arch"), "vit");
    assert_string_equal(value_of(t.n_facts, t.facts, "resize"), "none");
    assert_string_equal(value_of(t.n_facts, t.facts, "crop"), "224x224");
    assert_string_equal(value_of(t.n_facts, t.facts, "image_size"), "32x24");
    assert_string_equal(value_of(t.n_facts, t.facts, "num_classes"), "10");
    assert_string_equal(value_of(t.n_facts, t.facts, "channels"), "3");
    assert_string_equal(value_of(t.n_facts, t.facts, "mean"), "0.5,0.5,0.5");
    assert_string_equal(value_of(t.n_facts, t.facts, "std"), "0.229,0.224,0.225");
    assert_string_equal(value_of(t.n_facts, t.facts, "lr"), "0.1");
    assert_string_equal(value_of(t.n_facts, t.facts, "height"), "(absent)");
    assert_string_equal(value_of(t.n_facts, t.facts, "input"), "(absent)");
    assert_int_equal(t.n_facts, 10);
    assert_string_equal(t.facts[0].source, "config");
}

static const char *merged(const char *name, const char *value)
{
    const fact given = {name, value, "metadata"};
    tensors t = {.source = "net", .n_facts = 1, .facts = &given};
    const status st = facts_merge(a, 0, NULL, 0, NULL, &t);
    if (!status_ok(st)) {
        assert_fails(st, ST_DATA, "net", name, "metadata", value, "study file", NULL);
        return "(refused)";
    }
    return value_of(t.n_facts, t.facts, name);
}

static void sizes_and_triples_get_one_form(void **state)
{
    (void)state;
    const struct {
        const char *name, *value, *expected;
    } cases[] = {
        {"resize", "48x48 bilinear (Pillow), nothing to do where the image has that size", "48x48"},
        {"resize", "256", "256"},
        {"resize", "256 bilinear", "256"},
        {"resize", "224, 160", "224x160"},
        {"resize", "none", "none"},
        {"resize", "x", "(refused)"},
        {"resize", "", "(refused)"},
        {"resize", "0x48", "(refused)"},
        {"resize", "-48", "(refused)"},
        {"resize", "48x", "(refused)"},
        {"resize", "48px", "(refused)"},
        {"resize", "3x48x48", "(refused)"},
        {"resize", "12345678901234567890123", "(refused)"},
        {"crop", "224", "224x224"},
        {"crop", "none", "none"},
        {"image_size", "32", "32x32"},
        {"image_size", "32X16", "32x16"},
        {"image_size", "none", "(absent)"},
        {"image_size", "large", "(refused)"},
        {"mean", " 1 , 2 , 3 ", "1,2,3"},
        {"mean", "1,2", "(refused)"},
        {"mean", "1,2,3,4", "(refused)"},
        {"mean", "1,,3", "(refused)"},
        {"mean", "nan", "(refused)"},
        {"mean", "1,inf,3", "(refused)"},
        {"std", "0.5;0.5;0.5", "(refused)"},
        {"input", "an image", "an image"},
        {"free", "48x48 anything", "48x48 anything"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(merged(cases[i].name, cases[i].value), cases[i].expected);
    }
}

/* The models that the first studies use, through all three readers. */
static void trained_models_are_read(void **state)
{
    (void)state;
    const struct {
        const char *name, *arch, *image_size, *resize, *mean;
        size_t n_f32;
    } models[] = {
        {"digits_vgg_bn", "vgg_bn", "16x16", "16x16", "0.5,0.5,0.5", 0},
        {"digits_resnet", "resnet", "48x48", "48x48", "0.5,0.5,0.5", 0},
        {"digits_vit", "vit", "16x16", "16x16", "0.5,0.5,0.5", 0},
        {"vit_cifar10", "vit", "32x32", "(absent)", "0.485,0.456,0.406", 0},
        {"resnet20_cifar10", "resnet_cifar", "32x32", "(absent)", "0.485,0.456,0.406", 97},
    };
    for (size_t m = 0; m < COUNT(models); m++) {
        char name[100];
        file_bytes bytes, text;
        tensors *t = NULL;
        size_t n = 0, f32 = 0;
        fact *json = NULL;
        (void)snprintf(name, sizeof name, "models/%s/model.safetensors", models[m].name);
        if (shared_path(name) == NULL) {
            print_message("the trained models are not beside the repository\n");
            skip();
        }
        assert_ok(file_read(a, shared_path(name), SIZE_MAX, &bytes));
        (void)snprintf(name, sizeof name, "models/%s/model.json", models[m].name);
        assert_ok(file_read(a, shared_path(name), SIZE_MAX, &text));
        assert_ok(checkpoint_parse(a, models[m].name, bytes, &t));
        assert_ok(model_json_parse(a, name, text, &n, &json));
        assert_ok(facts_merge(a, 0, NULL, n, json, t));
        for (size_t i = 0; i < t->n; i++) {
            assert_true(t->list[i].type == TENSOR_F32 ? t->list[i].data != NULL
                                                      : strcmp(t->list[i].type_name, "I64") == 0);
            f32 += t->list[i].type == TENSOR_F32;
        }
        assert_true(f32 >= 30);
        assert_true(models[m].n_f32 == 0 || f32 == models[m].n_f32);
        assert_string_equal(value_of(t->n_facts, t->facts, "arch"), models[m].arch);
        assert_string_equal(value_of(t->n_facts, t->facts, "image_size"), models[m].image_size);
        assert_string_equal(value_of(t->n_facts, t->facts, "resize"), models[m].resize);
        assert_string_equal(value_of(t->n_facts, t->facts, "mean"), models[m].mean);
        assert_string_equal(value_of(t->n_facts, t->facts, "channels"), "3");
        assert_string_equal(value_of(t->n_facts, t->facts, "num_classes"), "10");
        /* The metadata alone say the same, where they say it. */
        assert_ok(checkpoint_parse(a, models[m].name, bytes, &t));
        assert_ok(facts_merge(a, 0, NULL, 0, NULL, t));
        assert_string_equal(value_of(t->n_facts, t->facts, "image_size"), models[m].image_size);
        assert_string_equal(value_of(t->n_facts, t->facts, "resize"), models[m].resize);
        assert_string_equal(value_of(t->n_facts, t->facts, "mean"), models[m].mean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_described_and_found_in_place),
        cmocka_unit_test(data_at_any_alignment_is_usable),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(hostile_lengths_are_refused),
        cmocka_unit_test(other_kinds_are_named),
        cmocka_unit_test(facts_cannot_command_the_terminal),
        cmocka_unit_test(shapes_and_types_are_checked),
        cmocka_unit_test(offsets_cover_the_data_once),
        cmocka_unit_test(headers_are_strict_json),
        cmocka_unit_test(model_json_is_flattened),
        cmocka_unit_test(broken_model_json_is_refused),
        cmocka_unit_test(facts_are_merged_by_rank),
        cmocka_unit_test(sizes_and_triples_get_one_form),
        cmocka_unit_test(trained_models_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
