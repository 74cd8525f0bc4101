#include "backend/winograd.h"

#include <assert.h>
#include <string.h>

#include "backend/winograd_kernels.h"

#ifdef HAVE_TILES

enum {
    GROUP = 14,   /* tiles, the places of the products */
    MOST_GROUPS = 64
};
/* Groups are worked on together as long as their transformed inputs and sums take no more than this of a core's own cache; of layers with many weights so
 * many more that reading all of these is worth it. In floats, as found by bench_narrow. */
static const size_t room = 64 << 10, weights_of_group = 768 << 10;

typedef struct plan {
    conv_plan base;
    conv_shape s;
    conv_pass pass;
    size_t batch, in_blocks, out_blocks;
    size_t across, tiles; /* tiles of a row, of an image */
    size_t groups;        /* of the micro-batch */
    size_t together;      /* of them */
    size_t in_step, out_step, weight_step; /* floats between two of the 36 numbers: of inputs, of sums, of weights */
    size_t bias_at, alive_at;
} plan;

static size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- tiles ---- */

typedef struct place {
    size_t sample, y, x; /* the tile's first output */
} place;

/* Tiles of the whole micro-batch one after the other, in groups that are as even as they can be. Gives how many the group has. */
static size_t places_of(const plan *p, size_t group, place out[GROUP])
{
    const size_t all = p->batch * p->tiles, first = group * all / p->groups, n = (group + 1) * all / p->groups - first;
    for (size_t i = 0; i < n; i++) {
        const size_t tile = (first + i) % p->tiles;
        out[i] = (place){.sample = (first + i) / p->tiles, .y = tile / p->across * SIDE, .x = tile % p->across * SIDE};
    }
    return n;
}

/* The 6x6 pixels of a tile that reaches over the edge of the image [height,width], with zeros for what is outside. */
static void copy_edge(const plan *p, const float *image, ptrdiff_t y, ptrdiff_t x, float *edge)
{
    for (ptrdiff_t r = 0; r < POINTS; r++) {
        for (ptrdiff_t c = 0; c < POINTS; c++) {
            const bool inside = y + r >= 0 && y + r < (ptrdiff_t)p->s.in_height && x + c >= 0 && x + c < (ptrdiff_t)p->s.in_width;
            float *to = edge + (r * POINTS + c) * LANES;
            if (inside) {
                memcpy(to, image + ((y + r) * (ptrdiff_t)p->s.in_width + x + c) * LANES, LANES * sizeof *to);
            } else {
                memset(to, 0, LANES * sizeof *to);
            }
        }
    }
}

/* One group: -> [36][in_blocks][GROUP][LANES]. */
__attribute__((target("avx512f"))) static void winograd_inputs(const plan *p, const float *in, size_t group, float *to)
{
    const size_t plane = p->s.in_height * p->s.in_width * LANES;
    place at[GROUP];
    float edge[NUMBERS * LANES];
    const size_t n = places_of(p, group, at);
    for (size_t k = 0; k < p->in_blocks; k++) {
        for (size_t i = 0; i < n; i++) {
            const float *image = in + (at[i].sample * p->in_blocks + k) * plane;
            const ptrdiff_t y = (ptrdiff_t)at[i].y - (ptrdiff_t)p->s.padding[0], x = (ptrdiff_t)at[i].x - (ptrdiff_t)p->s.padding[1];
            const bool whole = y >= 0 && x >= 0 && y + POINTS <= (ptrdiff_t)p->s.in_height && x + POINTS <= (ptrdiff_t)p->s.in_width;
            if (!whole) {
                copy_edge(p, image, y, x, edge);
            }
            transform_input(whole ? image + (y * (ptrdiff_t)p->s.in_width + x) * LANES : edge, (whole ? p->s.in_width : POINTS) * LANES,
                            to + (k * GROUP + i) * LANES, p->in_step);
        }
    }
}

/* ---- products ---- */

/* x: the group's inputs of one number. w: weights of the first block. */
typedef struct product {
    const float *x, *w;
    float *to;
} product;

KERNEL void product_run(const plan *p, const int places, const int blocks, const product *at)
{
    const size_t block_weights = p->s.in_channels * LANES;
    __m512 sum[MOST_BLOCKS][MOST_PLACES];
    UNROLLED
    for (int b = 0; b < blocks; b++) {
        UNROLLED
        for (int t = 0; t < places; t++) {
            sum[b][t] = _mm512_setzero_ps();
        }
    }
    for (size_t k = 0; k < p->in_blocks; k++) {
        tile_add(places, blocks, least(LANES, p->s.in_channels - k * LANES), block_weights, at->x + k * GROUP * LANES, at->w + k * LANES * LANES, sum);
    }
    UNROLLED
    for (int b = 0; b < blocks; b++) {
        UNROLLED
        for (int t = 0; t < places; t++) {
            _mm512_storeu_ps(at->to + (b * GROUP + t) * LANES, sum[b][t]);
        }
    }
}

