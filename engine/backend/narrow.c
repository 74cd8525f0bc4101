#include "backend/narrow.h"

#include <assert.h>
#include <string.h>

#include "backend/tile.h"

#if defined(HAVE_TILES) && !defined(__clang__) /* clang keeps no tile of one block in registers, and would be slower than the library */

static const size_t strip_floats = 48 << 10; /* of input rows: with the weights they fit in a core's own cache */

typedef struct plan {
    conv_plan base;
    conv_shape s;
    conv_pass pass;
    size_t batch, in_blocks, out_blocks, taps;
    size_t rows;         /* of the output that a strip of input rows is enough for */
    size_t strip_height; /* its rows, */
    size_t strip_width;  /* and pixels of a row, with what is padded */
    bool copies;         /* strips are copied, to have the padding; else the image is the strip */
    size_t block_weights; /* of a block of outputs */
    size_t bias_at;
} plan;

static size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- kernels ---- */

/* Some pixels of a row, of some blocks of outputs. in: where the first pixel's first tap reads; steps are between blocks and rows of the input, blocks of
 * weights, and blocks of the output. */
typedef struct tile {
    const float *in, *weights, *bias;
    float *out;
    size_t in_block, in_row, out_block;
} tile;

KERNEL void tile_store(const plan *p, const int pixels, const int blocks, const tile *at, __m512 sum[MOST_BLOCKS][MOST_PLACES])
{
    UNROLLED
    for (int b = 0; b < blocks; b++) {
        float *out = at->out + (size_t)b * at->out_block;
        UNROLLED
        for (int t = 0; t < pixels; t++) {
            __m512 v = sum[b][t];
            v = p->pass.add ? _mm512_add_ps(v, _mm512_loadu_ps(out + LANES * (size_t)t)) : v;
            v = p->pass.relu ? tile_positive(v) : v;
            _mm512_storeu_ps(out + LANES * (size_t)t, v);
        }
    }
}

KERNEL void tile_run(const plan *p, const int pixels, const int blocks, const tile *at)
{
    __m512 sum[MOST_BLOCKS][MOST_PLACES];
    const float *w = at->weights;
    UNROLLED
    for (int b = 0; b < blocks; b++) {
        const __m512 bias = p->pass.bias ? _mm512_loadu_ps(at->bias + LANES * (size_t)b) : _mm512_setzero_ps();
        UNROLLED
        for (int t = 0; t < pixels; t++) {
            sum[b][t] = bias;
        }
    }
    for (size_t k = 0; k < p->in_blocks; k++) {
        const size_t n = least(LANES, p->s.in_channels - LANES * k);
        for (size_t y = 0; y < p->s.kernel[0]; y++) {
            const float *row = at->in + k * at->in_block + y * p->s.dilation[0] * at->in_row;
            for (size_t x = 0; x < p->s.kernel[1]; x++) {
                tile_add(pixels, blocks, n, p->block_weights, row + LANES * x * p->s.dilation[1], w, sum);
                w += LANES * n;
            }
        }
    }
    tile_store(p, pixels, blocks, at, sum);
}

typedef void tile_kernel(const plan *p, const tile *at);
#define TILE(pixels_, blocks_)                                                                                         \
    __attribute__((target("avx512f"))) static void narrow_tile_##pixels_##_##blocks_(const plan *p, const tile *at)           \
    {                                                                                                                  \
        tile_run(p, pixels_, blocks_, at);                                                                             \
    }
#define TILE_NAME(pixels_, blocks_) narrow_tile_##pixels_##_##blocks_,
TILES_OF_16(TILE, 1)
TILES_OF_14(TILE, 2)
static tile_kernel *const kernels[MOST_BLOCKS][MOST_PLACES] = {{TILES_OF_16(TILE_NAME, 1)}, {TILES_OF_14(TILE_NAME, 2)}};

/* ---- a convolution ---- */

