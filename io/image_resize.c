/* Resizing as Pillow does it for 8-bit images (docs/attribution.md, section i): a triangle or cubic filter that widens when the
 * image shrinks, applied to rows and then to columns, each pass rounded to 8 bits, with weights in 22-bit fixed
 * point. */
#include <math.h>
#include <string.h>

#include "io/image.h"

enum { FRACTION_BITS = 22 };

/* For output i: the inputs first[i] .. first[i] + count[i] - 1 with weight[i * most + k]. */
typedef struct filter {
    size_t outputs, most;
    size_t *first, *count;
    int32_t *weight;
} filter;

static double triangle(double x)
{
    const double distance = fabs(x);
    return distance < 1.0 ? 1.0 - distance : 0.0;
}

/* Keys' cubic convolution with a = -1/2 (Keys 1981). */
static double cubic(double x)
{
    const double a = -0.5, d = fabs(x);
    if (d < 1.0) {
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    }
    return d < 2.0 ? (((d - 5.0) * d + 8.0) * d - 4.0) * a : 0.0;
}

typedef struct kernel {
    double (*value)(double x);
    double support; /* zero beyond */
} kernel;

/* Weights of one output, normalised to sum 1 in double before they are rounded. */
static void fill_weights(const kernel *curve, double centre, double stretch, size_t first, size_t count, double *real,
                         int32_t *weight)
{
    const double inverse = 1.0 / stretch;
    double sum = 0.0;
    for (size_t k = 0; k < count; k++) {
        real[k] = curve->value(((double)(k + first) - centre + 0.5) * inverse);
        sum += real[k];
    }
    for (size_t k = 0; k < count; k++) {
        const double share = sum != 0.0 ? real[k] / sum : real[k];
        weight[k] = (int32_t)((share < 0.0 ? -0.5 : 0.5) + share * (double)(1 << FRACTION_BITS));
    }
}

static status filter_build(arena *a, const kernel *curve, size_t inputs, size_t outputs, filter *f)
{
    const double scale = (double)inputs / (double)outputs, stretch = scale < 1.0 ? 1.0 : scale,
                 support = curve->support * stretch;
    double *real;
    f->outputs = outputs;
    f->most = (size_t)ceil(support) * 2 + 1;
    TRY_ALLOC(f->first, a, outputs);
    TRY_ALLOC(f->count, a, outputs);
    TRY_ALLOC(real, a, f->most);
    f->weight = arena_alloc(a, outputs, f->most * sizeof *f->weight);
    if (f->weight == NULL) {
        return status_frame((status){ST_ENVIRONMENT}, __FILE__, __LINE__, __func__);
    }
    for (size_t i = 0; i < outputs; i++) {
        const double centre = ((double)i + 0.5) * scale, low = centre - support + 0.5, high = centre + support + 0.5;
        const size_t first = low > 0.0 ? (size_t)low : 0, end = high < (double)inputs ? (size_t)high : inputs;
        f->first[i] = first;
        f->count[i] = end - first;
        fill_weights(curve, centre, stretch, first, end - first, real, f->weight + i * f->most);
    }
    return STATUS_OK;
}

static uint8_t round_and_clip(int64_t sum)
{
    const int64_t value = (sum + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS;
    return (uint8_t)(value > 255 ? 255 : value < 0 ? 0 : value); /* cubic weights overshoot */
}

/* in [rows, n, 3] -> out [rows, f->outputs, 3] */
static void filter_rows(const filter *f, size_t rows, size_t n, const uint8_t *in, uint8_t *out)
{
    for (size_t y = 0; y < rows; y++) {
        for (size_t i = 0; i < f->outputs; i++) {
            const uint8_t *from = in + 3 * (y * n + f->first[i]);
            const int32_t *w = f->weight + i * f->most;
            int64_t sum[3] = {0};
            for (size_t k = 0; k < f->count[i]; k++) {
                for (size_t c = 0; c < 3; c++) {
                    sum[c] += (int64_t)w[k] * from[3 * k + c];
                }
            }
            for (size_t c = 0; c < 3; c++) {
                out[3 * (y * f->outputs + i) + c] = round_and_clip(sum[c]);
            }
        }
    }
}

/* in [n, row] -> out [f->outputs, row]; sum [row] is scratch, so that memory is walked along the rows. */
static void filter_columns(const filter *f, size_t row, const uint8_t *in, int64_t *sum, uint8_t *out)
{
    for (size_t i = 0; i < f->outputs; i++) {
        memset(sum, 0, row * sizeof *sum);
        for (size_t k = 0; k < f->count[i]; k++) {
            const int64_t w = f->weight[i * f->most + k];
            const uint8_t *from = in + (f->first[i] + k) * row;
            for (size_t x = 0; x < row; x++) {
                sum[x] += w * from[x];
            }
        }
        for (size_t x = 0; x < row; x++) {
            out[i * row + x] = round_and_clip(sum[x]);
        }
    }
}

status image_resize(arena *a, const image *in, resampling how, size_t height, size_t width, image *out)
{
    const kernel bilinear = {triangle, 1.0}, bicubic = {cubic, 2.0};
    const kernel *curve = how == RESAMPLE_BICUBIC ? &bicubic : &bilinear;
    filter horizontal, vertical;
    uint8_t *half, *rgb;
    int64_t *sum;
    TRY(filter_build(a, curve, in->width, width, &horizontal));
    TRY(filter_build(a, curve, in->height, height, &vertical));
    TRY_ALLOC(half, a, in->height * width * 3);
    TRY_ALLOC(rgb, a, height * width * 3);
    TRY_ALLOC(sum, a, width * 3);
    filter_rows(&horizontal, in->height, in->width, in->rgb, half);
    filter_columns(&vertical, width * 3, half, sum, rgb);
    *out = (image){height, width, rgb};
    return STATUS_OK;
}
