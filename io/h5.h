#ifndef IO_H5_H
#define IO_H5_H
/* HDF5 in the netCDF-4 layout, in few calls: groups with named dimensions, variables over them, texts, attributes. Serial HDF5 1.10 to 1.14;
 * only io/ includes this. Object times are never stored, so that the same results give the same bytes. */
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

/* What messages and failures need to know of a file. */
typedef struct h5_file {
    hid_t id;
    const char *path;    /* as messages name it */
    status_code failure; /* ST_CANT_WRITE while writing, ST_DATA while reading */
    arena *scratch;      /* for what is needed during one call; the owner resets it */
} h5_file;

/* The library's innermost description, with the system's reason alone where there is one. Clears the library's error stack. */
status h5_fail(const h5_file *f, const char *object, const char *file, int line, const char *function);

/* H5_OR(cleanup, st, f, "what", id = H5Xcall(...)): jumps to the clean-up where the library reports a failure. */
#define H5_OR(label, st, f, object, expr)                                                                              \
    do {                                                                                                               \
        if ((expr) < 0) {                                                                                              \
            (st) = h5_fail((f), (object), __FILE__, __LINE__, __func__);                                               \
            goto label;                                                                                                \
        }                                                                                                              \
    } while (0)

/* Closes any kind of handle and makes it invalid; keeps the first failure; invalid handles are fine. */
status h5_close(status st, const h5_file *f, hid_t *id);

hid_t h5_text_type(void); /* variable-length UTF-8; the caller closes it */

/* ---- writing (h5_write.c) ---- */

typedef struct h5_image {
    void *data; /* [size] the file's bytes; belongs to the library */
    size_t size;
} h5_image;

/* A new file in memory; `path` appears only in messages. Readable by HDF5 1.8 and later. `image` must outlive the file. */
MUST_CHECK status h5_image_create(const char *path, arena *scratch, h5_image *image, h5_file *out);
/* Closes the file and, unless st or closing failed, fills *image, which has to be freed either way. */
status h5_image_finish(status st, h5_file *f, h5_image *image);
void h5_image_free(h5_image *image);

typedef enum h5_kind {             /* in memory -> on disk (little-endian) */
                       H5_REAL,    /* double   -> f64 */
                       H5_SINGLE,  /* float    -> f32 */
                       H5_COUNT,   /* uint64_t -> i64: what Python computes with; no count comes near 2^63 */
                       H5_SIGNED,  /* int64_t  -> i64 */
                       H5_SEED,    /* uint64_t -> u64 */
                       H5_INDEX32, /* uint32_t -> u32 */
                       H5_INDEX16, /* uint16_t -> u16 */
                       H5_BYTE,    /* uint8_t  -> u8 */
                       H5_STRING   /* const char * -> variable-length UTF-8; NULL counts as "" */
} h5_kind;

typedef struct h5_variable {
    const char *name, *dims; /* "cell rate": names of dimensions of the group, slowest first; "" = one value */
    h5_kind kind;
    const char *units, *long_name; /* units NULL: none */
    const int64_t *fill;           /* H5_SIGNED: marks absent values; NULL = none */
    const char *flags;             /* H5_BYTE: meanings of 0, 1, ...; NULL = a plain number */
} h5_variable;

enum { H5_MAX_DIMS = 6, H5_MAX_USES = 48, H5_MAX_RANK = 4 };

typedef struct h5_use {
    hobj_ref_t variable;
    unsigned int axis;
} h5_use;

typedef struct h5_dim {
    const char *name;
    size_t size, n_uses;
    h5_use uses[H5_MAX_USES]; /* who refers to its scale */
} h5_dim;

typedef struct h5_group {
    const h5_file *file;
    const char *path; /* "/curves" */
    hid_t id;
    size_t n_dims;
    h5_dim dims[H5_MAX_DIMS];
} h5_group;

/* Makes the group at an absolute path, with its parents. */
MUST_CHECK status h5_group_create(const h5_file *f, const char *path, h5_group *out);
status h5_group_close(status st, h5_group *g);
/* A second name for a group that is there. The group of `path` is there too. */
MUST_CHECK status h5_group_link(const h5_file *f, const char *target, const char *path);

/* A new dimension and the values of its positions: a variable over itself, with the same name. */
MUST_CHECK status h5_dim_add(h5_group *g, const h5_variable *v, size_t size, const void *data);

MUST_CHECK status h5_put(h5_group *g, const h5_variable *v, const void *data);
/* For variables too large to exist whole: `fill` computes rows first .. first+n-1 of the slowest dimension. */
typedef void h5_fill_rows(const void *context, size_t first, size_t n, void *out);
MUST_CHECK status h5_put_rows(h5_group *g, const h5_variable *v, h5_fill_rows *fill, const void *context);

MUST_CHECK status h5_attr_text(const h5_group *g, const char *name, const char *value);
MUST_CHECK status h5_attr_count(const h5_group *g, const char *name, uint64_t value);
MUST_CHECK status h5_attr_reals(const h5_group *g, const char *name, size_t n, const double value[]);

/* ---- reading (h5_read.c); every failure is ST_DATA naming file and object ---- */

/* Errors: ST_NO_INPUT (missing), ST_DATA (not HDF5, damaged). */
MUST_CHECK status h5_file_open(const char *path, arena *scratch, h5_file *out);
status h5_file_close(status st, h5_file *f);
bool h5_signature(const char *path); /* begins like an HDF5 file? */

#define H5_ANY_SIZE SIZE_MAX
/* Variables with exactly `rank` dimensions. dims[i] is the expected size, or H5_ANY_SIZE to learn it. *out [product of dims] lives in `a`.
 * Integers of every width become int64_t, reals may be float32, texts are never NULL. */
MUST_CHECK status h5_get_reals(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[],
                               const double **out);
MUST_CHECK status h5_get_counts(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[],
                                const int64_t **out);
/* Row `row` of a variable [n_rows, *n]; *n as dims[i] above. */
MUST_CHECK status h5_get_row_of_counts(arena *a, const h5_file *f, const char *path, size_t n_rows, size_t row, size_t *n,
                                       const int64_t **out);
MUST_CHECK status h5_get_seeds(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[],
                               const uint64_t **out); /* all 64 bits */
MUST_CHECK status h5_get_texts(arena *a, const h5_file *f, const char *path, size_t rank, size_t dims[],
                               const char *const **out);
MUST_CHECK status h5_get_attr_text(arena *a, const h5_file *f, const char *object, const char *name, const char **out);
MUST_CHECK status h5_get_attr_count(const h5_file *f, const char *object, const char *name, int64_t *out);
bool h5_has_attr(const h5_file *f, const char *object, const char *name);
/* Names of the links in a group in the order of creation. */
MUST_CHECK status h5_list(arena *a, const h5_file *f, const char *group, size_t *n, const char *const **out);

#endif
