#include "io/safetensors_write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/files.h"
#include "io/number_type.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

typedef struct place {
    size_t index, number_bytes, bytes; /* of the tensor, of one of its numbers, of all */
} place;

typedef struct writer {
    arena *a;
    size_t n;
    const written_tensor *list;
    place *place; /* [n] in the order of the file */
    const unsigned char *start;
    size_t start_bytes, next; /* next: 0 = the header */
    written_fill *fill;
    void *context;
} writer;

static status measure(const written_tensor *t, size_t index, place *out)
{
    const number_type *type = number_type_called(t->type);
    if (type == NULL) {
        return FAIL(ST_BUG, "tensor %.200s: safetensors has no type %.20s", t->name, t->type);
    }
    *out = (place){index, type->bytes, type->bytes};
    for (size_t i = 0; i < t->rank; i++) {
        if (t->dim[i] != 0 && out->bytes > SIZE_MAX / t->dim[i]) {
            return FAIL(ST_BUG, "tensor %.200s: more than 2^64 bytes", t->name);
        }
        out->bytes *= t->dim[i];
    }
    return STATUS_OK;
}

static int wider_first(const void *left, const void *right)
{
    const place *a = left, *b = right;
    if (a->number_bytes != b->number_bytes) {
        return a->number_bytes > b->number_bytes ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static json_t *entry(const written_tensor *t, size_t begin, size_t end)
{
    json_t *dims = json_array();
    for (size_t i = 0; i < t->rank; i++) {
        (void)json_array_append_new(dims, json_integer((json_int_t)t->dim[i]));
    }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", t->type, "shape", dims, "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static status describe(const writer *w, size_t n_facts, const fact facts[], json_t *header, size_t *data_bytes)
{
    json_t *metadata = json_object();
    bool made = metadata != NULL;
    for (size_t i = 0; i < n_facts; i++) { /* a value that is no UTF-8 is left out rather than the file */
        (void)json_object_set_new(metadata, facts[i].name, json_string(facts[i].value));
    }
    made = made && json_object_set_new(header, "__metadata__", metadata) == 0;
    *data_bytes = 0;
    for (size_t i = 0; i < w->n; i++) {
        const written_tensor *t = &w->list[w->place[i].index];
        const size_t end = *data_bytes + w->place[i].bytes;
        if (json_object_get(header, t->name) != NULL) {
            return FAIL(ST_BUG, "two tensors are called %.200s", t->name);
        }
        made = json_object_set_new(header, t->name, entry(t, *data_bytes, end)) == 0 && made;
        *data_bytes = end;
    }
    return made ? STATUS_OK : FAIL(ST_ENVIRONMENT, "out of memory for the header of a safetensors file");
}

/* Length and header, filled up so that what follows is aligned. */
static status make_start(writer *w, const json_t *header)
{
    unsigned char *start;
    const size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    const size_t filled = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    TRY_ALLOC(start, w->a, LENGTH_BYTES + filled + 1);
    if (length == 0 || json_dumpb(header, (char *)start + LENGTH_BYTES, length, JSON_COMPACT) != length) {
        return FAIL(ST_ENVIRONMENT, "out of memory for the header of a safetensors file");
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        start[i] = (unsigned char)((uint64_t)filled >> 8 * i);
    }
    memset(start + LENGTH_BYTES + length, ' ', filled - length);
    w->start = start;
    w->start_bytes = LENGTH_BYTES + filled;
    return STATUS_OK;
}

static status next_part(void *context, const void **data, size_t *size)
{
    writer *w = context;
    if (w->next == 0) {
        w->next++;
        *data = w->start;
        *size = w->start_bytes;
        return STATUS_OK;
    }
    const place *p = &w->place[w->next++ - 1];
    *data = w->list[p->index].data;
    *size = p->bytes;
    return *data != NULL ? STATUS_OK : w->fill(w->context, p->index, data);
}

static status write_with(writer *w, const char *path, size_t n_facts, const fact facts[])
{
    size_t data_bytes = 0;
    TRY_ALLOC(w->place, w->a, w->n);
    for (size_t i = 0; i < w->n; i++) {
        TRY(measure(&w->list[i], i, &w->place[i]));
    }
    qsort(w->place, w->n, sizeof w->place[0], wider_first);
    json_t *header = json_object();
    status st = describe(w, n_facts, facts, header, &data_bytes);
    if (status_ok(st)) {
        st = make_start(w, header);
    }
    json_decref(header);
    TRY(st);
    return file_write_parts(path, w->start_bytes + data_bytes, next_part, w);
}

status safetensors_write(const char *path, size_t n_facts, const fact facts[], size_t n, const written_tensor list[],
                         written_fill *fill, void *context)
{
    writer w = {.n = n, .list = list, .fill = fill, .context = context};
    TRY(arena_open("safetensors header", &w.a));
    const status st = write_with(&w, path, n_facts, facts);
    arena_close(&w.a);
    return st;
}
