#include <assert.h>
#include <string.h>

#include "core/vector.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif
#include "nn/op.h"
#include "nn/quotient.h"

/* Sum of one or two inputs that have not the same channels, on all channels that any of them has:  y[c] = sum_i x_i[place of c in x_i],
 * a channel that an input has not counts as 0 there. Producers of a residual sum lose their own rows, and the stream does not
 * (docs/attribution.md, section h, "Compaction and cost"). */
typedef struct scatter_attr {
    size_t channels;
    struct {
        bool whole;     /* it has every channel of the sum, in its place */
        int32_t *place; /* [channels of the sum] in the input; 0 where it has not the channel */
        int32_t *has;   /* 1 or 0 */
    } in[MAX_INPUTS];
} scatter_attr;

static status find_places(arena *a, const channel_map *in, const channel_map *out, scatter_attr *s, size_t i)
{
    size_t k = 0, found = 0;
    TRY_ALLOC(s->in[i].place, a, out->n);
    TRY_ALLOC(s->in[i].has, a, out->n);
    for (size_t c = 0; c < out->n; c++) { /* both ascend, but for places that pad */
        while (k < in->n && (in->channel[k] == NO_CHANNEL || in->channel[k] < out->channel[c])) {
            k++;
        }
        if (k < in->n && out->channel[c] != NO_CHANNEL && in->channel[k] == out->channel[c]) {
            s->in[i].place[c] = (int32_t)k;
            s->in[i].has[c] = 1;
            found += k == c;
        }
    }
    s->in[i].whole = found == out->n && in->n == out->n;
    return STATUS_OK;
}

status scatter_attr_make(arena *a, size_t n_in, const channel_map in[], const channel_map *out, const void **attr)
{
    scatter_attr *s;
    TRY_ALLOC(s, a, 1);
    s->channels = out->n;
    for (size_t i = 0; i < n_in; i++) {
        TRY(find_places(a, &in[i], out, s, i));
    }
    *attr = s;
    return STATUS_OK;
}

static status infer(const node *n, const shape in[], shape *out)
{
    const scatter_attr *a = n->attr;
    *out = in[0];
    out->dim[in[0].rank == 3 ? 0 : in[0].rank - 1] = a->channels;
    return STATUS_OK;
}

/* What becomes of the sum with one more input: the first is put there, unless it is there already, and the others are added. */
typedef struct put {
    bool adds, relu;
} put;

static inline float put_into(put how, float sum, float x)
{
    const float v = how.adds ? sum + x : x;
    return how.relu && v <= 0.0f ? 0.0f : v;
}

VECTOR_KERNEL
static void put_whole(size_t n, put how, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = put_into(how, y[i], x[i]);
    }
}

VECTOR_KERNEL
static void put_zeros(size_t n, put how, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = put_into(how, y[i], 0.0f);
    }
}

/* y [rows,n] from x [rows, .] whose rows are `stride` apart, element c of a row being `from[c]` behind its beginning, or 0. */
static inline void put_rows(size_t rows, size_t n, put how, const int32_t *restrict from, const int32_t *restrict has,
                            size_t stride, const float *restrict x, float *restrict y)
{
    for (size_t row = 0; row < rows; row++, x += stride, y += n) {
        for (size_t c = 0; c < n; c++) {
            const float v = x[from[c]];
            y[c] = put_into(how, y[c], has[c] != 0 ? v : 0.0f);
        }
    }
}

VECTOR_KERNEL
static void put_tokens(size_t rows, size_t n, put how, const int32_t *restrict from, const int32_t *restrict has,
                       size_t stride, const float *restrict x, float *restrict y)
{
    put_rows(rows, n, how, from, has, stride, x, y);
}

VECTOR_KERNEL
static void put_blocks_of_16(size_t pixels, put how, const int32_t *restrict from, const int32_t *restrict has,
                             const float *restrict x, float *restrict y)
{
    put_rows(pixels, 16, how, from, has, 16, x, y);
}

VECTOR_KERNEL
static void put_blocks_of_8(size_t pixels, put how, const int32_t *restrict from, const int32_t *restrict has,
                            const float *restrict x, float *restrict y)
{
    put_rows(pixels, 8, how, from, has, 8, x, y);
}

