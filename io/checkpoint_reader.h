#ifndef IO_CHECKPOINT_READER_H
#define IO_CHECKPOINT_READER_H
/* The family of checkpoint formats: one file each in io/checkpoints/, listed in io/checkpoints/readers.def. A file's format is told by its
 * bytes, never by its name. */
#include "io/checkpoint.h"

typedef struct checkpoint_reader {
    const char *name; /* as `inspect` prints it */
    bool (*recognises)(file_bytes bytes);
    status (*parse)(arena *a, const char *source, file_bytes bytes, tensors **out); /* see checkpoint_parse() */
} checkpoint_reader;

extern const checkpoint_reader *const checkpoint_reader_table[];
extern const size_t checkpoint_reader_count;

#endif
