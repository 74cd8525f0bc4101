#include "nn/tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/sizes.h"

const tensor *tensors_find(const tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->list[i].name, name) == 0) {
            return &t->list[i];
        }
    }
    return NULL;
}

static const fact *find_fact(const tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n_facts; i++) {
        if (strcmp(t->facts[i].name, name) == 0) {
            return &t->facts[i];
        }
    }
    return NULL;
}

const char *tensors_fact(const tensors *t, const char *name)
{
    const fact *f = find_fact(t, name);
    return f == NULL ? NULL : f->value;
}

/* Decimal digits alone, 1 .. MAX_COUNT; returns what follows them or NULL. */
static const char *parse_count(const char *text, size_t *out)
{
    size_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (size_t)(*p - '0');
        if (value > MAX_COUNT) {
            return NULL;
        }
    }
    *out = value;
    return p == text || value == 0 ? NULL : p;
}

static status bad_fact(const tensors *t, const fact *f, const char *expected)
{
    return FAIL(ST_DATA, "%s: %s (from %s): expected %s, found '%s'", t->source, f->name, f->source, expected,
                f->value);
}

status tensors_fact_count(const tensors *t, const char *name, size_t *out, bool *found)
{
    const fact *f = find_fact(t, name);
    *found = f != NULL;
    if (f == NULL) {
        return STATUS_OK;
    }
    size_t value;
    const char *rest = parse_count(f->value, &value);
    if (rest == NULL || *rest != '\0') {
        return bad_fact(t, f, "a positive integer");
    }
    *out = value;
    return STATUS_OK;
}

status tensors_fact_size(const tensors *t, const char *name, size_t out[2], bool *found)
{
    const fact *f = find_fact(t, name);
    *found = f != NULL;
    if (f == NULL) {
        return STATUS_OK;
    }
    size_t height, width;
    const char *rest = parse_count(f->value, &height);
    if (rest != NULL && *rest == '\0') {
        width = height;
    } else if (rest == NULL || *rest != 'x' || (rest = parse_count(rest + 1, &width)) == NULL || *rest != '\0') {
        return bad_fact(t, f, "HEIGHTxWIDTH in pixels, such as 224x224");
    }
    out[0] = height;
    out[1] = width;
    return STATUS_OK;
}

status tensors_fact_real(const tensors *t, const char *name, double *out, bool *found)
{
    const fact *f = find_fact(t, name);
    *found = f != NULL;
    if (f == NULL) {
        return STATUS_OK;
    }
    char *rest;
    const double value = strtod(f->value, &rest);
    if (rest == f->value || *rest != '\0' || !isfinite(value) || value <= 0.0) {
        return bad_fact(t, f, "a positive number");
    }
    *out = value;
    return STATUS_OK;
}
