/* safetensors: u64 little-endian length of the header, JSON header, data. The header is untrusted: every number is checked before it is
 * used as a size or an address, and the data must be covered exactly once. */
#include <inttypes.h>
#include <jansson.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint_reader.h"
#include "io/file_kind.h"
#include "io/number_type.h"

enum { LENGTH_BYTES = 8 };
static const uint64_t most_header_bytes = 100000000; /* what the reference implementation accepts too */

/* A tensor's place in the data, for the check of coverage. */
typedef struct span {
    uint64_t begin, end;
    const char *name;
} span;

typedef struct reader {
    arena *a;
    const char *source;
    const unsigned char *data; /* behind the header */
    uint64_t data_size;
    tensor *list;
    span *spans;
    size_t n;
} reader;

static status find_type(const reader *r, const char *name, const json_t *dtype, tensor *t, uint64_t *bytes)
{
    const char *found = json_string_value(dtype);
    const number_type *type = found == NULL ? NULL : number_type_called(found);
    if (type == NULL) {
        return FAIL(ST_DATA, "%s: tensor %.200s: expected dtype F32 or another type of safetensors, found %.40s",
                    r->source, name, found != NULL ? found : "no text");
    }
    t->type = type->read != NULL ? TENSOR_F32 : TENSOR_OTHER;
    t->type_name = type->name;
    *bytes = type->bytes;
    return STATUS_OK;
}

static status multiply(const reader *r, const char *name, uint64_t *product, uint64_t factor)
{
    if (factor != 0 && *product > UINT64_MAX / factor) {
        return FAIL(ST_DATA, "%s: tensor %.200s: the shape has more than 2^64 bytes", r->source, name);
    }
    *product *= factor;
    return STATUS_OK;
}

/* Fills t->rank and t->dim and multiplies *bytes by every dimension. */
static status read_shape(const reader *r, const char *name, const json_t *dims, tensor *t, uint64_t *bytes)
{
    if (!json_is_array(dims)) {
        return FAIL(ST_DATA, "%s: tensor %.200s: expected a list as shape", r->source, name);
    }
    t->rank = json_array_size(dims);
    if (t->rank > MAX_TENSOR_DIMS) {
        return FAIL(ST_DATA, "%s: tensor %.200s: expected at most %d dimensions, found %zu", r->source, name,
                    (int)MAX_TENSOR_DIMS, t->rank);
    }
    for (size_t i = 0; i < t->rank; i++) {
        const json_t *dim = json_array_get(dims, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
            return FAIL(ST_DATA, "%s: tensor %.200s: dimension %zu of the shape is not a non-negative integer",
                        r->source, name, i);
        }
        t->dim[i] = (size_t)json_integer_value(dim);
        TRY(multiply(r, name, bytes, t->dim[i]));
    }
    return STATUS_OK;
}

static status read_span(const reader *r, const char *name, const json_t *offsets, uint64_t bytes, span *s)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin)) {
        return FAIL(ST_DATA, "%s: tensor %.200s: expected data_offsets [begin, end] with 0 <= begin <= end", r->source,
                    name);
    }
    *s = (span){(uint64_t)json_integer_value(begin), (uint64_t)json_integer_value(end), name};
    if (s->end - s->begin != bytes) {
        return FAIL(ST_DATA, "%s: tensor %.200s: its shape and dtype make %" PRIu64 " bytes, its data_offsets %" PRIu64,
                    r->source, name, bytes, s->end - s->begin);
    }
    return STATUS_OK;
}

static bool printable(const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return false;
        }
    }
    return name[0] != '\0';
}

/* Describes tensor number r->n; its data pointer is set when all spans are known to be good. */
static status read_tensor(reader *r, const char *key, const json_t *entry)
{
    uint64_t bytes = 0;
    if (!printable(key)) {
        return FAIL(ST_DATA, "%s: the name of tensor %zu of the header is empty or has control characters", r->source,
                    r->n + 1);
    }
    if (!json_is_object(entry)) {
        return FAIL(ST_DATA, "%s: tensor %.200s: expected {dtype, shape, data_offsets}", r->source, key);
    }
    tensor *t = &r->list[r->n];
    TRY_TEXT(t->name, r->a, "%s", key);
    TRY(find_type(r, t->name, json_object_get(entry, "dtype"), t, &bytes));
    TRY(read_shape(r, t->name, json_object_get(entry, "shape"), t, &bytes));
    TRY(read_span(r, t->name, json_object_get(entry, "data_offsets"), bytes, &r->spans[r->n]));
    r->n++;
    return STATUS_OK;
}

static status read_metadata(const reader *r, json_t *metadata, size_t *n, const fact **out)
{
    const char *key;
    json_t *value;
    fact *facts;
    if (!json_is_object(metadata)) {
        return FAIL(ST_DATA, "%s: expected __metadata__ to be an object", r->source);
    }
    TRY_ALLOC(facts, r->a, json_object_size(metadata));
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            return FAIL(ST_DATA, "%s: __metadata__: expected text as the value of %.200s", r->source, key);
        }
        TRY_TEXT(facts[*n].name, r->a, "%s", key);
        TRY_TEXT(facts[*n].value, r->a, "%s", json_string_value(value));
        facts[*n].source = "metadata";
        ++*n;
    }
    *out = facts;
    return STATUS_OK;
}

static int by_begin(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return (x->end > y->end) - (x->end < y->end);
}

