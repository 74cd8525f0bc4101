#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "io/checkpoint.h"

/* Files that PyTorch wrote: tests/unit/checkpoints/make.py. */
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

static file_bytes fixture(const char *name)
{
    char path[100];
    file_bytes bytes;
    (void)snprintf(path, sizeof path, "tests/unit/checkpoints/%s", name);
    assert_ok(file_read(a, source_path(path), SIZE_MAX, &bytes));
    return bytes;
}

/* A block of exactly this size on the heap, so that the sanitizer sees a read behind it; the arena rounds up. */
static unsigned char *exact(const unsigned char *data, size_t size)
{
    unsigned char *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

static const tensor *expect(const tensors *t, const char *name, const char *type, size_t rank, const size_t dim[])
{
    const tensor *x = tensors_find(t, name);
    assert_non_null(x);
    assert_string_equal(x->type_name, type);
    assert_int_equal(x->rank, rank);
    for (size_t i = 0; i < rank; i++) {
        assert_int_equal(x->dim[i], dim[i]);
    }
    return x;
}

static void check_tensors(const tensors *t)
{
    assert_int_equal(t->n, 10);
    const tensor *plain = expect(t, "plain", "F32", 3, (const size_t[]){2, 3, 4});
    const tensor *eighths[] = {expect(t, "half", "F16", 1, (const size_t[]){24}),
                               expect(t, "bfloat", "BF16", 1, (const size_t[]){24}),
                               expect(t, "double", "F64", 1, (const size_t[]){24})};
    const tensor *transposed = expect(t, "transposed", "F32", 2, (const size_t[]){6, 4});
    const tensor *sliced = expect(t, "sliced", "F32", 2, (const size_t[]){4, 2});
    const tensor *shared = expect(t, "shared", "F32", 1, (const size_t[]){10});
    const tensor *parameter = expect(t, "parameter", "F32", 1, (const size_t[]){3});
    for (size_t i = 0; i < 24; i++) {
        assert_true(plain->data[i] == (float)i);
        assert_true(transposed->data[i] == (float)(i % 4 * 6 + i / 4));
        for (size_t k = 0; k < COUNT(eighths); k++) {
            assert_int_equal(eighths[k]->type, TENSOR_F32);
            assert_true(eighths[k]->data[i] == (float)i / 8.0f - 1.0f);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        assert_true(sliced->data[i] == (float)(100 + 5 + i / 2 * 5 + 1 + i % 2 * 2));
    }
    for (size_t i = 0; i < 10; i++) {
        assert_true(shared->data[i] == (float)(130 + i));
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(parameter->data[i] == (float)i);
    }
    const tensor *steps = expect(t, "steps", "I64", 0, NULL);
    assert_int_equal(steps->type, TENSOR_OTHER);
    assert_null(steps->data);
    (void)expect(t, "empty", "F32", 2, (const size_t[]){0, 3});
}

static void both_formats_say_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {"zip.pt", "legacy.pt", "zip_wrapped.pt", "legacy_wrapped.pt"};
    for (size_t i = 0; i < COUNT(names); i++) {
        tensors *t = NULL;
        assert_ok(checkpoint_parse(a, names[i], fixture(names[i]), &t));
        check_tensors(t);
        const char *wrapper = tensors_fact(t, "weights_from");
        assert_true(i < 2 ? wrapper == NULL : strcmp(wrapper, "state_dict") == 0);
    }
}

static void averaged_weights_come_first(void **state)
{
    (void)state;
    tensors *t = NULL;
    assert_ok(checkpoint_parse(a, "averaged.pt", fixture("averaged.pt"), &t));
    assert_true(expect(t, "w", "F32", 1, (const size_t[]){24})->data[3] == 4.0f);
    assert_string_equal(tensors_fact(t, "weights_from"), "state_dict_ema");
}

static void whole_models_are_refused_by_name(void **state)
{
    (void)state;
    tensors *t = NULL;
    assert_fails(checkpoint_parse(a, "whole_model.pt", fixture("whole_model.pt"), &t), ST_DATA, "whole_model.pt",
                 "'torch.nn.modules.linear.Linear'", "nothing is executed", "state_dict()", NULL);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"zip.pt", "legacy_wrapped.pt"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const file_bytes whole = fixture(names[i]);
        for (size_t size = 0; size < whole.size; size++) {
            tensors *t = NULL;
            unsigned char *cut = exact(whole.data, size);
            const status st = checkpoint_parse(a, names[i], (file_bytes){cut, size}, &t);
            free(cut);
            assert_fails(st, ST_DATA, names[i], NULL);
        }
    }
}

