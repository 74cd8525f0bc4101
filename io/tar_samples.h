#ifndef IO_TAR_SAMPLES_H
#define IO_TAR_SAMPLES_H
/* What of tars are samples: collects members of shard after shard, then joins images with their labels. */
#include "io/dataset.h"
#include "io/tar.h"

typedef struct tar_sample {
    const char *path;  /* its id */
    const char *label; /* as its .cls or .json says, or the name of its folder */
    dataset_place place;
} tar_sample;

typedef struct tar_samples {
    bool labelled; /* by .cls or .json */
    size_t n;
    tar_sample *list; /* [n] ascending by path */
} tar_samples;

typedef struct tar_collector tar_collector;

/* All of it lives in `a`. shard_name [n_shards], for messages and as the index of places. */
MUST_CHECK status tar_collect_open(arena *a, const char *const shard_name[], tar_collector **out);
MUST_CHECK status tar_collect(tar_collector *c, size_t shard, const tar_source *source);
/* Errors: ST_DATA (no image, one without a class, an id that is there twice). `root` for messages. */
MUST_CHECK status tar_collect_end(tar_collector *c, const char *root, tar_samples *out);

#endif
