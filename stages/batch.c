#include "stages/batch.h"

#include <string.h>

#include "io/dataset_read.h"

status batch_read_image(arena *scratch, const dataset *d, size_t sample, const preprocess *p, file_mark *mark, float *out)
{
    dataset_image from;
    image picture;
    arena_reset(scratch);
    TRY(dataset_read(scratch, d, sample, &from));
    memcpy(mark->sha256, from.sha256, sizeof mark->sha256);
    mark->bytes = from.original;
    if (from.decoded) { /* by the same steps: preprocess_check_steps(); but a pack's index may say one size in words and another in numbers */
        if (from.bytes.size != batch_image_size(p)) {
            return FAIL(ST_DATA, "%s: expected a decoded image of 3 x %zu x %zu bytes, as its steps say, found %zu; make the pack again", from.name,
                        p->output[0], p->output[1], from.bytes.size);
        }
        preprocess_normalise(p, from.bytes.data, out);
        return STATUS_OK;
    }
    TRY(image_decode(scratch, from.name, from.bytes, &picture));
    return preprocess_apply(scratch, p, from.name, &picture, out);
}

void batch_describe(const sample_list *list, size_t index, size_t micro_batch, batch *out)
{
    const size_t first = index * micro_batch, left = list->n - first;
    out->n = left < micro_batch ? left : micro_batch;
    out->sample = list->sample + first;
}

void batch_pad(batch *b, size_t micro_batch, size_t image_size)
{
    for (size_t i = b->n; i < micro_batch; i++) {
        memcpy(b->images + i * image_size, b->images, image_size * sizeof b->images[0]);
    }
}

status batch_read(arena *scratch, const dataset *d, const sample_list *list, size_t index, size_t micro_batch,
                  const preprocess *p, file_mark *mark, batch *out)
{
    const size_t size = batch_image_size(p);
    batch_describe(list, index, micro_batch, out);
    for (size_t i = 0; i < out->n; i++) {
        TRY(batch_read_image(scratch, d, out->sample[i], p, &mark[out->sample[i]], out->images + i * size));
    }
    batch_pad(out, micro_batch, size);
    return STATUS_OK;
}
