#include "attribution/rule_kernels.h"

#include <assert.h>
#include <math.h>

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

void kernel_part(size_t n, rule_input part, const float *x, float *y)
{
    assert(part == INPUT_POSITIVE || part == INPUT_NEGATIVE);
    if (part == INPUT_POSITIVE) {
        positive_part(n, x, y);
    } else {
        negative_part(n, x, y);
    }
}

void kernel_map(size_t n, const rule_map *map, float sign, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        y[i] = sign * (float)(v * (map->all + (v > 0.0 ? map->positive : map->negative) + v * map->square) + map->one);
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
static void add_where_positive(size_t n, float coef, const float *restrict x, const float *restrict t,
                               float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i] > 0.0f ? coef * t[i] : 0.0f;
    }
}

VECTOR_KERNEL
static void add_where_negative(size_t n, float coef, const float *restrict x, const float *restrict t,
                               float *restrict y)
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

VECTOR_KERNEL
void kernel_add_product(size_t n, float coef, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += coef * (x[i] * t[i]);
    }
}

void kernel_add_where(size_t n, rule_input part, float coef, const float *x, const float *t, float *y)
{
    if (part == INPUT_POSITIVE) {
        add_where_positive(n, coef, x, t, y);
    } else if (part == INPUT_NEGATIVE) {
        add_where_negative(n, coef, x, t, y);
    } else {
        add_scaled(n, coef, t, y);
    }
}

VECTOR_KERNEL
static void keep_positive(size_t n, const float *restrict z, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = z[i] > 0.0f ? y[i] : 0.0f;
    }
}

VECTOR_KERNEL
static void keep_negative(size_t n, const float *restrict z, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = z[i] < 0.0f ? y[i] : 0.0f;
    }
}

void kernel_gate(size_t n, rule_gate gate, const float *z, float *y)
{
    if (gate == GATE_POSITIVE) {
        keep_positive(n, z, y);
    } else if (gate == GATE_NEGATIVE) {
        keep_negative(n, z, y);
    }
}

VECTOR_KERNEL
void kernel_absolute(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = fabsf(x[i]);
    }
}

VECTOR_KERNEL
void kernel_select(size_t n, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] > 0.0f ? y[i] : t[i];
    }
}

VECTOR_KERNEL
void kernel_add_signed(size_t n, const float *restrict x, const float *restrict t, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i] > 0.0f ? t[i] : -t[i];
    }
}
