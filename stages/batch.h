#ifndef STAGES_BATCH_H
#define STAGES_BATCH_H
/* One micro-batch of images, read and preprocessed. */
#include "io/dataset.h"
#include "io/image.h"
#include "stages/study.h"

/* What identifies an input file. */
typedef struct file_mark {
    uint8_t sha256[32];
    uint64_t bytes;
} file_mark;

typedef struct batch {
    size_t n;              /* samples that count; the rest is padding */
    const size_t *sample;  /* [n] */
    float *images;         /* [micro_batch, 3, height, width] */
} batch;

/* Rank-local. Reads micro-batch `index` of `list` into *out, whose `images` the caller allocated. `scratch` is reset.
 * mark [n_samples]: filled in for each file read. Errors: ST_NO_INPUT, ST_DATA naming the file. */
MUST_CHECK status batch_read(arena *scratch, const dataset *d, const sample_list *list, size_t index, size_t micro_batch,
                             const preprocess *p, file_mark *mark, batch *out);

#endif
