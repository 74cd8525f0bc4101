#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H
/* Golden HDF5 files (tests/golden/README.md). Every reader fails the running test where something is missing or broken, so that
 * callers need no checks; what they return lives until golden_close().
 *
 * Where the environment variable POLLARD_GOLDEN_READS names a file, every data set that is read is noted there, "vit_tiny.h5 inputs", so that
 * tests/golden/test_none_left_out.c can tell which ones no test reads. */
#include "support/support.h"

#include "nn/tensors.h"

typedef struct golden golden;

typedef struct golden_array {
    size_t rank, dim[8], count;
    const double *real; /* each data set is readable as all three */
    const float *f32;
    const int64_t *integer;
} golden_array;

golden *golden_open(const char *name); /* "vit_tiny.h5" of tests/golden, or a whole path */
golden *golden_open_full(const char *name); /* the same of the full set (shared_path("golden")), or NULL where there is none */
void golden_close(golden **g);

bool golden_has(const golden *g, const char *path_fmt, ...) PRINTF_LIKE(2, 3);
/* A numeric data set of any type: "composites/eps/relevance/%s", layer. Scalars have rank 0 and count 1. */
golden_array golden_read(golden *g, const char *path_fmt, ...) PRINTF_LIKE(2, 3);
/* Attributes of the object at `path` ("/" = the file). */
double golden_number(golden *g, const char *path, const char *attribute);
size_t golden_numbers(golden *g, const char *path, const char *attribute, size_t most, double out[]);
const char *golden_text(golden *g, const char *path, const char *attribute);
/* A text attribute, one item a line: *out [returned count]. */
size_t golden_lines(golden *g, const char *path, const char *attribute, const char *const **out);

/* The network's weights with the facts that a checkpoint would bring: image_size, num_classes, num_heads where there is one. */
const tensors *golden_tensors(golden *g);
/* Names of the members of a group, in alphabetical order. */
size_t golden_members(golden *g, const char *path, const char *const **out);
/* Paths of all data sets of the file. */
size_t golden_data_sets(golden *g, const char *const **out);

#endif
