/* PNG and JPEG files, resized and normalised. */
#include "io/image.h"
#include "fuzz/fuzz.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    image picture = {0};
    static float out[3 * 24 * 24];
    const preprocess p = {.resize = {32, 0}, .crop = {24, 24}, .output = {24, 24}, .std = {1.0f, 1.0f, 1.0f}};
    const status st = image_decode(a, "fuzz", (file_bytes){data, size}, &picture);
    fuzz_expect(st);
    if (status_ok(st) && picture.height * picture.width < (size_t)1
                                                              << 22) { /* the resize of larger ones takes seconds */
        fuzz_expect(preprocess_apply(a, &p, "fuzz", &picture, out));
    }
}

static const char *const corpus[] = {"tests/e2e/images/alpha.png",
                                     "tests/e2e/images/grey16.png",
                                     "tests/e2e/images/half.png",
                                     "tests/e2e/images/palette.png",
                                     "tests/e2e/images/rgb16.png",
                                     "tests/e2e/images/hollow.png",
                                     "tests/fuzz/corpus/grey.jpg",
                                     "tests/fuzz/corpus/colour.jpg",
                                     "tests/fuzz/corpus/progressive.jpg",
                                     "tests/fuzz/corpus/cmyk.jpg",
                                     NULL};
const fuzz_target fuzz_image = {"image", run, corpus, 1 << 14};
