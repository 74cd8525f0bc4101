#include "io/file_kind.h"
#include "io/image_codec.h"

static const size_t most_pixels = (size_t)1 << 28;

status image_decode(arena *a, const char *name, file_bytes bytes, image *out)
{
    if (file_starts_with(bytes, "\x89PNG\r\n\x1a\n", 8)) {
        return image_png(a, name, bytes, out);
    }
    if (file_starts_with(bytes, "\xff\xd8\xff", 3)) {
        return image_jpeg(a, name, bytes, out);
    }
    if (bytes.size == 0) {
        return FAIL(ST_DATA, "%s: expected a PNG or JPEG image, found an empty file; replace or remove it", name);
    }
    return FAIL(ST_DATA,
                "%s: expected a PNG or JPEG image, found a file of %zu bytes that starts with byte 0x%02x; replace or "
                "remove it",
                name, bytes.size, bytes.data[0]);
}

status image_prepare(arena *a, const char *name, size_t height, size_t width, size_t bytes, size_t most_pixels_per_byte,
                     image *out)
{
    if (height == 0 || width == 0 || height > most_pixels / width) {
        return FAIL(ST_DATA, "%s: expected an image of 1 to 2^28 pixels, found %zux%zu (height x width)", name, height,
                    width);
    }
    if (height * width / most_pixels_per_byte > bytes) {
        return FAIL(ST_DATA,
                    "%s: %zu bytes cannot hold an image of %zux%zu (height x width): the file is truncated or corrupt; "
                    "replace or remove it",
                    name, bytes, height, width);
    }
    out->height = height;
    out->width = width;
    TRY_ALLOC(out->rgb, a, height * width * 3);
    return STATUS_OK;
}
