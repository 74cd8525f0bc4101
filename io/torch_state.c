#include "io/torch_state.h"

#include <inttypes.h>
#include <stdalign.h>
#include <string.h>

/* Keys of dictionaries around the weights, as torchvision's and timm's training programs and others write them; averaged weights come first,
 * since they are the ones whose accuracy is published. */
static const char *const wrappers[] = {"state_dict_ema", "model_ema", "state_dict", "model"};
enum { MOST_WRAPPERS = 4 };

/* Elements of a tensor; false where that is more than `most`. */
static bool count_elements(const torch_tensor *t, uint64_t most, uint64_t *out)
{
    *out = 1;
    for (size_t i = 0; i < t->rank; i++) {
        if (t->dim[i] == 0) {
            *out = 0;
            return true;
        }
    }
    for (size_t i = 0; i < t->rank; i++) {
        if (t->dim[i] > most / *out) {
            return false;
        }
        *out *= t->dim[i];
    }
    return true;
}

/* Index of the last element in the storage's view; false where it lies beyond `n`. */
static bool last_within(const torch_tensor *t, uint64_t n)
{
    uint64_t last = t->offset;
    if (last >= n) {
        return false;
    }
    for (size_t i = 0; i < t->rank; i++) {
        const uint64_t steps = t->dim[i] - 1;
        if (steps != 0 && t->stride[i] > (n - 1 - last) / steps) {
            return false;
        }
        last += steps * t->stride[i];
    }
    return true;
}

static bool is_contiguous(const torch_tensor *t)
{
    uint64_t expected = 1;
    for (size_t i = t->rank; i-- > 0;) {
        if (t->dim[i] != 1 && t->stride[i] != expected) {
            return false;
        }
        expected *= t->dim[i];
    }
    return true;
}

/* Row-major float32 of any strides and type. Everything has been checked. */
static void gather(const torch_tensor *t, const unsigned char *first, uint64_t n, float *out)
{
    uint64_t index[MAX_TENSOR_DIMS] = {0}, at = 0;
    const number_type *type = t->storage->type;
    for (uint64_t i = 0; i < n; i++) {
        out[i] = type->read(first + at * type->bytes);
        for (size_t d = t->rank; d-- > 0;) {
            at += t->stride[d];
            if (++index[d] < t->dim[d]) {
                break;
            }
            at -= t->dim[d] * t->stride[d];
            index[d] = 0;
        }
    }
}

typedef struct collector {
    arena *a;
    const torch_source *from;
    tensor *list;
    size_t n;
    uint64_t elements; /* of all tensors so far */
} collector;

/* The bytes of the tensor's first element. */
static status find_data(const collector *c, const char *name, const torch_tensor *t, const unsigned char **first)
{
    const torch_storage *s = t->storage;
    uint64_t bytes = 0;
    TRY(c->from->find(c->from, s, first, &bytes));
    if (s->n > bytes / s->type->bytes || s->view_first > s->n || s->view_n > s->n - s->view_first) {
        return FAIL(ST_DATA, "%s: tensor '%s': storage '%s' has %" PRIu64 " bytes, expected %" PRIu64 " of %s",
                    c->from->source, name, s->key, bytes, s->n, s->type->name);
    }
    if (!last_within(t, s->view_n)) {
        return FAIL(ST_DATA,
                    "%s: tensor '%s': offset %" PRIu64 ", size and strides lead out of its storage '%s' of %" PRIu64
                    " elements",
                    c->from->source, name, t->offset, s->key, s->view_n);
    }
    *first += (s->view_first + t->offset) * s->type->bytes;
    return STATUS_OK;
}

static status attach(collector *c, const torch_tensor *t, uint64_t n, tensor *to)
{
    const unsigned char *first = NULL;
    float *copy;
    if (n > 0) {
        TRY(find_data(c, to->name, t, &first));
    }
    if (to->type != TENSOR_F32) {
        to->stored = is_contiguous(t) ? first : NULL;
        to->stored_bytes = (size_t)n * t->storage->type->bytes;
        return STATUS_OK;
    }
    if (n > 0 && strcmp(to->type_name, "F32") == 0 && is_contiguous(t) && (uintptr_t)first % alignof(float) == 0) {
        to->data = (const float *)(const void *)first;
        return STATUS_OK;
    }
    TRY_ALLOC(copy, c->a, (size_t)n);
    gather(t, first, n, copy);
    to->data = copy;
    return STATUS_OK;
}

