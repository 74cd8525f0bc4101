#ifndef IO_H5_TABLE_H
#define IO_H5_TABLE_H
/* An array of structs as variables, one per column: the column says where in the struct its value is. */
#include "io/h5.h"

typedef enum column_source {              /* type of the struct's member */
                             FROM_COUNT,  /* uint64_t, written as H5_COUNT or H5_SEED */
                             FROM_SIZE,   /* size_t, written as H5_COUNT */
                             FROM_REAL,   /* double */
                             FROM_TEXT,   /* const char * */
                             FROM_INDEX,  /* size_t, written as the text names[list][index] */
                             FROM_ENUM,   /* an enumeration, likewise */
                             FROM_COUNTS, /* const uint64_t *: one value per position of the second dimension */
                             FROM_REALS   /* const double *, likewise */
} column_source;

typedef struct h5_column {
    h5_variable variable; /* over "row" or "row second" */
    column_source source;
    size_t offset, list;
} h5_column;

#define COLUMN(name, dims, kind, units, long_name, ...)                                                                \
    {                                                                                                                  \
        {name, dims, kind, units, long_name, NULL, NULL}, __VA_ARGS__                                                  \
    }

typedef struct h5_table {
    size_t n, stride; /* rows, bytes from one to the next */
    const void *rows;
    size_t width; /* size of the second dimension */
    const char *const *const *names;
} h5_table;

MUST_CHECK status h5_put_table(h5_group *g, const h5_table *t, size_t n_columns, const h5_column columns[]);

#endif
