#ifndef IO_ZIP_ARCHIVE_H
#define IO_ZIP_ARCHIVE_H
/* The entries of a zip archive that lies in memory, as far as torch uses the format: nothing is unpacked, so an entry can be no larger than
 * the file. Sizes beyond 4 GiB (zip64) are read. Check sums are not compared, since torch can be told to leave them out. */
#include "io/files.h"

typedef struct zip_entry {
    const char *name; /* in the file; not terminated */
    size_t name_size;
    unsigned method;        /* 0: stored as it is */
    uint64_t size;          /* unpacked */
    uint64_t place, packed; /* bytes of the file */
} zip_entry;

typedef struct zip_archive {
    const char *source;
    file_bytes bytes;
    size_t n;
    const zip_entry *entry; /* [n] by name */
} zip_archive;

/* `bytes` stays borrowed. Errors: ST_DATA for an archive that is cut, has entries that overlap or lie outside, or two of one name. */
MUST_CHECK status zip_open(arena *a, const char *source, file_bytes bytes, zip_archive *out);
/* NULL: none. */
const zip_entry *zip_find(const zip_archive *z, const char *name);
/* Errors: ST_DATA where the entry is compressed. */
MUST_CHECK status zip_entry_bytes(const zip_archive *z, const zip_entry *e, file_bytes *out);

#endif
