#ifndef IO_FILES_H
#define IO_FILES_H
/* Whole files and paths. Rank-local. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

typedef struct file_bytes {
    const unsigned char *data; /* [size], followed by a zero byte that is not part of it */
    size_t size;
} file_bytes;

/* Errors: ST_NO_INPUT (missing, a folder, unreadable), ST_DATA (larger than `most` bytes). */
MUST_CHECK status file_read(arena *a, const char *path, size_t most, file_bytes *out);

/* Is there nothing of this name? A link to nowhere is something: who reads it says what is wrong. */
bool file_is_absent(const char *path);

/* A piece of an open file, which messages call `name`. Errors: ST_NO_INPUT, ST_DATA (the file is shorter). */
MUST_CHECK status file_read_at(int fd, const char *name, uint64_t offset, size_t size, void *data);

/* Writes tmp file beside it, fsync, rename, fsync of the folder. Errors: ST_CANT_WRITE; then nothing is left behind. */
MUST_CHECK status file_write_atomic(const char *path, const void *data, size_t size);
/* The same of what does not lie in memory as a whole: `next` gives one part after the other, each valid until it is called again, `total`
 * bytes together. */
typedef status file_next_part(void *context, const void **data, size_t *size);
MUST_CHECK status file_write_parts(const char *path, size_t total, file_next_part *next, void *context);

/* Can a new file be put beside `path`? Creates missing parent folders, tries, and removes the trial file. Errors: ST_CANT_WRITE. */
MUST_CHECK status file_check_writable(const char *path);
/* The same answer and messages as far as can be told without making anything. */
MUST_CHECK status file_foresee_writable(const char *path);

char *path_join(arena *a, const char *folder, const char *name); /* absolute names stay; NULL when memory is gone */
char *path_folder(arena *a, const char *path);                   /* "." where there is none */

#endif