/* Rows of a sample's input that begin at `first`, which may lie above it, with zeros for what is outside. */
static void copy_strip(const plan *p, const float *image, ptrdiff_t first, size_t height, float *strip)
{
    const size_t width = p->s.in_width * LANES, left = p->s.padding[1] * LANES, all = p->strip_width * LANES;
    for (size_t k = 0; k < p->in_blocks; k++) {
        for (size_t r = 0; r < height; r++) {
            const ptrdiff_t y = first + (ptrdiff_t)r;
            float *to = strip + (k * p->strip_height + r) * all;
            if (y < 0 || y >= (ptrdiff_t)p->s.in_height) {
                memset(to, 0, all * sizeof *to);
                continue;
            }
            memset(to, 0, left * sizeof *to);
            memcpy(to + left, image + (k * p->s.in_height + (size_t)y) * width, width * sizeof *to);
            memset(to + left + width, 0, (all - left - width) * sizeof *to);
        }
    }
}

/* A row of outputs, as few tiles as there can be, as even as they can be. */
static void run_row(const plan *p, size_t blocks, tile at)
{
    const size_t width = p->s.out_width, most = most_places[blocks - 1], n = (width + most - 1) / most;
    for (size_t i = 0, x = 0; i < n; i++) {
        const size_t pixels = (i + 1) * width / n - x;
        kernels[blocks - 1][pixels - 1](p, &at);
        at.in += pixels * LANES;
        at.out += pixels * LANES;
        x += pixels;
    }
}

/* Output rows first .. first + n from the strip that begins where the first of them reads. */
static void run_strip(const plan *p, const float *w, const float *strip, size_t first, size_t n, float *out)
{
    const size_t row = p->s.out_width * LANES;
    tile at = {.in_block = p->strip_height * p->strip_width * LANES, .in_row = p->strip_width * LANES, .out_block = p->s.out_height * row};
    for (size_t b = 0, blocks; b < p->out_blocks; b += blocks) {
        blocks = least(MOST_BLOCKS, p->out_blocks - b);
        at.weights = w + b * p->block_weights;
        at.bias = w + p->bias_at + b * LANES;
        for (size_t y = 0; y < n; y++) {
            at.in = strip + y * at.in_row;
            at.out = out + b * at.out_block + (first + y) * row;
            run_row(p, blocks, at);
        }
    }
}

static void run(const conv_plan *base, const float *w, const float *bias, const float *in, float *out, float *work)
{
    (void)bias; /* lies behind the packed weights */
    const plan *p = (const plan *)base;
    const size_t in_image = p->in_blocks * p->s.in_height * p->s.in_width * LANES, out_image = p->out_blocks * p->s.out_height * p->s.out_width * LANES;
    for (size_t i = 0; i < p->batch; i++) {
        const float *image = in + i * in_image;
        for (size_t y = 0, n; y < p->s.out_height; y += n) {
            n = least(p->rows, p->s.out_height - y);
            if (p->copies) {
                copy_strip(p, image, (ptrdiff_t)y - (ptrdiff_t)p->s.padding[0], p->strip_height - p->rows + n, work);
            }
            run_strip(p, w, p->copies ? work : image + y * p->strip_width * LANES, y, n, out + i * out_image);
        }
    }
}

static void pack(const conv_plan *base, const float *w, const float *bias, const uint8_t *alive, float *packed)
{
    const plan *p = (const plan *)base;
    memset(packed, 0, p->base.n_packed * sizeof *packed);
    for (size_t o = 0; o < p->s.out_channels; o++) {
        const float *row = w + o * p->s.in_channels * p->taps;
        float *to = packed + o / LANES * p->block_weights + o % LANES;
        if (alive != NULL && !alive[o]) {
            continue;
        }
        for (size_t first = 0; first < p->s.in_channels; first += LANES) {
            const size_t n = least(LANES, p->s.in_channels - first);
            for (size_t i = 0; i < n; i++) {
                for (size_t t = 0; t < p->taps; t++) {
                    to[(t * n + i) * LANES] = row[(first + i) * p->taps + t];
                }
            }
            to += p->taps * n * LANES;
        }
        if (p->pass.bias && bias != NULL) {
            packed[p->bias_at + o] = bias[o];
        }
    }
}