typedef void product_kernel(const plan *p, const product *at);
#define PRODUCT(places_, blocks_)                                                                                       \
    __attribute__((target("avx512f"))) static void winograd_product_##places_##_##blocks_(const plan *p, const product *at)      \
    {                                                                                                                   \
        product_run(p, places_, blocks_, at);                                                                           \
    }
#define PRODUCT_NAME(places_, blocks_) winograd_product_##places_##_##blocks_,
TILES_OF_14(PRODUCT, 1)
TILES_OF_14(PRODUCT, 2)
static product_kernel *const products[MOST_BLOCKS][GROUP] = {{TILES_OF_14(PRODUCT_NAME, 1)}, {TILES_OF_14(PRODUCT_NAME, 2)}};

/* Of one of the 36 numbers: sums over the input channels, of n groups. Weights of two blocks of outputs stay near for all groups. */
static void multiply(const plan *p, const float *w, size_t n, const size_t tiles[], const float *v, float *m)
{
    for (size_t b = 0, blocks; b < p->out_blocks; b += blocks) {
        blocks = least(MOST_BLOCKS, p->out_blocks - b);
        for (size_t g = 0; g < n; g++) {
            const product at = {.x = v + g * p->in_blocks * GROUP * LANES,
                                .w = w + b * p->s.in_channels * LANES,
                                .to = m + (g * p->out_blocks + b) * GROUP * LANES};
            products[blocks - 1][tiles[g] - 1](p, &at);
        }
    }
}

/* ---- outputs ---- */

/* Of one block of outputs. */
typedef struct lanes {
    __m512 bias;
    __mmask16 alive;
} lanes;

KERNEL void store(const plan *p, const lanes *l, __m512 v, float *out)
{
    v = _mm512_maskz_add_ps(l->alive, v, l->bias);
    v = p->pass.add ? _mm512_add_ps(v, _mm512_loadu_ps(out)) : v;
    v = p->pass.relu ? tile_positive(v) : v;
    _mm512_storeu_ps(out, v);
}

/* What of a tile lies in the image. out: its first pixel. */
KERNEL void store_tile(const plan *p, const lanes *l, __m512 y[SIDE][SIDE], size_t height, size_t width, float *out)
{
    for (size_t r = 0; r < height; r++) {
        for (size_t c = 0; c < width; c++) {
            store(p, l, y[r][c], out + (r * p->s.out_width + c) * LANES);
        }
    }
}

__attribute__((target("avx512f"))) static void winograd_outputs(const plan *p, const float *w, const float *from, size_t group, float *out)
{
    const size_t plane = p->s.out_height * p->s.out_width * LANES;
    place at[GROUP];
    const size_t n = places_of(p, group, at);
    for (size_t b = 0; b < p->out_blocks; b++) {
        const lanes l = {.bias = p->pass.bias ? _mm512_loadu_ps(w + p->bias_at + b * LANES) : _mm512_setzero_ps(),
                         .alive = _mm512_cmp_ps_mask(_mm512_loadu_ps(w + p->alive_at + b * LANES), _mm512_setzero_ps(), _CMP_NEQ_OQ)};
        for (size_t i = 0; i < n; i++) {
            const size_t height = least(SIDE, p->s.out_height - at[i].y), width = least(SIDE, p->s.out_width - at[i].x);
            float *to = out + (at[i].sample * p->out_blocks + b) * plane + (at[i].y * p->s.out_width + at[i].x) * LANES;
            __m512 y[SIDE][SIDE];
            transform_output(from + (b * GROUP + i) * LANES, p->out_step, y);
            if (height == SIDE && width == SIDE) {
                UNROLLED
                for (size_t r = 0; r < SIDE; r++) {
                    UNROLLED
                    for (size_t c = 0; c < SIDE; c++) {
                        store(p, &l, y[r][c], to + (r * p->s.out_width + c) * LANES);
                    }
                }
            } else {
                store_tile(p, &l, y, height, width, to);
            }
        }
    }
}

/* ---- the plan ---- */

static void run(const conv_plan *base, const float *w, const float *bias, const float *in, float *out, float *work)
{
    (void)bias; /* lies behind the packed weights */
    const plan *p = (const plan *)base;
    float *v = work, *m = work + NUMBERS * p->in_step;
    const size_t all = p->batch * p->tiles, in_group = p->in_blocks * GROUP * LANES, out_group = p->out_blocks * GROUP * LANES;
    for (size_t first = 0, n; first < p->groups; first += n) {
        size_t tiles[MOST_GROUPS];
        n = least(p->together, p->groups - first);
        for (size_t g = 0; g < n; g++) {
            tiles[g] = (first + g + 1) * all / p->groups - (first + g) * all / p->groups;
            winograd_inputs(p, in, first + g, v + g * in_group);
        }
        for (size_t k = 0; k < NUMBERS; k++) {
            multiply(p, w + k * p->weight_step, n, tiles, v + k * p->in_step, m + k * p->out_step);
        }
        for (size_t g = 0; g < n; g++) {
            winograd_outputs(p, w, m + g * out_group, first + g, out);
        }
    }
}

