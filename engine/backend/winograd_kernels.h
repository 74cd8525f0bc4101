#ifndef BACKEND_WINOGRAD_KERNELS_H
#define BACKEND_WINOGRAD_KERNELS_H
/* The three transforms of F(4x4, 3x3) (Lavin and Gray 2015, section 4.3) at the points 0, a, -a, b, -b and infinity, of a vector of LANES channels at a time:
 *
 *          | aabb   0  -aa-bb   0  1  0 |        |  1/aabb                    |         | 1   1    1   1    1   0 |
 *          |  0   -abb   -bb    a  1  0 |        |  1/N     a/N    aa/N       |   A^T = | 0   a   -a   b   -b   0 |
 *    B^T = |  0    abb   -bb   -a  1  0 |    G = |  1/N    -a/N    aa/N       |         | 0  aa   aa  bb   bb   0 |
 *          |  0   -aab   -aa    b  1  0 |        |  1/M     b/M    bb/M       |         | 0 aaa -aaa bbb -bbb   1 |
 *          |  0    aab   -aa   -b  1  0 |        |  1/M    -b/M    bb/M       |
 *          |  0   aabb    0  -aa-bb  0 1 |        |   0       0      1         |   N = 2 aa (aa - bb), M = 2 bb (bb - aa)
 *
 * inputs d [6,6] -> B^T d B, weights g [3,3] -> G g G^T, sums m [6,6] -> outputs A^T m A [4,4].
 *
 * Of points in pairs any make the same number of steps; how much they amplify rounding differs (Barabasz et al. 2018, arXiv:1803.10986). Of twelve pairs with
 * few digits tried on random layers, 5/8 and 3/2 have the least: under half of the usual 1 and 2, and a quarter in the worst outputs. */
#include "backend/tile.h"

#ifdef HAVE_TILES

enum { POINTS = 6, NUMBERS = POINTS * POINTS, SIDE = 4, TAPS = 3 };

/* All powers are exact. */
#define A 0.625f
#define B 1.5f

KERNEL __m512 all(float x)
{
    return _mm512_set1_ps(x);
}

KERNEL void input_points(const __m512 d[POINTS], __m512 t[POINTS])
{
    const __m512 aa = all(A * A), bb = all(B * B), product = all(A * A * B * B), sum = all(A * A + B * B);
    const __m512 even_a = _mm512_fnmadd_ps(bb, d[2], d[4]), odd_a = _mm512_fnmadd_ps(bb, d[1], d[3]);
    const __m512 even_b = _mm512_fnmadd_ps(aa, d[2], d[4]), odd_b = _mm512_fnmadd_ps(aa, d[1], d[3]);
    t[0] = _mm512_fmadd_ps(product, d[0], _mm512_fnmadd_ps(sum, d[2], d[4]));
    t[1] = _mm512_fmadd_ps(all(A), odd_a, even_a);
    t[2] = _mm512_fnmadd_ps(all(A), odd_a, even_a);
    t[3] = _mm512_fmadd_ps(all(B), odd_b, even_b);
    t[4] = _mm512_fnmadd_ps(all(B), odd_b, even_b);
    t[5] = _mm512_fmadd_ps(product, d[1], _mm512_fnmadd_ps(sum, d[3], d[5]));
}

KERNEL void weight_points(const __m512 g[TAPS], __m512 u[POINTS])
{
    const float n = 1.0f / (2.0f * A * A * (A * A - B * B)), m = 1.0f / (2.0f * B * B * (B * B - A * A));
    const __m512 even_a = _mm512_mul_ps(all(n), _mm512_fmadd_ps(all(A * A), g[2], g[0])), odd_a = _mm512_mul_ps(all(A * n), g[1]);
    const __m512 even_b = _mm512_mul_ps(all(m), _mm512_fmadd_ps(all(B * B), g[2], g[0])), odd_b = _mm512_mul_ps(all(B * m), g[1]);
    u[0] = _mm512_mul_ps(all(1.0f / (A * A * B * B)), g[0]);
    u[1] = _mm512_add_ps(even_a, odd_a);
    u[2] = _mm512_sub_ps(even_a, odd_a);
    u[3] = _mm512_add_ps(even_b, odd_b);
    u[4] = _mm512_sub_ps(even_b, odd_b);
    u[5] = g[2];
}

KERNEL void output_points(const __m512 m[POINTS], __m512 o[SIDE])
{
    const __m512 even_a = _mm512_add_ps(m[1], m[2]), odd_a = _mm512_sub_ps(m[1], m[2]), even_b = _mm512_add_ps(m[3], m[4]), odd_b = _mm512_sub_ps(m[3], m[4]);
    o[0] = _mm512_add_ps(_mm512_add_ps(m[0], even_a), even_b);
    o[1] = _mm512_fmadd_ps(all(A), odd_a, _mm512_mul_ps(all(B), odd_b));
    o[2] = _mm512_fmadd_ps(all(A * A), even_a, _mm512_mul_ps(all(B * B), even_b));
    o[3] = _mm512_fmadd_ps(all(A * A * A), odd_a, _mm512_fmadd_ps(all(B * B * B), odd_b, m[5]));
}

#undef A
#undef B

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
