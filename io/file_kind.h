#ifndef IO_FILE_KIND_H
#define IO_FILE_KIND_H
/* What a file looks like by its first bytes, for those who expected another. */
#include "io/files.h"

enum { FILE_KIND_BYTES = 64 }; /* as many as are looked at */

typedef struct file_kind {
    const char *name;   /* "a PNG image" */
    const char *advice; /* "; convert it ...", or "" */
} file_kind;

bool file_starts_with(file_bytes bytes, const char *magic, size_t size);

/* NULL: none that is known, which a safetensors file is not either. */
const file_kind *file_kind_of(file_bytes start);

/* The first bytes of a file. Errors: ST_NO_INPUT (missing, a folder, unreadable). */
MUST_CHECK status file_read_start(const char *path, unsigned char start[FILE_KIND_BYTES], size_t *n);

#endif