#ifdef __x86_64__
/* Two blocks of 16 channels beside each other, or the same twice: what a block of ascending channels is put together from. */
typedef struct neighbours {
    size_t near, far; /* blocks */
    int32_t lane[MAX_BLOCK];
    uint16_t has;
} neighbours;

static bool find_neighbours(const scatter_attr *a, size_t i, size_t first, neighbours *out)
{
    size_t low = SIZE_MAX, high = 0;
    *out = (neighbours){.near = 0};
    for (size_t c = 0; c < MAX_BLOCK && first + c < a->channels; c++) {
        if (a->in[i].has[first + c]) {
            const size_t place = (size_t)a->in[i].place[first + c];
            low = place / MAX_BLOCK < low ? place / MAX_BLOCK : low;
            high = place / MAX_BLOCK > high ? place / MAX_BLOCK : high;
            out->lane[c] = (int32_t)place;
            out->has |= (uint16_t)(1U << c);
        }
    }
    out->near = out->has == 0 ? 0 : low;
    out->far = high;
    for (size_t c = 0; c < MAX_BLOCK; c++) {
        out->lane[c] -= (out->has >> c & 1) != 0 ? (int32_t)(out->near * MAX_BLOCK) : 0;
    }
    return out->far - out->near <= 1 && __builtin_cpu_supports("avx512f");
}

/* What put_blocks_of_16() does, bit for bit, by one permutation for a pixel. */
__attribute__((target("avx512f"))) static void put_neighbours(size_t plane, put how, const neighbours *of, const float *x, float *y)
{
    const float *near = x + of->near * plane * MAX_BLOCK, *far = x + of->far * plane * MAX_BLOCK;
    const __m512i lanes = _mm512_loadu_si512(of->lane);
    for (size_t k = 0; k < plane * MAX_BLOCK; k += MAX_BLOCK) {
        __m512 v = _mm512_maskz_permutex2var_ps(of->has, _mm512_loadu_ps(near + k), lanes, _mm512_loadu_ps(far + k));
        v = how.adds ? _mm512_add_ps(_mm512_loadu_ps(y + k), v) : v;
        v = how.relu ? _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NLE_UQ), v) : v;
        _mm512_storeu_ps(y + k, v);
    }
}
#endif

static bool put_quickly(const scatter_attr *a, size_t i, size_t first, size_t plane, size_t block, put how, const float *x, float *y)
{
#ifdef __x86_64__
    neighbours of;
    if (block == MAX_BLOCK && find_neighbours(a, i, first, &of)) {
        put_neighbours(plane, how, &of, x, y);
        return true;
    }
#endif
    (void)a, (void)i, (void)first, (void)plane, (void)block, (void)how, (void)x, (void)y;
    return false;
}

/* One sample's image. Lanes beyond the last channel stay 0. */
static void put_image(const scatter_attr *a, size_t i, size_t plane, size_t block, put how, const float *x, float *y)
{
    for (size_t first = 0; first < a->channels; first += block, y += block * plane) {
        int32_t from[MAX_BLOCK] = {0}, has[MAX_BLOCK] = {0};
        if (put_quickly(a, i, first, plane, block, how, x, y)) {
            continue;
        }
        for (size_t c = 0; c < block && first + c < a->channels; c++) {
            const size_t place = (size_t)a->in[i].place[first + c];
            from[c] = (int32_t)(place / block * plane * block + place % block);
            has[c] = a->in[i].has[first + c];
        }
        if (block == 16) {
            put_blocks_of_16(plane, how, from, has, x, y);
        } else if (block == 8) {
            put_blocks_of_8(plane, how, from, has, x, y);
        } else if (has[0]) {
            put_whole(plane, how, x + from[0], y);
        } else {
            put_zeros(plane, how, y);
        }
    }
}

static void put_input(const op_call *c, size_t i, put how)
{
    const scatter_attr *a = c->node->attr;
    const shape in = c->in_shape[i], out = c->node->out;
    const size_t n_in = images_floats(in, c->block), n_out = images_floats(out, c->block);
    if (a->in[i].whole) {
        put_whole(c->batch * n_out, how, c->in[i], c->out);
        return;
    }
    if (in.rank != 3) {
        const size_t features = shape_channels(in);
        put_tokens(c->batch * n_in / features, a->channels, how, a->in[i].place, a->in[i].has, features, c->in[i],
                   c->out);
        return;
    }
    for (size_t b = 0; b < c->batch; b++) {
        put_image(a, i, out.dim[1] * out.dim[2], c->block, how, c->in[i] + b * n_in, c->out + b * n_out);
    }
}

