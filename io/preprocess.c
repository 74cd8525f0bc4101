#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/image.h"

static const size_t most_pixels = (size_t)1 << 28;

/* The size after the resize step: squash, or the shorter side to S and the longer one to (int)(S * long / short). */
static status resized(const preprocess *p, const char *name, const image *in, size_t size[2])
{
    size[0] = p->resize[0];
    size[1] = p->resize[1];
    if (p->resize[0] == 0) {
        size[0] = in->height;
        size[1] = in->width;
    } else if (p->resize[1] == 0) {
        const bool tall = in->height > in->width;
        const size_t shorter = tall ? in->width : in->height, longer = tall ? in->height : in->width;
        const size_t wanted = p->resize[0] * longer / shorter; /* both factors are at most 2^28 */
        size[0] = tall ? wanted : p->resize[0];
        size[1] = tall ? p->resize[0] : wanted;
    }
    const size_t taller =
        size[0] > in->height ? size[0] : in->height; /* rows of the half-resized image, or of the result */
    if (taller > most_pixels / size[1]) {
        return FAIL(ST_DATA, "%s: resizing an image of %zux%zu (height x width) to %zux%zu takes more than 2^28 pixels",
                    name, in->height, in->width, size[0], size[1]);
    }
    return STATUS_OK;
}

/* Half of the difference, ties to even: round() of Python, as torchvision's CenterCrop. */
static size_t crop_offset(size_t have, size_t want)
{
    const size_t half = (have - want) / 2;
    return (have - want) % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

static status check_size(const preprocess *p, const char *name, const image *in, const size_t size[2])
{
    const bool cropped = p->crop[0] > 0;
    const size_t *want = p->output;
    if (cropped ? size[0] >= want[0] && size[1] >= want[1] : size[0] == want[0] && size[1] == want[1]) {
        return STATUS_OK;
    }
    if (p->resize[0] == 0 && !cropped) {
        return FAIL(ST_DATA,
                    "%s: expected an image of %zux%zu (height x width), found %zux%zu; state resize (and crop) in the "
                    "study file, as in the training of the network",
                    name, want[0], want[1], in->height, in->width);
    }
    return FAIL(ST_DATA, "%s: an image of %zux%zu (height x width) becomes %zux%zu by resize; expected %s%zux%zu%s",
                name, in->height, in->width, size[0], size[1], cropped ? "at least " : "", want[0], want[1],
                cropped ? " for the crop" : "; state a crop too");
}

/* out [3, rows, columns] from the window of `in` that starts at (top, left): (x / 255 - mean) / std, each step in float32. */
static void normalise(const preprocess *p, const image *in, size_t top, size_t left, float *out)
{
    const size_t rows = p->output[0], columns = p->output[1];
    for (size_t c = 0; c < 3; c++) {
        float table[256];
        for (size_t v = 0; v < COUNT(table); v++) {
            table[v] = ((float)v / 255.0f - p->mean[c]) / p->std[c];
        }
        for (size_t y = 0; y < rows; y++) {
            const uint8_t *from = in->rgb + 3 * ((top + y) * in->width + left) + c;
            float *to = out + (c * rows + y) * columns;
            for (size_t x = 0; x < columns; x++) {
                to[x] = table[from[3 * x]];
            }
        }
    }
}

/* The whole image squashed to the network's size: floats first, then places between them. */
static void apply_plain(const preprocess *p, const image *in, float *out)
{
    const size_t plane = p->output[0] * p->output[1];
    image_interpolate(in, p->output[0], p->output[1], out);
    for (size_t i = 0; i < 3 * plane; i++) {
        out[i] = (out[i] - p->mean[i / plane]) / p->std[i / plane];
    }
}

/* What the resize leaves and where the crop begins in it. */
static status fit(arena *scratch, const preprocess *p, const char *name, const image *in, image *fitted, size_t *top, size_t *left)
{
    size_t size[2];
    assert(p->crop[0] == 0 || (p->crop[0] == p->output[0] && p->crop[1] == p->output[1]));
    *fitted = *in;
    TRY(resized(p, name, in, size));
    TRY(check_size(p, name, in, size));
    if (size[0] != in->height || size[1] != in->width) {
        TRY(image_resize(scratch, in, p->resampling, size[0], size[1], fitted));
    }
    *top = crop_offset(size[0], p->output[0]);
    *left = crop_offset(size[1], p->output[1]);
    return STATUS_OK;
}

status preprocess_apply(arena *scratch, const preprocess *p, const char *name, const image *in, float *out)
{
    image fitted;
    size_t top, left;
    if (p->resampling == RESAMPLE_PLAIN) {
        apply_plain(p, in, out);
        return STATUS_OK;
    }
    TRY(fit(scratch, p, name, in, &fitted, &top, &left));
    normalise(p, &fitted, top, left, out);
    return STATUS_OK;
}

status preprocess_pixels(arena *scratch, const preprocess *p, const char *name, const image *in, uint8_t *out)
{
    image fitted;
    size_t top, left;
    const size_t row = 3 * p->output[1];
    assert(p->resampling != RESAMPLE_PLAIN);
    TRY(fit(scratch, p, name, in, &fitted, &top, &left));
    for (size_t y = 0; y < p->output[0]; y++) {
        memcpy(out + y * row, fitted.rgb + 3 * ((top + y) * fitted.width + left), row);
    }
    return STATUS_OK;
}

void preprocess_normalise(const preprocess *p, const uint8_t *pixels, float *out)
{
    uint8_t *rgb = (uint8_t *)(uintptr_t)pixels; /* an image is not const, but it is only read */
    const image in = {p->output[0], p->output[1], rgb};
    normalise(p, &in, 0, 0, out);
}
