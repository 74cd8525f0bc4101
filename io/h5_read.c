/* Variables and attributes of a file that may be damaged or somebody else's: kind, rank and shape are checked before anything is read. */
#include <string.h>

#include "io/guard.h"
#include "io/h5.h"

/* More than any study has cells x rates; larger sizes are a damaged file, not a reason to ask for all memory. */
enum { MOST_ELEMENTS = 1 << 24, MOST_LINKS = 1 << 16 };

typedef enum content { REALS, COUNTS, SEEDS, TEXTS } content;
static const char *const content_name[] = {"real numbers", "integers", "integers", "texts"};

static hid_t memory_type(content c)
{
    return c == TEXTS ? h5_text_type() : H5Tcopy(c == REALS ? H5T_NATIVE_DOUBLE : c == SEEDS ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64);
}

static status check_type(const h5_file *f, const char *object, hid_t type, content c)
{
    const H5T_class_t found = H5Tget_class(type);
    const bool fits = c == REALS    ? found == H5T_FLOAT
                      : c != TEXTS  ? found == H5T_INTEGER
                                    : found == H5T_STRING && H5Tis_variable_str(type) > 0;
    return fits ? STATUS_OK
                : FAIL(ST_DATA, "%s: %s: expected %s, found another type; " FILE_DAMAGED,
                       f->path, object, content_name[c]);
}

static void print_shape(char *to, size_t size, size_t rank, const hsize_t dims[])
{
    size_t used = (size_t)snprintf(to, size, "[");
    for (size_t i = 0; i < rank && used < size; i++) {
        used += (size_t)snprintf(to + used, size - used, "%s%llu", i == 0 ? "" : ", ", (unsigned long long)dims[i]);
    }
    if (used < size) {
        (void)snprintf(to + used, size - used, "]");
    }
}

/* *count: elements that are read, all of them or those of one row. */
static status check_shape(const h5_file *f, const char *object, hid_t space, size_t rank, size_t dims[], bool one_row, size_t *count)
{
    hsize_t found[H5S_MAX_RANK] = {0}, expected[H5_MAX_RANK] = {0};
    const int n = H5Sget_simple_extent_dims(space, found, NULL);
    bool fits = n >= 0 && (size_t)n == rank && H5Sget_simple_extent_type(space) != H5S_NULL;
    *count = 1;
    for (size_t i = 0; i < rank; i++) {
        expected[i] = dims[i] == H5_ANY_SIZE ? found[i] : dims[i];
        fits = fits && expected[i] == found[i];
    }
    if (!fits) {
        char want[128], have[H5S_MAX_RANK * 24];
        print_shape(want, sizeof want, rank, expected);
        print_shape(have, sizeof have, n < 0 ? 0 : (size_t)n, found);
        return FAIL(ST_DATA, "%s: %s: expected the shape %s, found %s; " FILE_DAMAGED, f->path,
                    object, want, have);
    }
    for (size_t i = one_row ? 1 : 0; i < rank; i++) {
        if (found[i] > MOST_ELEMENTS || *count * found[i] > MOST_ELEMENTS) {
            return FAIL(ST_DATA, "%s: %s: more than %d values; " FILE_DAMAGED, f->path, object,
                        (int)MOST_ELEMENTS);
        }
        dims[i] = (size_t)found[i];
        *count *= dims[i];
    }
    return STATUS_OK;
}

static herr_t reclaim(hid_t type, hid_t space, void *data)
{
#if H5_VERSION_GE(1, 12, 0)
    return H5Treclaim(type, space, H5P_DEFAULT, data);
#else
    return H5Dvlen_reclaim(type, space, H5P_DEFAULT, data);
#endif
}

/* The library's strings [n] as copies in `a`. */
static status copy_texts(arena *a, size_t n, char *const theirs[], const char **out)
{
    for (size_t i = 0; i < n; i++) {
        TRY_TEXT(out[i], a, "%s", theirs[i] == NULL ? "" : theirs[i]);
    }
    return STATUS_OK;
}

/* row: NULL, or which one alone of a table of two dimensions. */
static status get(arena *a, const h5_file *f, const char *path, content c, size_t rank, size_t dims[], const size_t *row, const void **out)
{
    status st = STATUS_OK;
    hid_t dataset = H5I_INVALID_HID, disk = H5I_INVALID_HID, memory = H5I_INVALID_HID, space = H5I_INVALID_HID, place = H5I_INVALID_HID;
    size_t count = 0;
    void *data = NULL;
    H5_OR(cleanup, st, f, path, dataset = H5Dopen2(f->id, path, H5P_DEFAULT));
    H5_OR(cleanup, st, f, path, disk = H5Dget_type(dataset));
    TRY_OR(cleanup, st, check_type(f, path, disk, c));
    H5_OR(cleanup, st, f, path, space = H5Dget_space(dataset));
    TRY_OR(cleanup, st, check_shape(f, path, space, rank, dims, row != NULL, &count));
    H5_OR(cleanup, st, f, path, memory = memory_type(c));
    data = arena_alloc(a, count, c == TEXTS ? sizeof(char *) : 8);
    *out = data;
    if (data == NULL) {
        st = (status){ST_ENVIRONMENT};
    } else if (count > 0) {
        const hsize_t n = count, first[] = {row == NULL ? 0 : *row, 0}, size[] = {1, count};
        if (row != NULL) {
            H5_OR(cleanup, st, f, path, H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, size, NULL));
        }
        H5_OR(cleanup, st, f, path, place = row == NULL ? H5Scopy(space) : H5Screate_simple(1, &n, NULL));
        H5_OR(cleanup, st, f, path, H5Dread(dataset, memory, place, space, H5P_DEFAULT, data));
        if (c == TEXTS) {
            const char **texts = arena_alloc(a, count, sizeof *texts);
            st = texts == NULL ? (status){ST_ENVIRONMENT} : copy_texts(a, count, data, texts);
            *out = texts;
            (void)reclaim(memory, space, data);
        }
    }