static bool printable(const pickle_value *name)
{
    for (size_t i = 0; i < name->text.size; i++) {
        const unsigned char c = (unsigned char)name->text.start[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return name->text.size > 0 && name->text.size <= 1000;
}

static status add_tensor(collector *c, const pickle_value *name, const torch_tensor *t)
{
    uint64_t n = 0;
    tensor *to = &c->list[c->n];
    if (name->kind != PICKLE_TEXT || !printable(name)) {
        return FAIL(ST_DATA, "%s: the name of tensor %zu is no text, empty, too long, or has control characters",
                    c->from->source, c->n + 1);
    }
    TRY_TEXT(to->name, c->a, "%.*s", (int)name->text.size, name->text.start);
    to->type_name = t->storage->type->name;
    to->type = t->storage->type->read != NULL ? TENSOR_F32 : TENSOR_OTHER;
    if (!count_elements(t, c->from->file_bytes - c->elements, &n)) {
        return FAIL(
            ST_DATA,
            "%s: tensor '%s': expected tensors of at most as many elements as the file has bytes, %zu, found more",
            c->from->source, to->name, c->from->file_bytes);
    }
    c->elements += n;
    to->rank = t->rank;
    for (size_t i = 0; i < t->rank; i++) {
        to->dim[i] = (size_t)t->dim[i];
    }
    c->n++;
    return attach(c, t, n, to);
}

/* "'epoch', 'args'": the first keys of a dictionary. */
static void keys_text(const pickle_value *dict, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i + 1 < dict->list->n && i < 10; i += 2) {
        const pickle_value *key = &dict->list->item[i];
        if (key->kind == PICKLE_TEXT && used < size) {
            used += (size_t)snprintf(out + used, size - used, "%s'%.*s'", used > 0 ? ", " : "",
                                     (int)(key->text.size < 40 ? key->text.size : 40), key->text.start);
        }
    }
}

/* The dictionary that holds the tensors; *path is how it was reached: "state_dict". */
static status unwrap(arena *a, const pickle_value **dict, const char **path)
{
    for (size_t depth = 0; depth < MOST_WRAPPERS; depth++) {
        const pickle_value *inner = NULL;
        size_t i = 0;
        for (; i < COUNT(wrappers) && (inner == NULL || inner->kind != PICKLE_DICT); i++) {
            inner = pickle_find(*dict, wrappers[i]);
        }
        if (inner == NULL || inner->kind != PICKLE_DICT) {
            return STATUS_OK;
        }
        if (*path == NULL) {
            *path = wrappers[i - 1];
        } else {
            TRY_TEXT(*path, a, "%s.%s", *path, wrappers[i - 1]);
        }
        *dict = inner;
    }
    return STATUS_OK;
}

static status collect(collector *c, const pickle_value *dict)
{
    const pickle_list *entries = dict->list;
    TRY_ALLOC(c->list, c->a, entries->n / 2);
    for (size_t i = 0; i + 1 < entries->n; i += 2) {
        if (entries->item[i + 1].kind == PICKLE_TENSOR) { /* what else lies there says nothing about weights */
            TRY(add_tensor(c, &entries->item[i], entries->item[i + 1].tensor));
        }
    }
    return STATUS_OK;
}

status torch_state_tensors(arena *a, const torch_source *from, const pickle_value *root, tensors **out)
{
    collector c = {.a = a, .from = from};
    const char *path = NULL;
    tensors *t;
    if (root->kind != PICKLE_DICT) {
        return FAIL(ST_DATA,
                    "%s: expected a dictionary of tensors, found %s; save the weights with "
                    "torch.save(model.state_dict(), path)",
                    from->source, pickle_kind_name(root->kind));
    }
    TRY(unwrap(a, &root, &path));
    TRY(collect(&c, root));
    if (c.n == 0) {
        char keys[300];
        keys_text(root, keys, sizeof keys);
        return FAIL(ST_DATA,
                    "%s: expected tensors, or a dictionary of them called state_dict, model, state_dict_ema or "
                    "model_ema; found %s%s",
                    from->source, keys[0] == '\0' ? "no names" : "the names ", keys);
    }
    TRY_ALLOC(t, a, 1);
    TRY_TEXT(t->source, a, "%s", from->source);
    t->n = c.n;
    t->list = c.list;
    if (path != NULL) {
        fact *f;
        TRY_ALLOC(f, a, 1);
        *f = (fact){"weights_from", path, "checkpoint"};
        t->facts = f;
        t->n_facts = 1;
    }
    *out = t;
    return STATUS_OK;
}
