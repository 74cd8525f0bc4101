#ifndef IO_IMAGE_CODEC_H
#define IO_IMAGE_CODEC_H
/* What image_decode() chooses from. */
#include "io/image.h"

MUST_CHECK status image_png(arena *a, const char *name, file_bytes bytes, image *out);
MUST_CHECK status image_jpeg(arena *a, const char *name, file_bytes bytes, image *out);

/* Sets size and memory of an image, once `bytes` compressed bytes can hold that many pixels at `most_pixels_per_byte`: a header alone
 * must not make us allocate. Errors: ST_DATA. */
MUST_CHECK status image_prepare(arena *a, const char *name, size_t height, size_t width, size_t bytes,
                                size_t most_pixels_per_byte, image *out);

#endif