cleanup:
    st = h5_close(st, f, &place);
    st = h5_close(st, f, &memory);
    st = h5_close(st, f, &space);
    st = h5_close(st, f, &disk);
    return h5_close(st, f, &dataset);
}

status h5_get_reals(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[], const double **out)
{
    const void *data = NULL;
    TRY(get(a, f, path, REALS, rank, dims, NULL, &data));
    *out = data;
    return STATUS_OK;
}

status h5_get_counts(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[], const int64_t **out)
{
    const void *data = NULL;
    TRY(get(a, f, path, COUNTS, rank, dims, NULL, &data));
    *out = data;
    return STATUS_OK;
}

status h5_get_row_of_counts(arena *a, const h5_file *f, const char *path, size_t n_rows, size_t row, size_t *n, const int64_t **out)
{
    size_t dims[] = {n_rows, *n};
    const void *data = NULL;
    TRY(get(a, f, path, COUNTS, 2, dims, &row, &data));
    *n = dims[1];
    *out = data;
    return STATUS_OK;
}

status h5_get_seeds(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[], const uint64_t **out)
{
    const void *data = NULL;
    TRY(get(a, f, path, SEEDS, rank, dims, NULL, &data));
    *out = data;
    return STATUS_OK;
}

status h5_get_texts(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[], const char *const **out)
{
    const void *data = NULL;
    TRY(get(a, f, path, TEXTS, rank, dims, NULL, &data));
    *out = data;
    return STATUS_OK;
}

/* One value of attribute `name`: an int64_t, or a char * of the library that the caller frees with H5free_memory. */
static status get_attr(const h5_file *f, const char *object, const char *name, content c, void *out)
{
    status st = STATUS_OK;
    hid_t attr = H5I_INVALID_HID, disk = H5I_INVALID_HID, memory = H5I_INVALID_HID, space = H5I_INVALID_HID;
    size_t one;
    char what[640]; /* as messages name it */
    (void)snprintf(what, sizeof what, "attribute '%.200s' of %.400s", name, object);
    H5_OR(cleanup, st, f, what, attr = H5Aopen_by_name(f->id, object, name, H5P_DEFAULT, H5P_DEFAULT));
    H5_OR(cleanup, st, f, what, disk = H5Aget_type(attr));
    TRY_OR(cleanup, st, check_type(f, what, disk, c));
    H5_OR(cleanup, st, f, what, space = H5Aget_space(attr));
    TRY_OR(cleanup, st, check_shape(f, what, space, 0, NULL, false, &one));
    H5_OR(cleanup, st, f, what, memory = memory_type(c));
    H5_OR(cleanup, st, f, what, H5Aread(attr, memory, out));
cleanup:
    st = h5_close(st, f, &memory);
    st = h5_close(st, f, &space);
    st = h5_close(st, f, &disk);
    return h5_close(st, f, &attr);
}

status h5_get_attr_text(arena *a, const h5_file *f, const char *object, const char *name, const char **out)
{
    char *theirs = NULL;
    TRY(get_attr(f, object, name, TEXTS, &theirs));
    const status st = copy_texts(a, 1, &theirs, out);
    (void)H5free_memory(theirs);
    return st;
}

status h5_get_attr_count(const h5_file *f, const char *object, const char *name, int64_t *out)
{
    return get_attr(f, object, name, COUNTS, out);
}

bool h5_has_attr(const h5_file *f, const char *object, const char *name)
{
    const bool has = H5Aexists_by_name(f->id, object, name, H5P_DEFAULT) > 0;
    (void)H5Eclear2(H5E_DEFAULT);
    return has;
}

static status list_links(arena *a, const h5_file *f, const char *path, hid_t group, size_t n, const char **names)
{
    status st = STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        char name[256];
        H5_OR(cleanup, st, f, path,
              H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT));
        TRY_TEXT(names[i], a, "%s", name);
    }
cleanup:
    return st;
}

status h5_list(arena *a, const h5_file *f, const char *path, size_t *n, const char *const **out)
{
    status st = STATUS_OK;
    H5G_info_t info = {0};
    hid_t group = H5I_INVALID_HID;
    H5_OR(cleanup, st, f, path, group = H5Gopen2(f->id, path, H5P_DEFAULT));
    H5_OR(cleanup, st, f, path, H5Gget_info(group, &info));
    if (info.nlinks > MOST_LINKS) {
        st = FAIL(ST_DATA, "%s: %s: more than %d members; " FILE_DAMAGED, f->path, path,
                  (int)MOST_LINKS);
        goto cleanup;
    }
    *n = (size_t)info.nlinks;
    const char **names = arena_alloc(a, *n, sizeof *names);
    st = names == NULL ? (status){ST_ENVIRONMENT} : list_links(a, f, path, group, *n, names);
    *out = names;
cleanup:
    return h5_close(st, f, &group);
}
