#ifndef IO_RESULTS_CARRY_H
#define IO_RESULTS_CARRY_H
/* Reading parts of a result file into memory. The library can crash on a damaged one, so a child process reads (io/guard.h), and what it
 * has read is carried over as JSON. */
#include <jansson.h>

#include "io/h5.h"

/* ST_DATA unless it is a result of the schema that this program reads. */
MUST_CHECK status results_check_schema(const h5_file *f);

/* Runs in the child: fills `out`, an object, from the file, whose schema is right. `a` lives as long as the child. */
typedef status results_reader(arena *a, const h5_file *f, const void *context, json_t *out);
/* *out belongs to the caller (json_decref). Errors: ST_NO_INPUT, ST_DATA; ST_ENVIRONMENT. */
MUST_CHECK status results_carry(const char *path, results_reader *read, const void *context, json_t **out);

/* A member of an object that was carried; ST_BUG where the child did not put it there. Texts live in `a`. */
MUST_CHECK status carried_text(arena *a, const json_t *from, const char *name, const char **out);
MUST_CHECK status carried_count(const json_t *from, const char *name, size_t *out);
MUST_CHECK status carried_list(const json_t *from, const char *name, size_t *n, const json_t **out);
/* A list of texts as long as *n, which may be H5_ANY_SIZE. */
MUST_CHECK status carried_texts(arena *a, const json_t *from, const char *name, size_t *n, const char *const **out);

/* To fill it; names and texts that are no UTF-8 are carried with question marks. Errors: ST_ENVIRONMENT. */
MUST_CHECK status carry_text(json_t *to, const char *name, const char *text);
MUST_CHECK status carry_texts(json_t *to, const char *name, size_t n, const char *const text[]);
MUST_CHECK status carry_counts(json_t *to, const char *name, size_t n, const int64_t count[]);
MUST_CHECK status carry_count(json_t *to, const char *name, size_t count);

#endif
