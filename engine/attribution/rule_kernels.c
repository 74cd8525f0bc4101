#include "attribution/rule_kernels.h"

#include <assert.h>

#include "nn/stabilise.h"

static float positive(float x)
{
    return x > 0.0f ? x : 0.0f;
}

static float negative(float x)
{
    return x < 0.0f ? x : 0.0f;
}

void kernel_part(size_t n, rule_part part, const float *restrict x, float *restrict y)
{
    assert(part == PART_POSITIVE || part == PART_NEGATIVE);
    if (part == PART_POSITIVE) {
        for (size_t i = 0; i < n; i++) {
            y[i] = positive(x[i]);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            y[i] = negative(x[i]);
        }
    }
}

void kernel_add(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

void kernel_quotient(size_t n, float epsilon, const float *restrict r, const float *restrict d, float *restrict s)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = r[i] / stabilise(d[i], epsilon);
    }
}

void kernel_multiply(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] *= x[i];
    }
}

void kernel_multiply_add(size_t n, float coef, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += coef * (x[i] * t[i]);
    }
}

static float part_of(rule_part part, float b)
{
    return part == PART_POSITIVE ? positive(b) : part == PART_NEGATIVE ? negative(b) : b;
}

void kernel_add_bias(size_t outer, size_t channels, size_t inner, rule_part part, const float *restrict b,
                     float *restrict y)
{
    assert(part != PART_NONE);
    for (size_t o = 0; o < outer; o++) {
        for (size_t c = 0; c < channels; c++) {
            const float value = part_of(part, b[c]);
            float *row = y + (o * channels + c) * inner;
            for (size_t i = 0; i < inner; i++) {
                row[i] += value;
            }
        }
    }
}
