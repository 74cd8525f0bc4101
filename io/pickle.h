#ifndef IO_PICKLE_H
#define IO_PICKLE_H
/* Python's pickle format, protocol 2 to 5, for the checkpoints that torch.save writes. A pickle is a program for a stack machine that may
 * import and call anything; here nothing is ever imported or called. The machine makes numbers, texts, tuples, lists, dictionaries, and
 * descriptions of torch's tensors and storages; whatever else a pickle refers to is refused by name.
 *
 * Bounded for hostile input: at most PICKLE_MOST_VALUES values and PICKLE_MOST_BYTES bytes a pickle, memory proportional to the values,
 * no recursion, also not over what comes out. */
#include "io/files.h"
#include "io/number_type.h"
#include "nn/graph.h"

enum { PICKLE_MOST_VALUES = 1 << 20, PICKLE_MOST_BYTES = 1 << 26, PICKLE_MOST_MARKS = 256 };

typedef enum pickle_kind {
    PICKLE_ABSENT, /* no value */
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_LARGE, /* an integer that 64 bits do not hold */
    PICKLE_REAL,
    PICKLE_TEXT, /* text or bytes */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL, /* one of the few names that are known */
    PICKLE_STORAGE,
    PICKLE_TENSOR
} pickle_kind;

typedef struct pickle_value {
    pickle_kind kind;
    union {
        int64_t integer; /* also of PICKLE_BOOL */
        double real;
        struct {
            const char *start; /* in the file; not terminated */
            size_t size;
        } text;
        struct pickle_list *list; /* tuple, list; dictionary: key, value, key, value ... */
        const struct pickle_global *global;
        struct torch_storage *storage;
        const struct torch_tensor *tensor;
    };
} pickle_value;

typedef struct pickle_list {
    size_t n, room;
    pickle_value *item; /* [n] */
} pickle_list;

/* An array in the file that tensors are views of. */
typedef struct torch_storage {
    const number_type *type;
    const char *key;             /* its name in the file, terminated */
    uint64_t n;                  /* elements */
    uint64_t view_first, view_n; /* this storage is these elements of the array (legacy files have views of arrays) */
} torch_storage;

typedef struct torch_tensor {
    const torch_storage *storage;
    uint64_t offset; /* elements from the start of the storage */
    size_t rank;
    uint64_t dim[MAX_TENSOR_DIMS], stride[MAX_TENSOR_DIMS]; /* elements */
} torch_tensor;

typedef struct
    pickle_storages { /* every storage that a pickle refers to, in its order; one array may occur many times */
    size_t n, room;
    torch_storage **list;
} pickle_storages;

/* Runs the pickle at bytes.data + *at and moves *at behind it. `part` says in messages which pickle of the file it is. Texts stay in
 * `bytes`. storages may be NULL where there can be none. Errors: ST_DATA. */
MUST_CHECK status pickle_read(arena *a, const char *source, const char *part, file_bytes bytes, size_t *at,
                              pickle_storages *storages, pickle_value *out);

const char *pickle_kind_name(pickle_kind k); /* "a dictionary" */
bool pickle_is_text(const pickle_value *v, const char *text);
/* The value of a dictionary's key, NULL where there is none. */
const pickle_value *pickle_find(const pickle_value *dict, const char *key);

#endif
