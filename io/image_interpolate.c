/* The reference program's evaluation images (docs/attribution.md, section i): bytes become floats and are then interpolated between the four
 * pixels around a place, however much the image shrinks. As torch does it for tensors: every number in float32, places
 * max(0, (i + 1/2) n/m - 1/2), the last pixel repeated. */
#include "io/image.h"

typedef struct neighbours {
    size_t low, high;
    float share; /* of the high one */
} neighbours;

static neighbours place(size_t i, size_t inputs, size_t outputs)
{
    const float scale = (float)inputs / (float)outputs, at = scale * ((float)i + 0.5f) - 0.5f,
                from = at < 0.0f ? 0.0f : at;
    const size_t cut = (size_t)from, low = cut < inputs ? cut : inputs - 1;
    return (neighbours){low, low + 1 < inputs ? low + 1 : low, from - (float)low};
}

static float value(const image *in, size_t y, size_t x, size_t c)
{
    return (float)in->rgb[3 * (y * in->width + x) + c] / 255.0f;
}

void image_interpolate(const image *in, size_t height, size_t width, float *out)
{
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < height; i++) {
            const neighbours y = place(i, in->height, height);
            for (size_t k = 0; k < width; k++) {
                const neighbours x = place(k, in->width, width);
                const float top = (1.0f - x.share) * value(in, y.low, x.low, c) + x.share * value(in, y.low, x.high, c);
                const float bottom =
                    (1.0f - x.share) * value(in, y.high, x.low, c) + x.share * value(in, y.high, x.high, c);
                *out++ = (1.0f - y.share) * top + y.share * bottom;
            }
        }
    }
}
