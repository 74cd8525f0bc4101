#include "backend/patches.h"

#include <string.h>

#include "core/vector.h"

/* Where a kernel tap meets the image along one axis of a panel: outputs [from,to), counted from the panel's first, lie inside, and output
 * `from` reads the image at `first`; the others follow at the stride. */
typedef struct span {
    size_t from, to, first;
} span;

/* axis 0: rows, tap = ky; axis 1: columns, tap = kx. Outputs [lo,hi) of the plane. */
static inline span tap_span(const conv_shape *s, int axis, size_t tap, size_t lo, size_t hi)
{
    const size_t in = axis == 0 ? s->in_height : s->in_width;
    const size_t shift = tap * s->dilation[axis], pad = s->padding[axis], step = s->stride[axis];
    const size_t inside = shift >= pad ? 0 : (pad - shift + step - 1) / step;
    const size_t end = in + pad <= shift ? 0 : (in + pad - shift + step - 1) / step;
    const size_t from = inside > lo ? inside : lo, to = end < hi ? end : hi;
    return from < to ? (span){from - lo, to - lo, from * step + shift - pad} : (span){0, 0, 0};
}

typedef struct tap {
    size_t channel; /* where it begins in the image */
    span rows, columns;
} tap;

static inline tap tap_of(const conv_shape *s, panel p, size_t t)
{
    const size_t taps = s->kernel[0] * s->kernel[1];
    tap k = {t / taps * s->in_height * s->in_width, {0, 0, 0}, tap_span(s, 1, t % s->kernel[1], p.x0, p.x1)};
    if (k.columns.to > 0) {
        k.rows = tap_span(s, 0, t / s->kernel[1] % s->kernel[0], p.y0, p.y1);
    }
    return k;
}

/* Rows of the image and of the panel are equally long, and the stride is 1: a tap is the image, shifted. One run, and then what to do
 * where a row runs on into its neighbour. */
static inline bool is_shifted(const conv_shape *s, panel p)
{
    return s->in_width == p.x1 - p.x0 && s->in_width == s->out_width && s->stride[0] == 1 && s->stride[1] == 1;
}

static inline size_t run_length(const tap *k, size_t width)
{
    return (k->rows.to - k->rows.from - 1) * width + k->columns.to - k->columns.from;
}

static inline void clear_edges(const tap *k, size_t width, float *plane)
{
    for (size_t y = k->rows.from; y < k->rows.to; y++) {
        for (size_t x = 0; x < k->columns.from; x++) {
            plane[y * width + x] = 0.0f;
        }
        for (size_t x = k->columns.to; x < width; x++) {
            plane[y * width + x] = 0.0f;
        }
    }
}

static inline void gather_row(size_t n, size_t step, const float *restrict from, float *restrict to)
{
    if (step == 1) {
        memcpy(to, from, n * sizeof *to);
    } else if (step == 2) { /* known to the compiler, so that it shuffles vectors */
        for (size_t i = 0; i < n; i++) {
            to[i] = from[2 * i];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            to[i] = from[i * step];
        }
    }
}

static inline void scatter_row(size_t n, size_t step, const float *restrict from, float *restrict to)
{
    if (step == 1) {
        for (size_t i = 0; i < n; i++) {
            to[i] += from[i];
        }
    } else if (step == 2 && n > 0) { /* neighbours too, by 0, which changes no sum: whole vectors */
        for (size_t i = 0; i < n - 1; i++) {
            to[2 * i] += from[i];
            to[2 * i + 1] += 0.0f;
        }
        to[2 * (n - 1)] += from[n - 1];
    } else {
        for (size_t i = 0; i < n; i++) {
            to[i * step] += from[i];
        }
    }
}

VECTOR_KERNEL
void patches_gather(const conv_shape *s, panel p, size_t first, size_t n, const float *image, float *patches)
{
    const size_t width = p.x1 - p.x0, columns = panel_columns(p);
    const bool shifted = is_shifted(s, p);
    for (size_t t = first; t < first + n; t++, patches += columns) {
        const tap k = tap_of(s, p, t);
        const float *from = image + k.channel + k.rows.first * s->in_width + k.columns.first;
        memset(patches, 0, k.rows.from * width * sizeof *patches);
        memset(patches + k.rows.to * width, 0, (columns - k.rows.to * width) * sizeof *patches);
        if (k.rows.to > 0 && shifted) {
            memcpy(patches + k.rows.from * width + k.columns.from, from, run_length(&k, width) * sizeof *patches);
        } else {
            for (size_t y = k.rows.from; y < k.rows.to; y++, from += s->stride[0] * s->in_width) {
                gather_row(k.columns.to - k.columns.from, s->stride[1], from, patches + y * width + k.columns.from);
            }
        }
        clear_edges(&k, width, patches);
    }
}

VECTOR_KERNEL
void patches_scatter(const conv_shape *s, panel p, size_t first, size_t n, float *patches, float *image)
{
    const size_t width = p.x1 - p.x0, columns = panel_columns(p);
    const bool shifted = is_shifted(s, p);
    for (size_t t = first; t < first + n; t++, patches += columns) {
        const tap k = tap_of(s, p, t);
        float *to = image + k.channel + k.rows.first * s->in_width + k.columns.first;
        if (k.rows.to > 0 && shifted) {
            clear_edges(&k, width, patches);
            scatter_row(run_length(&k, width), 1, patches + k.rows.from * width + k.columns.from, to);
        } else {
            for (size_t y = k.rows.from; y < k.rows.to; y++, to += s->stride[0] * s->in_width) {
                scatter_row(k.columns.to - k.columns.from, s->stride[1], patches + y * width + k.columns.from, to);
            }
        }
    }
}
