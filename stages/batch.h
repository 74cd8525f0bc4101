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

/* Values of an image as a network takes it. */
static inline size_t batch_image_size(const preprocess *p)
{
    return 3 * p->output[0] * p->output[1];
}

/* Rank-local. Reads micro-batch `index` of `list` into *out, whose `images` the caller allocated. `scratch` is reset.
 * mark [n_samples]: filled in for each file read. Errors: ST_NO_INPUT, ST_DATA naming the file. */
MUST_CHECK status batch_read(arena *scratch, const dataset *d, const sample_list *list, size_t index, size_t micro_batch,
                             const preprocess *p, file_mark *mark, batch *out);

/* Its parts, for who reads images in an order of their own (stages/batch_source.h). Which samples make a micro-batch: n and sample of *out.
 * One image into out [batch_image_size(p)]; `scratch` is reset, errors as above. Copies of the first image behind the last. */
void batch_describe(const sample_list *list, size_t index, size_t micro_batch, batch *out);
MUST_CHECK status batch_read_image(arena *scratch, const dataset *d, size_t sample, const preprocess *p, file_mark *mark, float *out);
void batch_pad(batch *b, size_t micro_batch, size_t image_size);

#endif
