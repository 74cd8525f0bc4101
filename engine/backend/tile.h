#ifndef BACKEND_TILE_H
#define BACKEND_TILE_H
/* The innermost loop of our own convolutions, for AVX-512: sums of products of some places and of some blocks of outputs, all in registers. A place is a
 * vector of LANES inputs, one block of channels; places lie behind each other. */
#if defined(__x86_64__)
#define HAVE_TILES
#include <immintrin.h>
#include <stddef.h>

enum {
    LANES = 16,       /* of a block */
    MOST_PLACES = 16, /* with one block of outputs; 14 with two: their product stays in registers, of which there are 32 */
    MOST_BLOCKS = 2   /* of outputs at once */
};

#define KERNEL __attribute__((target("avx512f"), always_inline)) static inline
#define TILE_PRAGMA(x_) _Pragma(#x_)
#ifdef __clang__
#define UNROLLED TILE_PRAGMA(clang loop unroll(full))
#else
#define UNROLLED TILE_PRAGMA(GCC unroll 16)
#endif

/* sum[b][t] += sum over i < n of x[t][i] w[b][i], where the weights of a block are [n][LANES] and those of the next block lie block_weights behind. One fused
 * multiply-add after the other, in the order of i. */
KERNEL void tile_add(const int places, const int blocks, size_t n, size_t block_weights, const float *x, const float *w,
                     __m512 sum[MOST_BLOCKS][MOST_PLACES])
{
    for (size_t i = 0; i < n; i++) {
        __m512 weight[MOST_BLOCKS];
        UNROLLED
        for (int b = 0; b < blocks; b++) {
            weight[b] = _mm512_loadu_ps(w + (size_t)b * block_weights + LANES * i);
        }
        UNROLLED
        for (int t = 0; t < places; t++) { /* places outside: else what is read of all of them waits in registers that there are not */
            const __m512 input = _mm512_set1_ps(x[LANES * (size_t)t + i]);
            UNROLLED
            for (int b = 0; b < blocks; b++) {
                sum[b][t] = _mm512_fmadd_ps(input, weight[b], sum[b][t]);
            }
        }
    }
}

/* max(v, 0); a not-a-number stays one. */
KERNEL __m512 tile_positive(__m512 v)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NLE_UQ), v);
}

/* One function for every size of a tile, EACH(places, blocks). */
#define TILES_OF_14(each_, blocks_)                                                                                     \
    each_(1, blocks_) each_(2, blocks_) each_(3, blocks_) each_(4, blocks_) each_(5, blocks_) each_(6, blocks_)         \
    each_(7, blocks_) each_(8, blocks_) each_(9, blocks_) each_(10, blocks_) each_(11, blocks_) each_(12, blocks_)      \
    each_(13, blocks_) each_(14, blocks_)
#define TILES_OF_16(each_, blocks_) TILES_OF_14(each_, blocks_) each_(15, blocks_) each_(16, blocks_)

static const size_t most_places[MOST_BLOCKS] = {16, 14};
#endif

#endif
