#ifndef IO_DATASET_READ_H
#define IO_DATASET_READ_H
/* The bytes of one image, from wherever the data set has them. Local; any number of threads at once, each with an arena of its own.
 * Of shards only those are opened that hold an image which is wanted, and MOST_OPEN at a time stay open. */
#include "io/dataset.h"

typedef struct dataset_image {
    const char *name; /* as messages name it */
    file_bytes bytes; /* the file as it was; of a pack of decoded images the pixels, [height, width, 3] */
    bool decoded;
    uint8_t sha256[32]; /* of the original file; of a pack as its record says, which a checksum covers */
    uint64_t original;  /* its bytes */
} dataset_image;

/* Into `scratch`. Errors: ST_NO_INPUT, ST_DATA (too large, damaged, not what was listed) naming shard and sample. */
MUST_CHECK status dataset_read(arena *scratch, const dataset *d, size_t sample, dataset_image *out);
/* The first bytes of it alone: *n of at most `most`. *size: all of it. */
MUST_CHECK status dataset_peek(arena *scratch, const dataset *d, size_t sample, size_t most, unsigned char start[], size_t *n, uint64_t *size);

/* When the file that holds it was last changed, and for a file of its own how large it is (else 0). false: it is not there. */
typedef struct dataset_stamp {
    int64_t seconds, nanoseconds;
    uint64_t bytes;
} dataset_stamp;
bool dataset_look(const dataset *d, size_t sample, dataset_stamp *out);

/* How messages name an image, and the file that holds it. NULL when memory is gone. */
char *dataset_name(arena *a, const dataset *d, size_t sample);
char *dataset_file(arena *a, const dataset *d, size_t sample);
size_t dataset_shard_of(const dataset *d, size_t sample);

#endif
