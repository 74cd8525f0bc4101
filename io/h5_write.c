/* Variables and attributes of a netCDF-4 file. */
#include <string.h>

#include "core/text.h"
#include "io/h5_scale.h"

enum { CHUNK_BYTES = 1 << 20, SMALL_BYTES = 1 << 16, DEFLATE_LEVEL = 4 };

/* ---- texts ---- */

/* The text itself when it is UTF-8, else a copy with a question mark for each wrong byte: file names may hold anything, and Python's readers
 * refuse a file that says UTF-8 and is not. */
static status clean_text(arena *a, const char *text, const char **out)
{
    size_t bad = 0, n;
    *out = text == NULL ? "" : text;
    for (const char *p = *out; *p != '\0'; p += n != 0 ? n : 1) {
        n = text_utf8_length(p, SIZE_MAX);
        bad += n == 0;
    }
    if (bad == 0) {
        return STATUS_OK;
    }
    char *copy;
    TRY_TEXT(copy, a, "%s", *out);
    for (char *p = copy; *p != '\0'; p += n != 0 ? n : 1) {
        n = text_utf8_length(p, SIZE_MAX);
        *p = n == 0 ? '?' : *p;
    }
    *out = copy;
    return STATUS_OK;
}

static status clean_texts(arena *a, size_t n, const char *const text[], const char *const **out)
{
    const char **copy;
    TRY_ALLOC(copy, a, n);
    for (size_t i = 0; i < n; i++) {
        TRY(clean_text(a, text[i], &copy[i]));
    }
    *out = copy;
    return STATUS_OK;
}

/* ---- types and attributes ---- */

static hid_t memory_type(h5_kind kind)
{
    switch (kind) {
    case H5_REAL:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case H5_SINGLE:
        return H5Tcopy(H5T_NATIVE_FLOAT);
    case H5_COUNT:
    case H5_SEED:
        return H5Tcopy(H5T_NATIVE_UINT64);
    case H5_SIGNED:
        return H5Tcopy(H5T_NATIVE_INT64);
    case H5_INDEX32:
        return H5Tcopy(H5T_NATIVE_UINT32);
    case H5_INDEX16:
        return H5Tcopy(H5T_NATIVE_UINT16);
    case H5_BYTE:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case H5_STRING:
        break;
    }
    return h5_text_type();
}

static hid_t disk_type(h5_kind kind)
{
    switch (kind) {
    case H5_REAL:
        return H5Tcopy(H5T_IEEE_F64LE);
    case H5_SINGLE:
        return H5Tcopy(H5T_IEEE_F32LE);
    case H5_COUNT:
    case H5_SIGNED:
        return H5Tcopy(H5T_STD_I64LE);
    case H5_SEED:
        return H5Tcopy(H5T_STD_U64LE);
    case H5_INDEX32:
        return H5Tcopy(H5T_STD_U32LE);
    case H5_INDEX16:
        return H5Tcopy(H5T_STD_U16LE);
    case H5_BYTE:
        return H5Tcopy(H5T_STD_U8LE);
    case H5_STRING:
        break;
    }
    return h5_text_type();
}

