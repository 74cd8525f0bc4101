#ifndef IO_JOURNAL_FRAME_H
#define IO_JOURNAL_FRAME_H
/* The layout of a journal's frames, for who writes and who reads them. */
#include <string.h>

#include "io/journal.h"

enum { FRAME_BYTES = 64 };

typedef struct frame_head {
    char magic[8];
    journal_key key;
    uint64_t size;
    uint32_t check;  /* of the payload */
    float seconds;
    uint32_t version;
    uint32_t own;    /* of all bytes before it */
} frame_head;
_Static_assert(sizeof(frame_head) == FRAME_BYTES && sizeof(journal_key) == 32, "a frame's head has 64 bytes without holes");

static const char frame_magic[8] = {'P', 'L', 'R', 'D', 'J', 'R', 'N', 'L'};
enum { FRAME_VERSION = 1 };

static inline uint64_t frame_padded(uint64_t size)
{
    return (size + FRAME_BYTES - 1) / FRAME_BYTES * FRAME_BYTES;
}

/* Is this the name of a file of frames? */
static inline bool frame_file(const char *name)
{
    static const char end[] = ".journal";
    const size_t n = strlen(name);
    return n > sizeof end - 1 && strcmp(name + n - (sizeof end - 1), end) == 0;
}

#endif
