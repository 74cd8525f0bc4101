#ifndef BACKEND_WINOGRAD_KERNELS_H
#define BACKEND_WINOGRAD_KERNELS_H
/* The three transforms of F(4x4, 3x3) at the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray 2015, section 4.3), of a vector of LANES channels at a time:
 *
 *          | 4  0 -5  0  1  0 |        |  1/4     0     0  |         | 1  1  1  1  1  0 |
 *          | 0 -4 -4  1  1  0 |        | -1/6  -1/6  -1/6  |   A^T = | 0  1 -1  2 -2  0 |
 *    B^T = | 0  4 -4 -1  1  0 |    G = | -1/6   1/6  -1/6  |         | 0  1  1  4  4  0 |
 *          | 0 -2 -1  2  1  0 |        | 1/24  1/12   1/6  |         | 0  1 -1  8 -8  1 |
 *          | 0  2 -1 -2  1  0 |        | 1/24 -1/12   1/6  |
 *          | 0  4  0 -5  0  1 |        |   0     0     1   |
 *
 * inputs d [6,6] -> B^T d B, weights g [3,3] -> G g G^T, sums m [6,6] -> outputs A^T m A [4,4]. */
#include "backend/tile.h"

#ifdef HAVE_TILES

enum { POINTS = 6, NUMBERS = POINTS * POINTS, SIDE = 4, TAPS = 3 };

KERNEL void input_points(const __m512 d[POINTS], __m512 t[POINTS])
{
    const __m512 two = _mm512_set1_ps(2.0f), four = _mm512_set1_ps(4.0f), five = _mm512_set1_ps(5.0f);
    const __m512 a = _mm512_fnmadd_ps(four, d[2], d[4]), b = _mm512_fnmadd_ps(four, d[1], d[3]);
    const __m512 c = _mm512_sub_ps(d[4], d[2]), e = _mm512_sub_ps(d[3], d[1]);
    t[0] = _mm512_fmadd_ps(four, d[0], _mm512_fnmadd_ps(five, d[2], d[4]));
    t[1] = _mm512_add_ps(a, b);
    t[2] = _mm512_sub_ps(a, b);
    t[3] = _mm512_fmadd_ps(two, e, c);
    t[4] = _mm512_fnmadd_ps(two, e, c);
    t[5] = _mm512_fmadd_ps(four, d[1], _mm512_fnmadd_ps(five, d[3], d[5]));
}

KERNEL void weight_points(const __m512 g[TAPS], __m512 u[POINTS])
{
    const __m512 outer = _mm512_mul_ps(_mm512_set1_ps(1.0f / 6.0f), _mm512_add_ps(g[0], g[2])), inner = _mm512_mul_ps(_mm512_set1_ps(1.0f / 6.0f), g[1]);
    const __m512 far = _mm512_fmadd_ps(_mm512_set1_ps(1.0f / 24.0f), g[0], _mm512_mul_ps(_mm512_set1_ps(1.0f / 6.0f), g[2]));
    const __m512 half = _mm512_mul_ps(_mm512_set1_ps(1.0f / 12.0f), g[1]);
    u[0] = _mm512_mul_ps(_mm512_set1_ps(0.25f), g[0]);
    u[1] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_add_ps(outer, inner));
    u[2] = _mm512_sub_ps(inner, outer);
    u[3] = _mm512_add_ps(far, half);
    u[4] = _mm512_sub_ps(far, half);
    u[5] = g[2];
}

KERNEL void output_points(const __m512 m[POINTS], __m512 o[SIDE])
{
    const __m512 two = _mm512_set1_ps(2.0f), four = _mm512_set1_ps(4.0f), eight = _mm512_set1_ps(8.0f);
    const __m512 s = _mm512_add_ps(m[1], m[2]), d = _mm512_sub_ps(m[1], m[2]), p = _mm512_add_ps(m[3], m[4]), q = _mm512_sub_ps(m[3], m[4]);
    o[0] = _mm512_add_ps(_mm512_add_ps(m[0], s), p);
    o[1] = _mm512_fmadd_ps(two, q, d);
    o[2] = _mm512_fmadd_ps(four, p, s);
    o[3] = _mm512_fmadd_ps(eight, q, _mm512_add_ps(d, m[5]));
}

/* x: the first of 6x6 pixels, rows `row` floats apart. to: the first of 36 numbers, `step` floats apart. */
KERNEL void transform_input(const float *x, size_t row, float *to, size_t step)
{
    __m512 half[POINTS][POINTS]; /* [pixel of a row, point] */
    UNROLLED
    for (size_t c = 0; c < POINTS; c++) {
        __m512 d[POINTS];
        UNROLLED
        for (size_t r = 0; r < POINTS; r++) {
            d[r] = _mm512_loadu_ps(x + r * row + c * LANES);
        }
        input_points(d, half[c]);
    }
    UNROLLED
    for (size_t r = 0; r < POINTS; r++) {
        __m512 d[POINTS], t[POINTS];
        UNROLLED
        for (size_t c = 0; c < POINTS; c++) {
            d[c] = half[c][r];
        }
        input_points(d, t);
        UNROLLED
        for (size_t c = 0; c < POINTS; c++) {
            _mm512_storeu_ps(to + (r * POINTS + c) * step, t[c]);
        }
    }
}

/* g [3,3] of LANES outputs and one input. */
KERNEL void transform_weights(__m512 g[TAPS][TAPS], float *to, size_t step)
{
    __m512 half[TAPS][POINTS]; /* [tap of a row, point] */
    UNROLLED
    for (size_t c = 0; c < TAPS; c++) {
        const __m512 column[TAPS] = {g[0][c], g[1][c], g[2][c]};
        weight_points(column, half[c]);
    }
    UNROLLED
    for (size_t r = 0; r < POINTS; r++) {
        const __m512 line[TAPS] = {half[0][r], half[1][r], half[2][r]};
        __m512 u[POINTS];
        weight_points(line, u);
        UNROLLED
        for (size_t c = 0; c < POINTS; c++) {
            _mm512_storeu_ps(to + (r * POINTS + c) * step, u[c]);
        }
    }
}

/* from: the first of 36 sums, `step` floats apart; y [4,4]. */
KERNEL void transform_output(const float *from, size_t step, __m512 y[SIDE][SIDE])
{
    __m512 half[POINTS][SIDE]; /* [point of a row, pixel] */
    UNROLLED
    for (size_t c = 0; c < POINTS; c++) {
        __m512 m[POINTS];
        UNROLLED
        for (size_t r = 0; r < POINTS; r++) {
            m[r] = _mm512_loadu_ps(from + (r * POINTS + c) * step);
        }
        output_points(m, half[c]);
    }
    UNROLLED
    for (size_t r = 0; r < SIDE; r++) {
        __m512 m[POINTS];
        UNROLLED
        for (size_t c = 0; c < POINTS; c++) {
            m[c] = half[c][r];
        }
        output_points(m, y[r]);
    }
}

#endif

#endif
