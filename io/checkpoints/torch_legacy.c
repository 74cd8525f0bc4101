/* torch.save before PyTorch 1.6: five pickles (magic number, protocol, machine, the dictionary, the keys of the storages), then each
 * storage in the order of the keys: u64 number of elements, elements. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint_reader.h"
#include "io/file_kind.h"
#include "io/torch_state.h"

/* Protocol 2, the integer 0x1950a86a20f9469cfc6c, stop. */
static const char magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
enum { PROTOCOL = 1001 };

static bool recognises(file_bytes bytes)
{
    return file_starts_with(bytes, magic, sizeof magic - 1);
}

typedef struct stored { /* one array of the file */
    const char *key;
    const unsigned char *data;
    uint64_t bytes;
} stored;

typedef struct file {
    const char *source;
    file_bytes bytes;
    size_t at;
    size_t n;
    stored *list; /* [n] by key */
} file;

static status read_preamble(arena *a, file *f)
{
    pickle_value v;
    TRY(pickle_read(a, f->source, "the magic number", f->bytes, &f->at, NULL, &v));
    TRY(pickle_read(a, f->source, "the protocol", f->bytes, &f->at, NULL, &v));
    if (v.kind != PICKLE_INTEGER || v.integer != PROTOCOL) {
        return FAIL(ST_DATA, "%s: expected version %d of PyTorch's legacy format, found another", f->source,
                    (int)PROTOCOL);
    }
    TRY(pickle_read(a, f->source, "the description of the machine", f->bytes, &f->at, NULL, &v));
    const pickle_value *little = pickle_find(&v, "little_endian");
    if (little == NULL || little->kind != PICKLE_BOOL || little->integer != 1) {
        return FAIL(ST_DATA,
                    "%s: expected little-endian numbers, found others; save it again on a little-endian machine",
                    f->source);
    }
    return STATUS_OK;
}

static int by_storage_key(const void *a, const void *b)
{
    const torch_storage *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static int by_key(const void *a, const void *b)
{
    const stored *x = a, *y = b;
    return strcmp(x->key, y->key);
}

/* The next array of the file, whose type a tensor of it tells. */
static status read_array(file *f, const pickle_storages *storages, const pickle_value *key, stored *out)
{
    torch_storage wanted = {.key = out->key}, *pointer = &wanted;
    torch_storage **s = key->kind != PICKLE_TEXT || storages->n == 0
                            ? NULL
                            : bsearch(&pointer, storages->list, storages->n, sizeof pointer, by_storage_key);
    uint64_t n = 0;
    if (s == NULL) {
        return FAIL(ST_DATA, "%s: storage '%.100s' belongs to no tensor", f->source, out->key);
    }
    if (f->bytes.size - f->at < sizeof n) {
        return FAIL(ST_DATA, "%s: ended before storage '%.100s': the file is truncated; copy or download it again",
                    f->source, out->key);
    }
    memcpy(&n, f->bytes.data + f->at, sizeof n);
    f->at += sizeof n;
    if (n != (*s)->n) {
        return FAIL(ST_DATA, "%s: storage '%.100s': expected %" PRIu64 " elements, as its tensors say, found %" PRIu64,
                    f->source, out->key, (*s)->n, n);
    }
    if (n > (f->bytes.size - f->at) / (*s)->type->bytes) {
        return FAIL(ST_DATA,
                    "%s: storage '%.100s' of %" PRIu64
                    " %s needs more than the %zu bytes left: the file is truncated; copy or "
                    "download it again",
                    f->source, out->key, n, (*s)->type->name, f->bytes.size - f->at);
    }
    out->data = f->bytes.data + f->at;
    out->bytes = n * (*s)->type->bytes;
    f->at += (size_t)out->bytes;
    return STATUS_OK;
}

static status read_arrays(arena *a, file *f, const pickle_storages *storages, const pickle_value *keys)
{
    if (keys->kind != PICKLE_LIST) {
        return FAIL(ST_DATA, "%s: expected the list of storages, found %s", f->source, pickle_kind_name(keys->kind));
    }
    if (storages->n > 0) {
        qsort(storages->list, storages->n, sizeof storages->list[0], by_storage_key);
    }
    TRY_ALLOC(f->list, a, keys->list->n);
    for (f->n = 0; f->n < keys->list->n; f->n++) {
        const pickle_value *key = &keys->list->item[f->n];
        const bool text = key->kind == PICKLE_TEXT;
        TRY_TEXT(f->list[f->n].key, a, "%.*s", text ? (int)(key->text.size < 200 ? key->text.size : 200) : 0,
                 text ? key->text.start : "");
        TRY(read_array(f, storages, key, &f->list[f->n]));
    }
    if (f->at != f->bytes.size) {
        return FAIL(ST_DATA, "%s: %zu bytes at the end belong to no storage: the file is damaged", f->source,
                    f->bytes.size - f->at);
    }
    qsort(f->list, f->n, sizeof f->list[0], by_key);
    return STATUS_OK;
}

static status find_storage(const torch_source *from, const torch_storage *s, const unsigned char **data,
                           uint64_t *bytes)
{
    const file *f = from->context;
    const stored key = {.key = s->key}, *found = bsearch(&key, f->list, f->n, sizeof key, by_key);
    if (found == NULL) {
        return FAIL(ST_DATA, "%s: expected storage '%s' in the file, found none", from->source, s->key);
    }
    *data = found->data;
    *bytes = found->bytes;
    return STATUS_OK;
}

static status parse(arena *a, const char *source, file_bytes bytes, tensors **out)
{
    file f = {.source = source, .bytes = bytes};
    pickle_storages storages = {0};
    pickle_value root, keys;
    TRY(read_preamble(a, &f));
    TRY(pickle_read(a, source, "the dictionary", bytes, &f.at, &storages, &root));
    TRY(pickle_read(a, source, "the list of storages", bytes, &f.at, NULL, &keys));
    TRY(read_arrays(a, &f, &storages, &keys));
    const torch_source from = {source, bytes.size, find_storage, &f};
    return torch_state_tensors(a, &from, &root, out);
}

const checkpoint_reader reader_torch_legacy = {
    .name = "PyTorch checkpoint (legacy)", .recognises = recognises, .parse = parse};
