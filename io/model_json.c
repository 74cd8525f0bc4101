/* model.json, flattened: what its structure says beyond the names of its leaves is for people. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"

enum { MOST_DEPTH = 64 };
static const char source_name[] = "model.json";

/* Values of one depth; objects below them wait for the next round, so that outer leaves come first. */
typedef struct flattener {
    arena *a;
    json_t *seen; /* an object whose keys are the names taken */
    fact *facts;
    size_t n;
    json_t **waiting; /* objects; those of this round lie before those of the next */
    size_t n_waiting;
} flattener;

/* Upper bounds of the numbers of facts and of objects. */
static status count(const char *source, json_t *object, size_t depth, size_t *facts, size_t *objects)
{
    const char *key;
    json_t *value;
    if (depth > MOST_DEPTH) {
        return FAIL(ST_DATA, "%s: objects are nested deeper than %d levels", source, (int)MOST_DEPTH);
    }
    ++*objects;
    *facts += json_object_size(object);
    json_object_foreach(object, key, value)
    {
        if (json_is_object(value)) {
            TRY(count(source, value, depth + 1, facts, objects));
        }
    }
    return STATUS_OK;
}

/* The shortest of the usual forms that gives the same double again. */
static char *real_text(arena *a, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    return arena_text(a, "%s", text);
}

/* A scalar as text; NULL when memory is gone. */
static char *scalar_text(arena *a, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return arena_text(a, "%s", json_string_value(value));
    case JSON_INTEGER:
        return arena_text(a, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return real_text(a, json_real_value(value));
    case JSON_TRUE:
        return arena_text(a, "true");
    case JSON_FALSE:
        return arena_text(a, "false");
    default:
        return arena_text(a, "none");
    }
}

static bool all_scalars(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        if (json_is_array(value) || json_is_object(value)) {
            return false;
        }
    }
    return true;
}

/* "a,b,c"; a comma or backslash within an element gets a backslash in front. */
static status list_text(arena *a, const json_t *array, char **out)
{
    const size_t n = json_array_size(array);
    size_t size = 1;
    char **part;
    TRY_ALLOC(part, a, n);
    for (size_t i = 0; i < n; i++) {
        part[i] = scalar_text(a, json_array_get(array, i));
        if (part[i] == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        size += 2 * strlen(part[i]) + 1;
    }
    char *to;
    TRY_ALLOC(*out, a, size);
    to = *out;
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            *to++ = ',';
        }
        for (const char *from = part[i]; *from != '\0'; from++) {
            if (*from == ',' || *from == '\\') {
                *to++ = '\\';
            }
            *to++ = *from;
        }
    }
    return STATUS_OK;
}

/* One member of an object: a fact, or an object for the next round. Lists of lists or objects have no meaning to us. */
static status add(flattener *f, const char *name, json_t *value)
{
    char *text;
    if (json_is_object(value)) {
        f->waiting[f->n_waiting++] = value;
        return STATUS_OK;
    }
    if ((json_is_array(value) && !all_scalars(value)) || json_object_get(f->seen, name) != NULL) {
        return STATUS_OK;
    }
    if (json_is_array(value)) {
        TRY(list_text(f->a, value, &text));
    } else if ((text = scalar_text(f->a, value)) == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (json_object_set_new(f->seen, name, json_true()) != 0) {
        return FAIL(ST_ENVIRONMENT, "out of memory while reading %s", source_name);
    }
    fact *to = &f->facts[f->n++];
    TRY_TEXT(to->name, f->a, "%s", name);
    to->value = text;
    to->source = source_name;
    return STATUS_OK;
}

static status flatten(flattener *f, const char *source, json_t *root)
{
    size_t facts = 0, objects = 0;
    const char *key;
    json_t *value;
    TRY(count(source, root, 1, &facts, &objects));
    TRY_ALLOC(f->facts, f->a, facts);
    TRY_ALLOC(f->waiting, f->a, objects);
    f->waiting[f->n_waiting++] = root;
    for (size_t i = 0; i < f->n_waiting; i++) {
        json_object_foreach(f->waiting[i], key, value)
        {
            TRY(add(f, key, value));
        }
    }
    return STATUS_OK;
}

status model_json_parse(arena *a, const char *source, file_bytes bytes, size_t *n, fact **out)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return FAIL(ST_DATA, "%s:%d:%d: not valid JSON: %s", source, error.line, error.column, error.text);
    }
    flattener f = {.a = a, .seen = json_object()};
    status st = STATUS_OK;
    if (f.seen == NULL) {
        st = FAIL(ST_ENVIRONMENT, "%s: out of memory", source);
    } else if (!json_is_object(root)) {
        st = FAIL(ST_DATA, "%s:1:1: expected a JSON object {...}, found a list", source);
    } else {
        st = flatten(&f, source, root);
    }
    json_decref(f.seen);
    json_decref(root);
    if (!status_ok(st)) {
        return status_frame(st, __FILE__, __LINE__, __func__);
    }
    *n = f.n;
    *out = f.facts;
    return STATUS_OK;
}
