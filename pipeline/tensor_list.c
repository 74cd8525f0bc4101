#include "pipeline/tensor_list.h"

#include <string.h>

/* With `to` NULL the bytes are only counted. */
typedef struct writer {
    unsigned char *to;
    size_t n;
} writer;

static void put(writer *w, const void *from, size_t n)
{
    if (w->to != NULL && n > 0) {
        memcpy(w->to + w->n, from, n);
    }
    w->n += n;
}

static void put_size(writer *w, size_t value)
{
    put(w, &value, sizeof value);
}

static void put_text(writer *w, const char *text)
{
    put_size(w, strlen(text));
    put(w, text, strlen(text));
}

static void put_all(writer *w, const tensors *t)
{
    put_text(w, t->source);
    put_size(w, t->n);
    for (size_t i = 0; i < t->n; i++) {
        const tensor *one = &t->list[i];
        put_text(w, one->name);
        put_text(w, one->type_name);
        put_size(w, (size_t)one->type);
        put_size(w, one->rank);
        put(w, one->dim, sizeof one->dim);
    }
    put_size(w, t->n_facts);
    for (size_t i = 0; i < t->n_facts; i++) {
        put_text(w, t->facts[i].name);
        put_text(w, t->facts[i].value);
        put_text(w, t->facts[i].source);
    }
}

status tensor_list_write(arena *a, const tensors *t, const void **data, size_t *size)
{
    writer count = {NULL, 0}, w = {NULL, 0};
    put_all(&count, t);
    TRY_ALLOC(w.to, a, count.n);
    put_all(&w, t);
    *data = w.to;
    *size = w.n;
    return STATUS_OK;
}

typedef struct reader {
    arena *a;
    const unsigned char *at;
    size_t left;
} reader;

static status get(reader *r, void *to, size_t n)
{
    if (n > r->left) {
        return FAIL(ST_BUG, "a list of tensors: expected %zu more bytes, found %zu", n, r->left);
    }
    memcpy(to, r->at, n);
    r->at += n;
    r->left -= n;
    return STATUS_OK;
}

static status get_size(reader *r, size_t *out)
{
    return get(r, out, sizeof *out);
}

/* Of a list whose elements take at least a byte each. */
static status get_count(reader *r, size_t *out)
{
    TRY(get_size(r, out));
    return *out <= r->left ? STATUS_OK : FAIL(ST_BUG, "a list of tensors: %zu elements in %zu bytes", *out, r->left);
}

static status get_text(reader *r, const char **out)
{
    size_t n = 0;
    char *text;
    TRY(get_count(r, &n));
    TRY_ALLOC(text, r->a, n + 1);
    *out = text;
    return get(r, text, n);
}

static status get_tensor(reader *r, tensor *t)
{
    size_t type = 0;
    TRY(get_text(r, &t->name));
    TRY(get_text(r, &t->type_name));
    TRY(get_size(r, &type));
    TRY(get_size(r, &t->rank));
    t->type = type == TENSOR_F32 ? TENSOR_F32 : TENSOR_OTHER;
    return get(r, t->dim, sizeof t->dim);
}

static status get_fact(reader *r, fact *f)
{
    TRY(get_text(r, &f->name));
    TRY(get_text(r, &f->value));
    return get_text(r, &f->source);
}

status tensor_list_read(arena *a, const void *data, size_t size, tensors **out)
{
    reader r = {a, data, size};
    tensors *t;
    tensor *list;
    fact *facts;
    TRY_ALLOC(t, a, 1);
    TRY(get_text(&r, &t->source));
    TRY(get_count(&r, &t->n));
    TRY_ALLOC(list, a, t->n);
    for (size_t i = 0; i < t->n; i++) {
        TRY(get_tensor(&r, &list[i]));
    }
    TRY(get_count(&r, &t->n_facts));
    TRY_ALLOC(facts, a, t->n_facts);
    for (size_t i = 0; i < t->n_facts; i++) {
        TRY(get_fact(&r, &facts[i]));
    }
    t->list = list;
    t->facts = facts;
    *out = t;
    return STATUS_OK;
}
