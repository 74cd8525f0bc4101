#ifndef SUPPORT_JOURNALS_H
#define SUPPORT_JOURNALS_H
/* Journals for tests: frames whose payload follows from their number, and files as bytes. */
#include "io/journal_frame.h"

/* "<scratch>/<number>.journal", another one with every call, not made yet; lives in `a`. */
char *made_journal_folder(arena *a);
/* The key of item i. Numbers above 255 show whether an order is that of bytes or of numbers. */
journal_key made_key(size_t i);
/* Every byte follows from i and its place, and item i's differs from every other's. */
void made_payload(size_t i, size_t size, unsigned char *payload);
/* The file of a process that has noted items 0 .. n - 1, item i with size[i] bytes. */
void made_journal(arena *a, const char *folder, const char *name, const char *identity, size_t n, const size_t size[]);
/* Can item i be loaded, and is what is loaded its payload? Fails the test on a payload that is another. */
bool made_is_there(arena *a, const journal_index *index, size_t i, size_t size);

/* A head that was changed gets the checksum that it then has to have. */
void made_frame_seal(frame_head *h);

/* The bytes of folder/name, in `a`. */
unsigned char *bytes_read(arena *a, const char *folder, const char *name, size_t *size);
void bytes_write(arena *a, const char *folder, const char *name, const void *data, size_t size); /* makes the folder too */

#endif
