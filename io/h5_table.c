#include "io/h5_table.h"

#include <string.h>

/* Members are read with memcpy: a column knows only an offset. */
static size_t size_at(const unsigned char *p)
{
    size_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static unsigned int enum_at(const unsigned char *p)
{
    unsigned int value;
    memcpy(&value, p, sizeof value);
    return value;
}

static void gather(const h5_table *t, const h5_column *c, void *out)
{
    static const size_t bytes[] = {
        [FROM_COUNT] = 8, [FROM_REAL] = 8, [FROM_TEXT] = sizeof(char *), [FROM_COUNTS] = 8, [FROM_REALS] = 8};
    unsigned char *const raw = out;
    for (size_t i = 0; i < t->n; i++) {
        const unsigned char *const p = (const unsigned char *)t->rows + i * t->stride + c->offset;
        const void *row;
        switch (c->source) {
        case FROM_COUNT:
        case FROM_REAL:
        case FROM_TEXT:
            memcpy(raw + i * bytes[c->source], p, bytes[c->source]);
            break;
        case FROM_SIZE:
            ((uint64_t *)out)[i] = size_at(p);
            break;
        case FROM_INDEX:
            ((const char **)out)[i] = t->names[c->list][size_at(p)];
            break;
        case FROM_ENUM:
            ((const char **)out)[i] = t->names[c->list][enum_at(p)];
            break;
        case FROM_COUNTS:
        case FROM_REALS:
            memcpy(&row, p, sizeof row);
            memcpy(raw + i * t->width * bytes[c->source], row, t->width * bytes[c->source]);
            break;
        }
    }
}

status h5_put_table(h5_group *g, const h5_table *t, size_t n_columns, const h5_column columns[])
{
    for (size_t i = 0; i < n_columns; i++) {
        const bool wide = columns[i].source == FROM_COUNTS || columns[i].source == FROM_REALS;
        uint64_t *data; /* every kind has eight bytes or less */
        TRY_ALLOC(data, g->file->scratch, t->n * (wide ? t->width : 1));
        gather(t, &columns[i], data);
        TRY(h5_put(g, &columns[i].variable, data));
    }
    return STATUS_OK;
}