/* Lanes beyond the channels count as dead: they stay 0 whatever comes in. */
static void mask(const conv_plan *base, const uint8_t *alive, float *packed)
{
    const plan *p = (const plan *)base;
    for (size_t o = 0; o < p->out_blocks * LANES; o++) {
        packed[p->alive_at + o] = o < p->s.out_channels && (alive == NULL || alive[o]) ? 1.0f : 0.0f;
    }
}

/* -> [36][out_blocks][in_channels][LANES] */
__attribute__((target("avx512f"))) static void pack_weights(const plan *p, const float *w, float *packed)
{
    const size_t each = TAPS * TAPS, row = p->s.in_channels * each;
    for (size_t b = 0; b < p->out_blocks; b++) {
        const size_t n = least(LANES, p->s.out_channels - b * LANES);
        for (size_t i = 0; i < p->s.in_channels; i++) {
            float taps[TAPS * TAPS][LANES] = {{0}};
            __m512 g[TAPS][TAPS];
            for (size_t o = 0; o < n; o++) {
                const float *from = w + (b * LANES + o) * row + i * each;
                for (size_t t = 0; t < each; t++) {
                    taps[t][o] = from[t];
                }
            }
            for (size_t t = 0; t < each; t++) {
                g[t / TAPS][t % TAPS] = _mm512_loadu_ps(taps[t]);
            }
            transform_weights(g, packed + (b * p->s.in_channels + i) * LANES, p->weight_step);
        }
    }
}

static void pack(const conv_plan *base, const float *w, const float *bias, const uint8_t *alive, float *packed)
{
    const plan *p = (const plan *)base;
    pack_weights(p, w, packed);
    if (p->pass.bias) {
        memset(packed + p->bias_at, 0, p->out_blocks * LANES * sizeof *packed);
        if (bias != NULL) {
            memcpy(packed + p->bias_at, bias, p->s.out_channels * sizeof *bias);
        }
    }
    mask(base, alive, packed);
}

bool winograd_possible(const conv_shape *s, conv_pass pass)
{
    bool possible = pass.winograd && !pass.adjoint && pass.n_parts == 0 && !s->rows && !s->plain_input && s->groups == 1;
    for (size_t i = 0; i < 2; i++) {
        possible = possible && s->kernel[i] == TAPS && s->stride[i] == 1 && s->dilation[i] == 1;
    }
    return possible && __builtin_cpu_supports("avx512f");
}

/* An odd number of lines of the cache: numbers of a power of two would all want the same few of its places. */
static size_t odd_step(size_t floats)
{
    return floats / LANES % 2 == 1 ? floats : floats + LANES;
}

static size_t together(const plan *p)
{
    const size_t fit = room / (NUMBERS * GROUP * LANES * (p->in_blocks + p->out_blocks));
    const size_t worth = NUMBERS * p->s.in_channels * p->out_blocks * LANES / weights_of_group, wanted = fit < worth ? worth : fit;
    const size_t most = least(wanted < 1 ? 1 : wanted, MOST_GROUPS), rounds = (p->groups + most - 1) / most;
    return (p->groups + rounds - 1) / rounds;
}

status winograd_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    plan *p;
    assert(winograd_possible(s, pass));
    TRY_ALLOC(p, a, 1);
    *p = (plan){.base = {.kernel = "winograd:avx512", .winograd = true, .pack = pack, .mask = mask, .run = run}, .s = *s, .pass = pass, .batch = batch,
                .in_blocks = blocks_of(s->in_channels), .out_blocks = blocks_of(s->out_channels), .across = (s->out_width + SIDE - 1) / SIDE};
    p->tiles = p->across * ((s->out_height + SIDE - 1) / SIDE);
    p->groups = (batch * p->tiles + GROUP - 1) / GROUP;
    p->together = together(p);
    p->in_step = odd_step(p->together * p->in_blocks * GROUP * LANES);
    p->out_step = odd_step(p->together * p->out_blocks * GROUP * LANES);
    p->weight_step = odd_step(p->out_blocks * s->in_channels * LANES);
    p->bias_at = NUMBERS * p->weight_step;
    p->alive_at = p->bias_at + (pass.bias ? p->out_blocks * LANES : 0);
    p->base.n_packed = p->alive_at + p->out_blocks * LANES;
    p->base.n_work = NUMBERS * (p->in_step + p->out_step);
    *out = &p->base;
    return STATUS_OK;
}

#else

bool winograd_possible(const conv_shape *s, conv_pass pass)
{
    (void)s;
    (void)pass;
    return false;
}

status winograd_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    (void)a;
    (void)s;
    (void)batch;
    (void)pass;
    (void)out;
    return FAIL(ST_BUG, "Winograd's algorithm is for x86-64");
}

#endif
