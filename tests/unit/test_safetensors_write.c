/* safetensors files as they are written: read back by the reader, laid out as the format asks, whole or not at all. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/checkpoint.h"
#include "io/safetensors_write.h"

static arena *memory;

static const char *file_of(const char *name)
{
    static char path[5000];
    (void)snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
    return path;
}

static const float numbers[6] = {0.5f, -1.0f, 2.0f, 3.5f, -0.0f, 1e-30f};
static const int64_t counter = 4711;
static const fact facts[] = {{"num_heads", "4", NULL}, {"quoted", "say \"x\"\n", NULL}, {"broken", "\xff\xfe", NULL}};
static const written_tensor list[] = {
    {"one.weight", "F32", 2, {2, 3}, numbers},
    {"one.bias", "F32", 1, {1}, numbers + 4},
    {"norm.num_batches_tracked", "I64", 0, {0}, &counter},
    {"empty", "F32", 2, {0, 5}, numbers},
};

static tensors *read_back(const char *path, file_bytes *bytes)
{
    tensors *t = NULL;
    assert_ok(file_read(memory, path, SIZE_MAX, bytes));
    assert_ok(safetensors_parse(memory, path, *bytes, &t));
    return t;
}

static void what_is_written_is_read(void **state)
{
    file_bytes bytes;
    (void)state;
    const char *path = file_of("a.safetensors");
    assert_ok(safetensors_write(path, COUNT(facts), facts, COUNT(list), list, NULL, NULL));
    const tensors *t = read_back(path, &bytes);
    assert_int_equal(t->n, COUNT(list));
    for (size_t i = 0; i < COUNT(list); i++) {
        const tensor *found = tensors_find(t, list[i].name);
        assert_non_null(found);
        assert_int_equal(found->rank, list[i].rank);
        assert_memory_equal(found->dim, list[i].dim, list[i].rank * sizeof(size_t));
        assert_string_equal(found->type_name, list[i].type);
    }
    assert_memory_equal(tensors_find(t, "one.weight")->data, numbers, sizeof numbers);
    assert_memory_equal(tensors_find(t, "one.bias")->data, numbers + 4, sizeof *numbers);
    const tensor *count = tensors_find(t, "norm.num_batches_tracked");
    assert_int_equal(count->stored_bytes, sizeof counter);
    assert_memory_equal(count->stored, &counter, sizeof counter);
    assert_string_equal(tensors_fact(t, "num_heads"), "4");
    assert_string_equal(tensors_fact(t, "quoted"), "say \"x\"\n");
    assert_null(tensors_fact(t, "broken"));
}

/* The 8-byte type comes first, and the header is a multiple of 8, so that a mapped file can be used in place. */
static void numbers_are_aligned(void **state)
{
    file_bytes bytes;
    uint64_t length;
    (void)state;
    const char *path = file_of("b.safetensors");
    for (size_t n = 0; n <= COUNT(list); n++) {
        assert_ok(safetensors_write(path, n % 2, facts, n, list, NULL, NULL));
        const tensors *t = read_back(path, &bytes);
        memcpy(&length, bytes.data, sizeof length);
        assert_int_equal(length % 8, 0);
        for (size_t i = 0; i < t->n; i++) {
            const tensor *x = &t->list[i];
            const size_t offset = (size_t)((x->type == TENSOR_F32 ? (const unsigned char *)x->data : x->stored) - bytes.data);
            assert_int_equal(offset % (x->type == TENSOR_F32 ? 4 : 8), 0);
        }
    }
}

static status fill(void *context, size_t index, const void **data)
{
    static float made[6];
    assert_ptr_equal(context, memory);
    for (size_t i = 0; i < COUNT(made); i++) {
        made[i] = (float)(100 * index + i);
    }
    *data = made;
    return index == 3 ? FAIL(ST_ENVIRONMENT, "no more") : STATUS_OK;
}

static void numbers_can_be_made_one_tensor_after_the_other(void **state)
{
    file_bytes bytes;
    written_tensor later[3];
    (void)state;
    const char *path = file_of("c.safetensors");
    for (size_t i = 0; i < COUNT(later); i++) {
        later[i] = (written_tensor){i == 0 ? "x" : i == 1 ? "y" : "z", "F32", 2, {2, 3}, NULL};
    }
    assert_ok(safetensors_write(path, 0, NULL, COUNT(later), later, fill, memory));
    const tensors *t = read_back(path, &bytes);
    for (size_t i = 0; i < COUNT(later); i++) {
        assert_true(tensors_find(t, later[i].name)->data[5] == (float)(100 * i + 5));
    }
}

static void nothing_is_left_of_what_fails(void **state)
{
    struct stat info;
    file_bytes before, after;
    written_tensor bad[4];
    (void)state;
    const char *path = file_of("d.safetensors");
    assert_ok(safetensors_write(path, 0, NULL, COUNT(list), list, NULL, NULL));
    assert_ok(file_read(memory, path, SIZE_MAX, &before));
    memcpy(bad, list, sizeof bad);
    bad[1].name = bad[0].name;
    assert_fails(safetensors_write(path, 0, NULL, COUNT(bad), bad, NULL, NULL), ST_BUG, "one.weight", NULL);
    bad[1] = (written_tensor){"y", "F99", 1, {2}, numbers};
    assert_fails(safetensors_write(path, 0, NULL, COUNT(bad), bad, NULL, NULL), ST_BUG, "F99", NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        bad[i] = (written_tensor){i == 0 ? "x" : i == 1 ? "y" : i == 2 ? "z" : "w", "F32", 2, {2, 3}, NULL};
    }
    assert_fails(safetensors_write(path, 0, NULL, COUNT(bad), bad, fill, memory), ST_ENVIRONMENT, "no more", NULL);
    assert_ok(file_read(memory, path, SIZE_MAX, &after));
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.data, before.data, before.size);
    assert_fails(safetensors_write(file_of("d.safetensors/x"), 0, NULL, COUNT(list), list, NULL, NULL), ST_CANT_WRITE, "-o", NULL);
    assert_true(stat(file_of("d.safetensors.tmp"), &info) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(numbers_are_aligned),
        cmocka_unit_test(numbers_can_be_made_one_tensor_after_the_other),
        cmocka_unit_test(nothing_is_left_of_what_fails),
    };
    if (!status_ok(arena_open("test", &memory))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(&memory);
    return failed;
}