/* Of the taps of all outputs, the share that lies inside of the image, along one of its sides. */
static double inside(const conv_shape *s, size_t side, size_t in, size_t out)
{
    size_t n = 0;
    for (size_t x = 0; x < out; x++) {
        for (size_t k = 0; k < s->kernel[side]; k++) {
            const size_t at = x + k * s->dilation[side];
            n += at >= s->padding[side] && at < s->padding[side] + in;
        }
    }
    return (double)n / (double)(out * s->kernel[side]);
}

static bool takes(const conv_shape *s, conv_pass pass)
{
    return !pass.adjoint && pass.n_parts == 0 && !s->rows && !s->plain_input && s->groups == 1 && s->stride[0] == 1 && s->stride[1] == 1;
}

/* The library takes whole blocks and leaves out what is padded around the image; this takes single channels and multiplies the padding. */
bool narrow_pays(const conv_shape *s, conv_pass pass)
{
    enum { LIBRARY_ROW = 28 }; /* pixels that the library computes together; with one block each it is slow on longer rows */
    static const double least_factor = 1.1; /* full blocks take 1.04 to 1.15 times as long here (docs/benchmarks.md, "Curves") */
    const size_t in_blocks = blocks_of(s->in_channels);
    if (!pass.quick || !takes(s, pass)) {
        return false;
    }
    const double taps = inside(s, 0, s->in_height, s->out_height) * inside(s, 1, s->in_width, s->out_width);
    return (in_blocks == 1 && s->out_channels <= LANES && s->out_width > LIBRARY_ROW) ||
           (double)(LANES * in_blocks) * taps >= least_factor * (double)s->in_channels;
}

status narrow_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    plan *p;
    assert(takes(s, pass));
    TRY_ALLOC(p, a, 1);
    *p = (plan){.base = {.kernel = "narrow:avx512", .pack = pack, .run = run}, .s = *s, .pass = pass, .batch = batch,
                .in_blocks = blocks_of(s->in_channels), .out_blocks = blocks_of(s->out_channels), .taps = s->kernel[0] * s->kernel[1],
                .copies = s->padding[0] > 0 || s->padding[1] > 0};
    const size_t reach = (s->kernel[0] - 1) * s->dilation[0]; /* of the last tap, in rows */
    p->strip_width = p->copies ? (s->out_width - 1) + (s->kernel[1] - 1) * s->dilation[1] + 1 : s->in_width;
    if (p->copies && p->strip_width < s->padding[1] + s->in_width) {
        p->strip_width = s->padding[1] + s->in_width;
    }
    const size_t fit = strip_floats / (p->in_blocks * p->strip_width * LANES);
    p->rows = least(s->out_height, fit > 2 * reach ? fit - reach : reach + 1);
    p->strip_height = p->copies ? p->rows + reach : s->in_height;
    p->block_weights = LANES * s->in_channels * p->taps;
    p->bias_at = p->out_blocks * p->block_weights;
    p->base.n_packed = p->bias_at + (pass.bias ? p->out_blocks * LANES : 0);
    p->base.n_work = p->copies ? p->in_blocks * p->strip_height * p->strip_width * LANES : 0;
    *out = &p->base;
    return STATUS_OK;
}

#else

bool narrow_pays(const conv_shape *s, conv_pass pass)
{
    (void)s;
    (void)pass;
    return false;
}

status narrow_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    (void)a;
    (void)s;
    (void)batch;
    (void)pass;
    (void)out;
    return FAIL(ST_BUG, "convolutions of single channels are for x86-64 and gcc");
}

#endif
