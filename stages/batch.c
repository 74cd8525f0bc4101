#include "stages/batch.h"

#include <string.h>

#include "io/sha256.h"

static const size_t largest_image = (size_t)1 << 28; /* bytes of a compressed file: far more than any photograph */

status batch_read_image(arena *scratch, const dataset *d, size_t sample, const preprocess *p, file_mark *mark, float *out)
{
    file_bytes bytes;
    image picture;
    arena_reset(scratch);
    const char *path = path_join(scratch, d->root, d->path[sample]);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(scratch, path, largest_image, &bytes));
    sha256(bytes.data, bytes.size, mark->sha256);
    mark->bytes = bytes.size;
    TRY(image_decode(scratch, path, bytes, &picture));
    return preprocess_apply(scratch, p, path, &picture, out);
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
