#include "stages/batch.h"

#include <string.h>

#include "io/sha256.h"

static const size_t largest_image = (size_t)1 << 28; /* bytes of a compressed file: far more than any photograph */

static status read_image(arena *scratch, const dataset *d, size_t sample, const preprocess *p, file_mark *mark, float *out)
{
    file_bytes bytes;
    image picture;
    const char *path = path_join(scratch, d->root, d->path[sample]);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(scratch, path, largest_image, &bytes));
    sha256(bytes.data, bytes.size, mark[sample].sha256);
    mark[sample].bytes = bytes.size;
    TRY(image_decode(scratch, path, bytes, &picture));
    return preprocess_apply(scratch, p, path, &picture, out);
}

status batch_read(arena *scratch, const dataset *d, const sample_list *list, size_t index, size_t micro_batch,
                  const preprocess *p, file_mark *mark, batch *out)
{
    const size_t first = index * micro_batch, left = list->n - first, size = 3 * p->output[0] * p->output[1];
    out->n = left < micro_batch ? left : micro_batch;
    out->sample = list->sample + first;
    for (size_t i = 0; i < out->n; i++) {
        arena_reset(scratch);
        TRY(read_image(scratch, d, out->sample[i], p, mark, out->images + i * size));
    }
    for (size_t i = out->n; i < micro_batch; i++) {
        memcpy(out->images + i * size, out->images, size * sizeof out->images[0]);
    }
    return STATUS_OK;
}