/* Whatever is damaged, an answer comes: a refusal or tensors that can be read. */
static void damage_never_crashes(void **state)
{
    (void)state;
    static const char *const names[] = {"zip_wrapped.pt", "legacy.pt", "averaged.pt"};
    size_t refused = 0, read = 0;
    for (size_t i = 0; i < 6000; i++) {
        arena *own = NULL;
        tensors *t = NULL;
        const file_bytes whole = fixture(names[i % COUNT(names)]);
        unsigned char *copy = exact(whole.data, whole.size);
        for (size_t k = 0; k < 1 + i % 4; k++) {
            const uint64_t draw = rng_u64(i, RNG_TEST, 0, (uint32_t)k);
            copy[draw % whole.size] =
                (unsigned char)(k % 2 == 0 ? draw >> 32 : copy[draw % whole.size] ^ 1u << (draw >> 40) % 8);
        }
        assert_ok(arena_open("damaged", &own));
        const status st = checkpoint_parse(own, "net", (file_bytes){copy, whole.size}, &t);
        assert_true(status_ok(st) || st.code == ST_DATA);
        float sum = 0.0f;
        for (size_t k = 0; status_ok(st) && k < t->n; k++) {
            size_t n = t->list[k].type == TENSOR_F32;
            for (size_t d = 0; d < t->list[k].rank; d++) {
                n *= t->list[k].dim[d];
            }
            for (size_t e = 0; e < n; e++) {
                sum += t->list[k].data[e];
            }
        }
        volatile float sink = sum; /* every element is read */
        (void)sink;
        status_ok(st) ? read++ : refused++;
        status_clear();
        free(copy);
        arena_close(&own);
        arena_reset(a);
    }
    assert_true(refused > 1000 && read > 500); /* the bytes of weights may be any */
}

static void published_weights_are_the_same_in_both_files(void **state)
{
    (void)state;
    file_bytes legacy, other;
    tensors *t = NULL, *u = NULL;
    const char *path = shared_path("models/resnet20_cifar10/resnet20-12fca82f.th");
    if (path == NULL) {
        print_message("the published checkpoint is not beside the repository\n");
        skip();
    }
    assert_ok(file_read(a, path, SIZE_MAX, &legacy));
    assert_ok(file_read(a, shared_path("models/resnet20_cifar10/model.safetensors"), SIZE_MAX, &other));
    assert_ok(checkpoint_parse(a, "th", legacy, &t));
    assert_ok(checkpoint_parse(a, "safetensors", other, &u));
    assert_int_equal(t->n, 97);
    assert_int_equal(u->n, 97);
    for (size_t i = 0; i < t->n; i++) {
        const tensor *x = &t->list[i], *y = expect(u, x->name, x->type_name, x->rank, x->dim);
        size_t n = 1;
        for (size_t d = 0; d < x->rank; d++) {
            n *= x->dim[d];
        }
        assert_memory_equal(x->data, y->data, n * sizeof(float));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_say_the_same),
        cmocka_unit_test(averaged_weights_come_first),
        cmocka_unit_test(whole_models_are_refused_by_name),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(damage_never_crashes),
        cmocka_unit_test(published_weights_are_the_same_in_both_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
