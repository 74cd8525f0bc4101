#ifndef IO_DATASET_SHARDS_H
#define IO_DATASET_SHARDS_H
/* The lines of a listing that stand before its classes, where images are not files of their own:
 *   T BYTES NAME                           a tar; its images are lines `A SHARD OFFSET BYTES PATH`
 *   D HEIGHT WIDTH IDENTITY STEPS          a pack; of original files: 0 0, and `-` for STEPS
 *   K IMAGES NAME                          one of its shards: the next so many images of the listing */
#include "io/dataset.h"

typedef struct shard_head {
    dataset_kind kind;
    size_t n_shards, n_lines;
    const dataset_shard *shard;
    size_t n_samples; /* that the shards of a pack have */
    const char *steps;
    size_t stored[2];
    uint8_t identity[32];
} shard_head;

/* *bytes: what of the text it takes; 0: a listing of files. Errors: ST_DATA with the line. */
MUST_CHECK status shard_head_read(arena *a, const char *root, const char *text, size_t size, size_t *bytes, shard_head *out);
/* "SHARD OFFSET BYTES PATH"; false: not that, or not within such a shard. */
bool shard_place_read(const shard_head *head, const char *text, dataset_place *out, const char **path);
/* Of a data set that is whole but for its handles, which are closed with the arena. */
MUST_CHECK status shard_handles_open(arena *a, dataset *d);

enum { SHARDS_MOST = 1 << 20, SHARD_IMAGE_MOST = 1 << 28 }; /* bytes of a compressed image: far more than any photograph */

#endif
