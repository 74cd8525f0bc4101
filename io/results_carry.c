#include "io/results_carry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "io/guard.h"
#include "io/results.h"

enum { LONGEST_SECONDS = 120 };

status results_check_schema(const h5_file *f)
{
    int64_t version = 0;
    if (!h5_has_attr(f, "/", "schema_version")) {
        return FAIL(ST_DATA, "%s: an HDF5 file without the attribute 'schema_version'; expected a result of 'pollard run'", f->path);
    }
    TRY(h5_get_attr_count(f, "/", "schema_version", &version));
    if (version != RESULTS_SCHEMA_VERSION) {
        return FAIL(ST_DATA, "%s: schema_version is %" PRId64 ", this program reads %d; use the Pollard that wrote it or a newer one",
                    f->path, version, (int)RESULTS_SCHEMA_VERSION);
    }
    return STATUS_OK;
}

typedef struct carrier {
    const char *path;
    FILE *to;
    results_reader *read;
    const void *context;
} carrier;

static status read_open(arena *a, const h5_file *f, const carrier *c)
{
    TRY(results_check_schema(f));
    json_t *out = json_object();
    const status st = c->read(a, f, c->context, out);
    const bool written = !status_ok(st) || (json_dumpf(out, c->to, JSON_COMPACT) == 0 && fflush(c->to) == 0);
    json_decref(out);
    TRY(st);
    return written ? STATUS_OK : FAIL(ST_ENVIRONMENT, "%s: no room in the folder of temporary files to read it through", c->path);
}

/* In the child. */
static status read_here(void *context)
{
    carrier *c = context;
    arena *a = NULL;
    h5_file f;
    TRY(arena_open("result file", &a));
    status st = h5_file_open(c->path, a, &f);
    if (status_ok(st)) {
        st = read_open(a, &f, c);
    }
    st = h5_file_close(st, &f);
    arena_close(&a);
    return st;
}

status results_carry(const char *path, results_reader *read, const void *context, json_t **out)
{
    carrier c = {path, tmpfile(), read, context};
    json_error_t error;
    if (c.to == NULL) {
        return FAIL(ST_ENVIRONMENT, "%s: no temporary file to read it through", path);
    }
    const status st = guard_run(path, LONGEST_SECONDS, read_here, &c);
    rewind(c.to);
    *out = status_ok(st) ? json_loadf(c.to, 0, &error) : NULL;
    (void)fclose(c.to);
    TRY(st);
    return *out != NULL ? STATUS_OK : FAIL(ST_DATA, "%s: the library that reads it gave nonsense; " FILE_DAMAGED, path);
}

/* ---- what was carried ---- */

static status absent(const char *name)
{
    return FAIL(ST_BUG, "'%s' was not carried over from the process that read the result", name);
}

status carried_text(arena *a, const json_t *from, const char *name, const char **out)
{
    const char *text = json_string_value(json_object_get(from, name));
    if (text == NULL) {
        return absent(name);
    }
    TRY_TEXT(*out, a, "%s", text);
    return STATUS_OK;
}

status carried_count(const json_t *from, const char *name, size_t *out)
{
    const json_t *count = json_object_get(from, name);
    if (!json_is_integer(count) || json_integer_value(count) < 0) {
        return absent(name);
    }
    *out = (size_t)json_integer_value(count);
    return STATUS_OK;
}

status carried_list(const json_t *from, const char *name, size_t *n, const json_t **out)
{
    *out = json_object_get(from, name);
    if (!json_is_array(*out) || (*n != H5_ANY_SIZE && *n != json_array_size(*out))) {
        return absent(name);
    }
    *n = json_array_size(*out);
    return STATUS_OK;
}

status carried_texts(arena *a, const json_t *from, const char *name, size_t *n, const char *const **out)
{
    const json_t *list;
    const char **texts;
    TRY(carried_list(from, name, n, &list));
    TRY_ALLOC(texts, a, *n);
    for (size_t i = 0; i < *n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        TRY_TEXT(texts[i], a, "%s", text == NULL ? "" : text);
    }
    *out = texts;
    return STATUS_OK;
}

/* ---- to be carried ---- */

static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    char *copy = NULL;
    arena *a = NULL; /* no UTF-8 */
    if (status_ok(arena_open("text", &a)) && (copy = arena_text(a, "%s", text)) != NULL) {
        text_make_utf8(copy);
        value = json_string(copy);
    }
    arena_close(&a);
    return value;
}

static status put(json_t *to, const char *name, json_t *value)
{
    return json_object_set_new(to, name, value) == 0 ? STATUS_OK : FAIL(ST_ENVIRONMENT, "out of memory for '%s'", name);
}

status carry_text(json_t *to, const char *name, const char *text)
{
    return put(to, name, text_value(text));
}

status carry_texts(json_t *to, const char *name, size_t n, const char *const text[])
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        (void)json_array_append_new(list, text_value(text[i]));
    }
    return put(to, name, list);
}

status carry_counts(json_t *to, const char *name, size_t n, const int64_t count[])
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        (void)json_array_append_new(list, json_integer(count[i]));
    }
    return put(to, name, list);
}

status carry_count(json_t *to, const char *name, size_t count)
{
    return put(to, name, json_integer((json_int_t)count));
}
