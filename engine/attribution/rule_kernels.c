#include "attribution/rule_kernels.h"

#include <assert.h>

#include "core/vector.h"

VECTOR_KERNEL
static void positive_part(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] > 0.0f ? x[i] : 0.0f;
    }
}

VECTOR_KERNEL
static void negative_part(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] < 0.0f ? x[i] : 0.0f;
    }
}

void kernel_part(size_t n, rule_part part, const float *x, float *y)
{
    assert(part == PART_POSITIVE || part == PART_NEGATIVE);
    if (part == PART_POSITIVE) {
        positive_part(n, x, y);
    } else {
        negative_part(n, x, y);
    }
}

VECTOR_KERNEL
void kernel_add(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

VECTOR_KERNEL
void kernel_multiply(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] *= x[i];
    }
}

VECTOR_KERNEL
void kernel_multiply_add(size_t n, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i] * t[i];
    }
}

VECTOR_KERNEL
static void add_where_positive(size_t n, float coef, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i] > 0.0f ? coef * t[i] : 0.0f;
    }
}

VECTOR_KERNEL
static void add_where_negative(size_t n, float coef, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i] < 0.0f ? coef * t[i] : 0.0f;
    }
}

VECTOR_KERNEL
static void add_scaled(size_t n, float coef, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += coef * t[i];
    }
}

void kernel_add_where(size_t n, rule_part part, float coef, const float *x, const float *t, float *y)
{
    if (part == PART_POSITIVE) {
        add_where_positive(n, coef, x, t, y);
    } else if (part == PART_NEGATIVE) {
        add_where_negative(n, coef, x, t, y);
    } else {
        add_scaled(n, coef, t, y);
    }
}
