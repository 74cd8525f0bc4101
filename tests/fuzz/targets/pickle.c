/* The pickle machine alone: whatever it makes is walked through. */
#include "io/pickle.h"
#include "fuzz/fuzz.h"

/* Lists can hold themselves, so the walk is bounded. */
static size_t walk(const pickle_value *v, size_t left)
{
    volatile unsigned char sink = 0; /* every byte is read */
    if (left == 0) {
        return 0;
    }
    left--;
    if (v->kind == PICKLE_TEXT) {
        for (size_t i = 0; i < v->text.size; i++) {
            sink = (unsigned char)v->text.start[i];
        }
    } else if (v->kind == PICKLE_TUPLE || v->kind == PICKLE_LIST || v->kind == PICKLE_DICT) {
        for (size_t i = 0; i < v->list->n && left > 0 && left < 1000; i++) {
            left = walk(&v->list->item[i], left);
        }
    } else if (v->kind == PICKLE_STORAGE) {
        sink = (unsigned char)v->storage->key[0];
    } else if (v->kind == PICKLE_TENSOR) {
        sink = (unsigned char)v->tensor->storage->n;
    }
    (void)sink;
    (void)pickle_kind_name(v->kind);
    return left;
}

static void run(arena *a, const uint8_t *data, size_t size)
{
    enum { MOST_PICKLES = 8, MOST_VISITS = 999 };
    pickle_storages storages = {0};
    size_t at = 0;
    for (int i = 0; i < MOST_PICKLES && at < size; i++) {
        pickle_value v = {.kind = PICKLE_ABSENT};
        const status st = pickle_read(a, "fuzz", "a pickle", (file_bytes){data, size}, &at, size % 2 == 0 ? &storages : NULL, &v);
        fuzz_expect(st);
        if (!status_ok(st)) {
            return;
        }
        (void)walk(&v, MOST_VISITS);
        (void)pickle_find(&v, "state_dict");
    }
}

static const char *const corpus[] = {"tests/fuzz/corpus/tensors.pickle", "tests/fuzz/corpus/values.pickle", NULL};
const fuzz_target fuzz_pickle = {"pickle", run, corpus, 1 << 13};