static bool writes_over(const node *n, size_t input)
{
    const scatter_attr *a = n->attr;
    return a->in[input].whole;
}

/* The input that the sum is written over, if there is one, comes first. */
static void forward(const op_call *c)
{
    const size_t n = c->node->n_in, first = n == 2 && c->out == c->in[1] ? 1 : 0;
    assert(c->out != c->in[first] || writes_over(c->node, first));
    if (c->out != c->in[first]) {
        put_input(c, first, (put){.relu = c->relu && n == 1});
    }
    if (n == 2) {
        put_input(c, 1 - first, (put){.adds = true, .relu = c->relu});
    }
}

/* What an input has of an array of the sum's channels: back[place of c] = from[c]. Places that pad, and lanes beyond the channels, are 0. */
static void take_back(const relevance_call *c, size_t i, const float *from, float *back)
{
    const scatter_attr *a = c->node->attr;
    const shape in = c->in_shape[i], out = c->node->out;
    const bool map = in.rank == 3;
    const size_t lanes = map ? c->block : 1, n_in = c->batch * images_floats(in, c->block);
    const size_t rows = map ? in.dim[1] * in.dim[2] : n_in / shape_channels(in); /* a row has every channel once */
    const size_t samples = map ? c->batch : 1;
    memset(back, 0, n_in * sizeof *back);
    for (size_t b = 0; b < samples; b++, from += images_floats(out, lanes), back += images_floats(in, lanes)) {
        for (size_t k = 0; k < a->channels; k++) {
            const size_t place = (size_t)a->in[i].place[k], step_in = map ? lanes : shape_channels(in), step_out = map ? lanes : a->channels;
            const float *x = from + (map ? k / lanes * lanes * rows + k % lanes : k);
            float *y = back + (map ? place / lanes * lanes * rows + place % lanes : place);
            for (size_t row = 0; row < rows && a->in[i].has[k]; row++) {
                y[row * step_in] = x[row * step_out];
            }
        }
    }
}

/* Norm, as that of a sum (docs/attribution.md, section b):  q = R/st(y),  R_i = x_i (q where x_i lies in y). */
static size_t relevance_workspace(const node *n, const shape in[], size_t batch, size_t block)
{
    (void)in;
    return batch * images_floats(n->out, block);
}

static void relevance(const relevance_call *c)
{
    quotient(c->batch * images_floats(c->node->out, c->block), (float)c->epsilon, c->r_out, c->factor, c->out, c->work);
    for (size_t i = 0; i < c->node->n_in; i++) {
        if (c->r_in[i] != NULL) {
            take_back(c, i, c->work, c->r_in[i]);
        }
    }
}

/* Linear: its transpose is its derivative, and where it only moves elements their relevance too. */
static void transpose(const relevance_call *c)
{
    for (size_t i = 0; i < c->node->n_in; i++) {
        if (c->r_in[i] != NULL) {
            take_back(c, i, c->r_out, c->r_in[i]);
        }
    }
}

const op_def op_scatter_add = {
    .name = "scatter-add",
    .help = "sum of inputs that have not the same channels",
    .keeps_nonnegative = true,
    .n_in = 2,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_QUOTIENTS,
    .relevance_workspace = relevance_workspace,
    .relevance = relevance,
    .relevance_name = "norm",
    .relevance_reads = READS_EPSILON,
    .gradient_way = RELEVANCE_WHOLE,
    .gradient = transpose,
    .takes_relu = true,
    .in_place = true,
    .writes_over = writes_over,
};

const op_def op_widen = {
    .name = "widen",
    .help = "an input in its places among all channels, the others being 0",
    .keeps_nonnegative = true,
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_MOVES,
    .relevance = transpose,
    .relevance_name = "pass",
    .gradient_way = RELEVANCE_MOVES,
    .gradient = transpose,
    .takes_relu = true,
    .in_place = true,
    .writes_over = writes_over,
};