/* n = 0: one value, without a dimension. */
static status put_attr(const h5_file *f, hid_t object, const char *name, h5_kind kind, size_t n, const void *value)
{
    status st = STATUS_OK;
    hid_t memory = H5I_INVALID_HID, disk = H5I_INVALID_HID, space = H5I_INVALID_HID, attr = H5I_INVALID_HID;
    const hsize_t size = n;
    H5_OR(cleanup, st, f, name, memory = memory_type(kind));
    H5_OR(cleanup, st, f, name, disk = disk_type(kind));
    H5_OR(cleanup, st, f, name, space = n == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, NULL));
    H5_OR(cleanup, st, f, name, attr = H5Acreate2(object, name, disk, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OR(cleanup, st, f, name, H5Awrite(attr, memory, value));
cleanup:
    st = h5_close(st, f, &attr);
    st = h5_close(st, f, &space);
    st = h5_close(st, f, &disk);
    return h5_close(st, f, &memory);
}

static status put_attr_text(const h5_file *f, hid_t object, const char *name, const char *value)
{
    const char *text;
    TRY(clean_text(f->scratch, value, &text));
    return put_attr(f, object, name, H5_STRING, 0, &text);
}

status h5_attr_text(const h5_group *g, const char *name, const char *value)
{
    return put_attr_text(g->file, g->id, name, value);
}

status h5_attr_count(const h5_group *g, const char *name, uint64_t value)
{
    return put_attr(g->file, g->id, name, H5_COUNT, 0, &value);
}

status h5_attr_reals(const h5_group *g, const char *name, size_t n, const double value[])
{
    return put_attr(g->file, g->id, name, H5_REAL, n, value);
}

/* flag_values 0, 1, ... for the words of `meanings`. */
static status put_flags(const h5_file *f, hid_t dataset, const char *meanings)
{
    uint8_t value[8];
    size_t n = 1;
    value[0] = 0;
    for (const char *p = strchr(meanings, ' '); p != NULL && n < sizeof value; p = strchr(p + 1, ' ')) {
        value[n] = (uint8_t)n;
        n++;
    }
    TRY(put_attr(f, dataset, "flag_values", H5_BYTE, n, value));
    return put_attr_text(f, dataset, "flag_meanings", meanings);
}

static status describe(const h5_file *f, hid_t dataset, const h5_variable *v)
{
    if (v->long_name != NULL) {
        TRY(put_attr_text(f, dataset, "long_name", v->long_name));
    }
    if (v->units != NULL) {
        TRY(put_attr_text(f, dataset, "units", v->units));
    }
    if (v->fill != NULL) {
        TRY(put_attr(f, dataset, "_FillValue", v->kind, 1, v->fill));
    }
    return v->flags == NULL ? STATUS_OK : put_flags(f, dataset, v->flags);
}

/* ---- variables ---- */

typedef struct layout {
    size_t rank, count, bytes; /* elements, bytes of one element in memory */
    h5_dim *dim[H5_MAX_RANK];
    hsize_t size[H5_MAX_RANK], chunk[H5_MAX_RANK];
    bool chunked;
} layout;

static size_t kind_bytes(h5_kind kind)
{
    static const size_t bytes[] = {[H5_REAL] = 8, [H5_SINGLE] = 4,  [H5_COUNT] = 8,   [H5_SIGNED] = 8, [H5_SEED] = 8,
                                   [H5_INDEX32] = 4, [H5_INDEX16] = 2, [H5_BYTE] = 1, [H5_STRING] = sizeof(char *)};
    return bytes[kind];
}

/* Chunks of at most CHUNK_BYTES, cut along the slowest dimensions first; small arrays stay whole and uncompressed. */
static void choose_chunks(layout *l, h5_kind kind)
{
    l->chunked = kind != H5_STRING && l->rank > 0 && l->count * l->bytes >= SMALL_BYTES &&
                 H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0;
    hsize_t bytes = l->count * l->bytes;
    memcpy(l->chunk, l->size, sizeof l->chunk);
    for (size_t axis = 0; axis < l->rank && l->chunked; axis++) {
        while (bytes > CHUNK_BYTES && l->chunk[axis] > 1) {
            bytes /= l->chunk[axis];
            l->chunk[axis] = (l->chunk[axis] + 1) / 2;
            bytes *= l->chunk[axis];
        }
    }
}

static status lay_out(h5_group *g, const h5_variable *v, layout *l)
{
    *l = (layout){.count = 1, .bytes = kind_bytes(v->kind)};
    for (const char *p = v->dims; *p != '\0'; p += *p == ' ') {
        const size_t length = strcspn(p, " ");
        h5_dim *d = h5_dim_find(g, p, length);
        if (d == NULL || l->rank == H5_MAX_RANK) {
            return FAIL(ST_BUG, "%s/%s: the dimensions '%s' are not all there", g->path, v->name, v->dims);
        }
        l->dim[l->rank] = d;
        l->size[l->rank++] = d->size;
        l->count *= d->size;
        p += length;
    }
    choose_chunks(l, v->kind);
    return STATUS_OK;
}

static status dataset_properties(const h5_file *f, const h5_variable *v, const layout *l, hid_t *out)
{
    status st = STATUS_OK;
    hid_t p = H5I_INVALID_HID;
    H5_OR(cleanup, st, f, v->name, p = H5Pcreate(H5P_DATASET_CREATE));
    H5_OR(cleanup, st, f, v->name, H5Pset_obj_track_times(p, 0));
    if (v->fill != NULL) {
        H5_OR(cleanup, st, f, v->name, H5Pset_fill_value(p, H5T_NATIVE_INT64, v->fill));
    }
    if (l->chunked) {
        H5_OR(cleanup, st, f, v->name, H5Pset_chunk(p, (int)l->rank, l->chunk));
        H5_OR(cleanup, st, f, v->name, H5Pset_shuffle(p));
        H5_OR(cleanup, st, f, v->name, H5Pset_deflate(p, DEFLATE_LEVEL));
    }
    *out = p;
    return STATUS_OK;
cleanup:
    return h5_close(st, f, &p);
}

/* Makes the dataset with everything but its values. */
static status create_dataset(h5_group *g, const h5_variable *v, const layout *l, hid_t space, hid_t *out)
{
    const h5_file *f = g->file;
    status st = STATUS_OK;
    hid_t disk = H5I_INVALID_HID, properties = H5I_INVALID_HID;
    TRY_OR(cleanup, st, dataset_properties(f, v, l, &properties));
    H5_OR(cleanup, st, f, v->name, disk = disk_type(v->kind));
    H5_OR(cleanup, st, f, v->name,
          *out = H5Dcreate2(g->id, v->name, disk, space, H5P_DEFAULT, properties, H5P_DEFAULT));
    if (l->rank == 1 && strcmp(v->name, l->dim[0]->name) == 0) {
        TRY_OR(cleanup, st, h5_scale_mark(g, *out, v->name));
    } else if (l->rank > 0) {
        TRY_OR(cleanup, st, h5_scale_attach(g, *out, v->name, l->rank, l->dim));
    }
    TRY_OR(cleanup, st, describe(f, *out, v));
cleanup:
    st = h5_close(st, f, &disk);
    return h5_close(st, f, &properties);
}

static status write_rows(const h5_file *f, const h5_variable *v, const layout *l, hid_t dataset, hid_t memory,
                         h5_fill_rows *fill, const void *context)
{
    status st = STATUS_OK;
    hid_t from = H5I_INVALID_HID, to = H5I_INVALID_HID;
    const size_t n = (size_t)l->size[0], step = (size_t)l->chunk[0];
    void *buffer = arena_alloc(f->scratch, step * (l->count / n), l->bytes);
    if (buffer == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    H5_OR(cleanup, st, f, v->name, to = H5Dget_space(dataset));
    for (size_t first = 0; first < n; first += step) {
        hsize_t start[H5_MAX_RANK] = {first}, size[H5_MAX_RANK];
        memcpy(size, l->size, sizeof size);
        size[0] = n - first < step ? n - first : step;
        fill(context, first, (size_t)size[0], buffer);
        H5_OR(cleanup, st, f, v->name, from = H5Screate_simple((int)l->rank, size, NULL));
        H5_OR(cleanup, st, f, v->name, H5Sselect_hyperslab(to, H5S_SELECT_SET, start, NULL, size, NULL));
        H5_OR(cleanup, st, f, v->name, H5Dwrite(dataset, memory, from, to, H5P_DEFAULT, buffer));
        st = h5_close(st, f, &from);
    }
cleanup:
    st = h5_close(st, f, &from);
    return h5_close(st, f, &to);
}

static status put_values(h5_group *g, const h5_variable *v, const void *data, h5_fill_rows *fill, const void *context)
{
    const h5_file *f = g->file;
    status st = STATUS_OK;
    layout l;
    hid_t memory = H5I_INVALID_HID, space = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    TRY(lay_out(g, v, &l));
    if (v->kind == H5_STRING && data != NULL) {
        const char *const *texts = NULL;
        TRY(clean_texts(f->scratch, l.count, data, &texts));
        data = texts;
    }
    H5_OR(cleanup, st, f, v->name, memory = memory_type(v->kind));
    H5_OR(cleanup, st, f, v->name,
          space = l.rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)l.rank, l.size, NULL));
    TRY_OR(cleanup, st, create_dataset(g, v, &l, space, &dataset));
    if (l.count > 0 && l.rank > 0 && fill != NULL) {
        TRY_OR(cleanup, st, write_rows(f, v, &l, dataset, memory, fill, context));
    } else if (l.count > 0) {
        H5_OR(cleanup, st, f, v->name, H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
    }
cleanup:
    st = h5_close(st, f, &dataset);
    st = h5_close(st, f, &space);
    return h5_close(st, f, &memory);
}

status h5_put(h5_group *g, const h5_variable *v, const void *data)
{
    return put_values(g, v, data, NULL, NULL);
}

status h5_put_rows(h5_group *g, const h5_variable *v, h5_fill_rows *fill, const void *context)
{
    return put_values(g, v, NULL, fill, context);
}