/* Every byte behind the header belongs to exactly one tensor. Sorts the spans. */
static status check_coverage(reader *r, uint64_t header_size)
{
    uint64_t covered = 0;
    const char *last = "the header";
    qsort(r->spans, r->n, sizeof r->spans[0], by_begin);
    for (size_t i = 0; i < r->n; i++) {
        const span *s = &r->spans[i];
        if (s->begin != covered) {
            return FAIL(
                ST_DATA,
                "%s: tensor %.200s starts at byte %" PRIu64 " of the data, expected %" PRIu64 ", where %.200s ends: %s",
                r->source, s->name, s->begin, covered, last, s->begin < covered ? "they overlap" : "there is a gap");
        }
        covered = s->end;
        last = s->name;
    }
    if (covered != r->data_size) {
        return FAIL(ST_DATA,
                    "%s: expected %" PRIu64 " bytes, found %" PRIu64 ": the file %s; copy or download it again",
                    r->source, LENGTH_BYTES + header_size + covered, LENGTH_BYTES + header_size + r->data_size,
                    covered > r->data_size ? "is truncated" : "has bytes that belong to no tensor");
    }
    return STATUS_OK;
}

/* Points F32 tensors into the data; where that is not aligned, and for other types of weights, at a copy in float32. */
static status attach(const reader *r, tensor *t, const span *s)
{
    const unsigned char *from = r->data + s->begin;
    const number_type *type = number_type_called(t->type_name);
    if (t->type != TENSOR_F32) {
        t->stored = from;
        t->stored_bytes = (size_t)(s->end - s->begin);
        return STATUS_OK;
    }
    if (strcmp(t->type_name, "F32") == 0 && (uintptr_t)from % alignof(float) == 0) {
        t->data = (const float *)(const void *)from;
        return STATUS_OK;
    }
    float *copy;
    const size_t n = (size_t)(s->end - s->begin) / type->bytes;
    TRY_ALLOC(copy, r->a, n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = type->read(from + i * type->bytes);
    }
    t->data = copy;
    return STATUS_OK;
}

static status read_header(reader *r, json_t *header, uint64_t header_size, tensors *out)
{
    const size_t most = json_object_size(header);
    const char *key;
    json_t *value;
    span *place; /* of each tensor, in the header's order */
    TRY_ALLOC(r->list, r->a, most);
    TRY_ALLOC(r->spans, r->a, most);
    TRY_ALLOC(place, r->a, most);
    json_object_foreach(header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            TRY(read_metadata(r, value, &out->n_facts, &out->facts));
        } else {
            TRY(read_tensor(r, key, value));
        }
    }
    memcpy(place, r->spans, r->n * sizeof *place);
    TRY(check_coverage(r, header_size));
    for (size_t i = 0; i < r->n; i++) {
        TRY(attach(r, &r->list[i], &place[i]));
    }
    out->n = r->n;
    out->list = r->list;
    return STATUS_OK;
}

/* The header's length, once it is known to lie within the file. */
static status read_length(const char *source, file_bytes bytes, uint64_t *length)
{
    if (bytes.size < LENGTH_BYTES) {
        return FAIL(ST_DATA, "%s: expected a safetensors file, which has at least %d bytes, found %zu", source,
                    (int)LENGTH_BYTES, bytes.size);
    }
    const file_kind *kind = file_kind_of(bytes);
    if (kind != NULL) {
        return FAIL(ST_DATA, "%s: expected a safetensors file, found %s%s", source, kind->name, kind->advice);
    }
    memcpy(length, bytes.data, LENGTH_BYTES);
    if (*length > most_header_bytes) {
        return FAIL(ST_DATA,
                    "%s: expected a safetensors file with a header of at most %" PRIu64
                    " bytes, found the length %" PRIu64,
                    source, most_header_bytes, *length);
    }
    if (*length > bytes.size - LENGTH_BYTES) {
        return FAIL(ST_DATA,
                    "%s: the header needs %" PRIu64
                    " bytes, the file has %zu: it is truncated; copy or download it again",
                    source, LENGTH_BYTES + *length, bytes.size);
    }
    return STATUS_OK;
}

status safetensors_parse(arena *a, const char *source, file_bytes bytes, tensors **out)
{
    uint64_t length = 0;
    json_error_t error;
    tensors *t;
    TRY(read_length(source, bytes, &length));
    TRY_ALLOC(t, a, 1);
    TRY_TEXT(t->source, a, "%s", source);
    json_t *header =
        json_loadb((const char *)bytes.data + LENGTH_BYTES, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL) {
        return FAIL(ST_DATA, "%s: the header is not valid JSON: %s (byte %d of the header)", source, error.text,
                    error.position);
    }
    reader r = {.a = a,
                .source = t->source,
                .data = bytes.data + LENGTH_BYTES + length,
                .data_size = bytes.size - LENGTH_BYTES - length};
    const status st = json_is_object(header) ? read_header(&r, header, length, t)
                                             : FAIL(ST_DATA, "%s: expected the header to be a JSON object", source);
    json_decref(header);
    if (!status_ok(st)) {
        return status_frame(st, __FILE__, __LINE__, __func__);
    }
    *out = t;
    return STATUS_OK;
}

/* A length whose upper bytes are zero, or the header's first character: what else begins so has a kind of its own. */
static bool recognises(file_bytes bytes)
{
    const bool length =
        bytes.size >= LENGTH_BYTES && (bytes.data[4] | bytes.data[5] | bytes.data[6] | bytes.data[7]) == 0;
    const bool brace = bytes.size > LENGTH_BYTES && bytes.data[LENGTH_BYTES] == '{';
    return file_kind_of(bytes) == NULL && (length || brace || bytes.size < LENGTH_BYTES);
}

const checkpoint_reader reader_safetensors = {
    .name = "safetensors", .recognises = recognises, .parse = safetensors_parse};
