#ifndef IO_INDEX_TEXT_H
#define IO_INDEX_TEXT_H
/* Index files are texts whose last line is `E SHA256` of all before it, so that half a file, or a changed one, is noticed. */
#include "io/files.h"

enum { INDEX_SEAL_BYTES = 2 + 64 + 1 };

/* Adds that line to text [*size] in a buffer of `room` bytes. Errors: ST_BUG (no room). */
MUST_CHECK status index_seal(char *text, size_t room, size_t *size);
/* *size: the text without that line. Errors: ST_DATA. */
MUST_CHECK status index_check(const char *path, file_bytes bytes, size_t *size);

#endif
