#ifndef IO_JOURNAL_H
#define IO_JOURNAL_H
/* Finished work, kept so that a run that was killed goes on where it was. A journal is a folder beside the result; every process that
 * computes appends to a file of its own there and never touches another's, so nothing is locked and a kill costs at most the last frame.
 *
 * A file is a list of frames: 64 bytes of head (magic, key, size and CRC-32 of the payload, seconds that it took, CRC-32 of the head), then
 * the payload, filled up to 64 bytes. The first frame holds the identity: what has to be the same for the work to be of use, as lines of
 * text. A frame whose head or payload is damaged is passed over, and the next good one is looked for in steps of 64 bytes. Byte order is
 * the machine's: on one of the other order nothing is recognised. */
#include <stdbool.h>

#include "io/files.h"

/* What an item is; the meaning of the numbers is the caller's. All-zero `stage` is the identity. */
typedef struct journal_key {
    uint32_t stage, model, part, index;
    uint8_t content[16];
} journal_key;

typedef struct journal_entry {
    journal_key key;
    uint64_t offset, size; /* of the payload */
    uint32_t file;
    uint32_t check;  /* CRC-32 of the payload */
    double seconds;  /* that computing it took */
} journal_entry;

typedef struct journal_index {
    size_t n_files;
    const char *const *file; /* [n_files] paths */
    size_t n;
    const journal_entry *entry; /* [n] by key; frames with the same key stand together */
    size_t damaged;             /* stretches that were passed over: places where good frames began again, or the file ended */
    size_t bytes;
} journal_index;

/* Reads the heads of all frames; payloads are left alone. A folder that is not there is an empty journal. identity NULL: whatever it is.
 * Errors: ST_CONFIG where a file is of another identity: the first line that differs, what was and what is; ST_NO_INPUT, ST_ENVIRONMENT. */
MUST_CHECK status journal_scan(arena *a, const char *folder, const char *identity, journal_index *out);
/* The identity of the first file that has one; NULL: there is none. */
MUST_CHECK status journal_identity(arena *a, const char *folder, const char **out);
/* As bytes, for other ranks, and back. */
MUST_CHECK status journal_index_write(arena *a, const journal_index *index, const void **data, size_t *size);
MUST_CHECK status journal_index_read(arena *a, const void *data, size_t size, journal_index *out);

const journal_entry *journal_find(const journal_index *index, const journal_key *key); /* the first of its frames; NULL: none */
/* Fills payload [size] from the first frame of this key that is whole and has this size; false: there is none. */
bool journal_load(const journal_index *index, const journal_key *key, void *payload, size_t size);

/* One process's file. Nothing is made before the first frame. */
typedef struct journal_writer journal_writer;
/* The file will be `folder`/`name`.journal; texts are copied. Errors: ST_ENVIRONMENT. */
MUST_CHECK status journal_open(arena *a, const char *folder, const char *name, const char *identity, journal_writer **out);
/* Errors: ST_CANT_WRITE: what was written before is still there, and the folder can be used again. Every few seconds what was written is
 * forced to the disk. */
MUST_CHECK status journal_append(journal_writer *w, const journal_key *key, double seconds, const void *payload, size_t size);
MUST_CHECK status journal_sync(journal_writer *w);
void journal_discard(journal_writer **w); /* closes and removes the file, and the folder if nothing else is in it; *w becomes NULL; NULL is fine */
void journal_close(journal_writer **w); /* without forcing anything; *w becomes NULL; NULL is fine */

/* The folder of a result's journal: "<result>.journal". NULL: no memory. */
char *journal_folder(arena *a, const char *result);
/* Removes what journals are made of, and the folder when nothing else is in it. Errors: ST_CANT_WRITE. */
MUST_CHECK status journal_remove(const char *folder);

#endif
