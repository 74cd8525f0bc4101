#include "attribution/walk_sums.h"

#include <math.h>

#include "core/vector.h"

enum { PARTS = 8, COLUMNS = 64, MOST_LANES = 16 };

static inline float element(const float *t, const float *f, size_t i)
{
    return f == NULL ? t[i] : t[i] * f[i];
}

/* Sums of every `parts`-th element, x [count, parts]. `parts` is a constant where this is inlined. */
static inline void strided_sums(size_t count, size_t parts, const float *restrict t, const float *restrict f,
                                double *restrict sum)
{
    double lane[MOST_LANES] = {0.0};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < parts; k++) {
            lane[k] += (double)element(t, f, i * parts + k);
        }
    }
    for (size_t k = 0; k < parts; k++) {
        sum[k] = lane[k];
    }
}

VECTOR_KERNEL
static void sums_of_8(size_t count, const float *restrict t, const float *restrict f, double *restrict sum)
{
    if (f == NULL) {
        strided_sums(count, 8, t, NULL, sum);
    } else {
        strided_sums(count, 8, t, f, sum);
    }
}

VECTOR_KERNEL
static void sums_of_16(size_t count, const float *restrict t, const float *restrict f, double *restrict sum)
{
    if (f == NULL) {
        strided_sums(count, 16, t, NULL, sum);
    } else {
        strided_sums(count, 16, t, f, sum);
    }
}

/* One channel after the other: eight partial sums that are added at the end. */
static double sum_of_plane(size_t n, const float *t, const float *f)
{
    double part[PARTS], rest = 0.0;
    sums_of_8(n / PARTS, t, f, part);
    for (size_t i = n / PARTS * PARTS; i < n; i++) {
        rest += (double)element(t, f, i);
    }
    for (size_t k = 0; k < PARTS; k++) {
        rest += part[k];
    }
    return rest;
}

void sums_of_maps(size_t n, size_t space, size_t lanes, const float *t, const float *f, float *absolute,
                  float *with_sign)
{
    for (size_t c = 0; c < n; c += lanes) {
        double sum[MOST_LANES];
        const float *tc = t + c * space, *fc = f == NULL ? NULL : f + c * space;
        if (lanes == 8) {
            sums_of_8(space, tc, fc, sum);
        } else if (lanes == 16) {
            sums_of_16(space, tc, fc, sum);
        } else {
            sum[0] = sum_of_plane(space, tc, fc);
        }
        for (size_t k = 0; k < lanes && c + k < n; k++) {
            with_sign[c + k] = (float)sum[k];
            absolute[c + k] = fabsf(with_sign[c + k]);
        }
    }
}

/* At most COLUMNS components at once, so that the sums stay in the nearest cache. */
VECTOR_KERNEL
static void sum_columns(size_t tokens, size_t n, size_t width, const float *restrict t, const float *restrict f,
                        float *restrict absolute, float *restrict with_sign)
{
    double magnitude[COLUMNS] = {0.0}, value[COLUMNS] = {0.0};
    for (size_t row = 0; row < tokens; row++) {
        for (size_t c = 0; c < width; c++) {
            const float r = f == NULL ? t[row * n + c] : t[row * n + c] * f[row * n + c];
            magnitude[c] += (double)fabsf(r);
            value[c] += (double)r;
        }
    }
    for (size_t c = 0; c < width; c++) {
        absolute[c] = (float)magnitude[c];
        with_sign[c] = (float)value[c];
    }
}

void sums_of_tokens(size_t tokens, size_t n, const float *t, const float *f, float *absolute, float *with_sign)
{
    for (size_t c = 0; c < n; c += COLUMNS) {
        sum_columns(tokens, n, n - c < COLUMNS ? n - c : COLUMNS, t + c, f == NULL ? NULL : f + c, absolute + c,
                    with_sign + c);
    }
}

VECTOR_KERNEL
static void sum_value_columns(size_t tokens, size_t n, size_t width, const double *restrict value,
                              float *restrict absolute, float *restrict with_sign)
{
    double magnitude[COLUMNS] = {0.0}, sum[COLUMNS] = {0.0};
    for (size_t t = 0; t < tokens; t++) {
        for (size_t c = 0; c < width; c++) {
            magnitude[c] += fabs(value[t * n + c]);
            sum[c] += value[t * n + c];
        }
    }
    for (size_t c = 0; c < width; c++) {
        absolute[c] = (float)magnitude[c];
        with_sign[c] = (float)sum[c];
    }
}

void sums_of_values(size_t tokens, size_t n, const double *value, float *absolute, float *with_sign)
{
    for (size_t c = 0; c < n; c += COLUMNS) {
        sum_value_columns(tokens, n, n - c < COLUMNS ? n - c : COLUMNS, value + c, absolute + c, with_sign + c);
    }
}
