#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/image.h"

static const size_t most_pixels = (size_t)1 << 28;

/* "HxW" or "none" or, where one number is allowed, "S" (then size[1] = 0): the canonical forms of facts_merge(). */
static status read_size(const tensors *t, const char *name, bool one_number, size_t size[2])
{
    const char *text = tensors_fact(t, name);
    size[0] = 0;
    size[1] = 0;
    if (text == NULL || strcmp(text, "none") == 0) {
        return STATUS_OK;
    }
    char *end = NULL;
    unsigned long long second = 0;
    const unsigned long long first = strtoull(text, &end, 10);
    const bool pair = *end == 'x';
    if (pair) {
        second = strtoull(end + 1, &end, 10);
    }
    const bool good = *end == '\0' && first > 0 && first <= most_pixels && second <= most_pixels;
    if (!good || (pair ? second == 0 : !one_number)) {
        return FAIL(ST_DATA, "%s: the fact %s: expected HEIGHTxWIDTH%s or none, found '%.100s'", t->source, name,
                    one_number ? ", a number for the shorter side" : "", text);
    }
    size[0] = (size_t)first;
    size[1] = (size_t)second;
    return STATUS_OK;
}

static status read_triple(const tensors *t, const char *name, double least, float out[3])
{
    const char *text = tensors_fact(t, name);
    if (text == NULL) {
        return FAIL(ST_DATA,
                    "%s: the %s per colour channel of its training is not known: expected the fact %s in model.json "
                    "beside the checkpoint, in the metadata of the checkpoint, or in the study file (ImageNet networks "
                    "of torchvision: mean 0.485,0.456,0.406, std 0.229,0.224,0.225)",
                    t->source, strcmp(name, "std") == 0 ? "standard deviation" : "mean", name);
    }
    const char *p = text;
    for (size_t c = 0; c < 3; c++) {
        char *end;
        const double value = strtod(p, &end);
        if (end == p || *end != (c < 2 ? ',' : '\0') || !isfinite((float)value) || (float)value <= (float)least) {
            return FAIL(ST_DATA, "%s: the fact %s: expected three %snumbers a,b,c, found '%.100s'", t->source, name,
                        least == 0.0 ? "positive " : "", text);
        }
        out[c] = (float)value;
        p = end + 1;
    }
    return STATUS_OK;
}

/* Where the steps alone settle the final size, or can never give it, this is known before any image is read. */
static status check_steps(const tensors *t, const preprocess *p)
{
    const size_t *out = p->output, *fixed = p->crop[0] > 0 ? p->crop : p->resize;
    if (fixed[0] > 0 && fixed[1] > 0 && (fixed[0] != out[0] || fixed[1] != out[1])) {
        return FAIL(ST_DATA,
                    "%s: the network takes images of %zux%zu, but %s makes them %zux%zu; correct one of the two in the "
                    "study file",
                    t->source, out[0], out[1], fixed == p->crop ? "crop" : "resize", fixed[0], fixed[1]);
    }
    const size_t *r = p->resize, *c = p->crop;
    if (r[1] > 0 ? c[0] > r[0] || c[1] > r[1] : r[0] > 0 && c[0] > r[0] && c[1] > r[0]) {
        return FAIL(ST_DATA,
                    "%s: crop %zux%zu is larger than what resize leaves; correct one of the two in the study file",
                    t->source, c[0], c[1]);
    }
    return STATUS_OK;
}

status preprocess_from_facts(const tensors *t, size_t height, size_t width, preprocess *out)
{
    preprocess p = {.output = {height, width}};
    size_t image_size[2];
    TRY(read_size(t, "image_size", false, image_size));
    if (image_size[0] > 0 && (image_size[0] != height || image_size[1] != width)) {
        return FAIL(ST_DATA, "%s: the fact image_size says %zux%zu, the network takes %zux%zu", t->source,
                    image_size[0], image_size[1], height, width);
    }
    TRY(read_size(t, "resize", true, p.resize));
    TRY(read_size(t, "crop", false, p.crop));
    TRY(read_triple(t, "mean", -INFINITY, p.mean));
    TRY(read_triple(t, "std", 0.0, p.std));
    TRY(check_steps(t, &p));
    *out = p;
    return STATUS_OK;
}

enum { TRIPLE_TEXT = 64 };

/* "a,b,c", each the shortest text that gives the same float again. */
static void write_triple(const float value[3], char text[TRIPLE_TEXT])
{
    size_t used = 0;
    for (size_t c = 0; c < 3; c++) {
        char number[20];
        for (int digits = 6; digits <= 9; digits++) {
            (void)snprintf(number, sizeof number, "%.*g", digits, (double)value[c]);
            if (strtof(number, NULL) == value[c]) {
                break;
            }
        }
        used += (size_t)snprintf(text + used, TRIPLE_TEXT - used, "%s%s", c > 0 ? "," : "", number);
    }
}

char *preprocess_text(arena *a, const preprocess *p)
{
    char resize[80] = "no resize", crop[80] = "no crop", mean[TRIPLE_TEXT], std[TRIPLE_TEXT];
    if (p->resize[0] > 0 && p->resize[1] > 0) {
        (void)snprintf(resize, sizeof resize, "resize %zux%zu (bilinear, antialiased, 8 bit)", p->resize[0],
                       p->resize[1]);
    } else if (p->resize[0] > 0) {
        (void)snprintf(resize, sizeof resize, "resize shorter side %zu (bilinear, antialiased, 8 bit)", p->resize[0]);
    }
    if (p->crop[0] > 0) {
        (void)snprintf(crop, sizeof crop, "centre crop %zux%zu", p->crop[0], p->crop[1]);
    }
    write_triple(p->mean, mean);
    write_triple(p->std, std);
    return arena_text(a, "%s; %s; input %zux%zu; x/255; mean %s; std %s", resize, crop, p->output[0], p->output[1],
                      mean, std);
}

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

status preprocess_apply(arena *scratch, const preprocess *p, const char *name, const image *in, float *out)
{
    size_t size[2];
    image fitted = *in;
    assert(p->crop[0] == 0 || (p->crop[0] == p->output[0] && p->crop[1] == p->output[1]));
    TRY(resized(p, name, in, size));
    TRY(check_size(p, name, in, size));
    if (size[0] != in->height || size[1] != in->width) {
        TRY(image_resize(scratch, in, size[0], size[1], &fitted));
    }
    normalise(p, &fitted, crop_offset(size[0], p->output[0]), crop_offset(size[1], p->output[1]), out);
    return STATUS_OK;
}
