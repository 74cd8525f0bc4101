/* z [out,oh*ow] = w [out,patch] patches, in blocks of the matrix of patches: a number of taps (rows) by a panel of outputs (columns), made in
 * the second level of the cache and read by sgemm at once. The transposed pass makes the same blocks of w' z and adds them to the image. A
 * pointwise convolution needs none of this: its patches are the image.
 *
 * How a sample is cut depends on the shape of the layer alone, because sgemm's last bits depend on the width of a matrix: so it goes through the
 * same calls in every slot of every micro-batch. Only the order of the calls among samples depends on the batch: several panels go through a
 * block of the weights before the next one, which keeps weights in the cache where planes are small.
 *
 * A transposed pass could be a forward one with turned weights; that would take a packed copy of them, for layers that reach 0.8 and more of
 * sgemm without (docs/benchmarks.md). */
#include "backend/openblas_conv.h"

#include <string.h>

#include "backend/parts.h"
#include "backend/patches.h"
#include "backend/sgemm.h"
#include "core/vector.h"

/* Measured on the shapes of VGG-16 and ResNets (docs/benchmarks.md), with 1 MiB of second level. */
enum {
    COLUMNS = 512,      /* most outputs in a panel, but a plane of */
    WHOLE = 1024,       /* at most so many is one panel: sgemm reorders the weights for every panel */
    BLOCK = 128 * 1024, /* most floats in a block: half of the second level */
    RUN = 512 * 1024    /* about so many outputs go through a block of the weights before the next block is read */
};

typedef struct plan {
    conv_plan base;
    conv_shape shape; /* out_channels: those of all parts */
    size_t batch;
    conv_pass pass;
    bool pointwise;
    size_t rows, columns; /* of the plane of outputs, in a panel */
    size_t panels;        /* in a plane */
    size_t taps;          /* in a block */
    size_t run;           /* panels */
} plan;

/* One panel of one group of one sample, and a block of its patches. */
typedef struct block {
    panel at;
    size_t begin;    /* of the panel in a plane */
    size_t first, n; /* taps */
} block;

/* A 1x1 convolution that touches every pixel once is a product with the image itself. */
static bool is_pointwise(const conv_shape *s)
{
    bool all = true;
    for (size_t i = 0; i < 2; i++) {
        all = all && s->kernel[i] == 1 && s->stride[i] == 1 && s->padding[i] == 0;
    }
    return all;
}

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* The largest of equal parts of n that have at most `most`. */
static size_t even_part(size_t n, size_t most)
{
    return divide_up(n, divide_up(n, most));
}

static void cut(plan *p)
{
    const conv_shape *s = &p->shape;
    p->columns = s->out_width;
    p->rows = s->out_height;
    if (!p->pointwise && s->out_height * s->out_width > WHOLE) {
        p->columns = even_part(s->out_width, COLUMNS);
        p->rows = p->columns < s->out_width ? 1 : even_part(s->out_height, COLUMNS / s->out_width);
    }
    p->panels = divide_up(s->out_height, p->rows) * divide_up(s->out_width, p->columns);
    p->taps = p->pointwise ? s->in_channels / s->groups : even_part(patch_size(s), BLOCK / (p->rows * p->columns));
    p->run = divide_up(RUN, s->out_channels / s->groups * p->rows * p->columns);
}

/* The i-th panel of a plane. */
static panel panel_at(const plan *p, size_t i)
{
    const conv_shape *s = &p->shape;
    const size_t across = divide_up(s->out_width, p->columns), y = i / across * p->rows, x = i % across * p->columns;
    return (panel){.y0 = y,
                   .y1 = y + p->rows < s->out_height ? y + p->rows : s->out_height,
                   .x0 = x,
                   .x1 = x + p->columns < s->out_width ? x + p->columns : s->out_width};
}

/* What follows the product, z [channels,n] with rows of `stride` floats. */
VECTOR_KERNEL
static void finish(size_t channels, size_t stride, size_t n, const float *restrict bias, bool relu, float *restrict z)
{
    for (size_t c = 0; c < channels; c++, z += stride) {
        const float b = bias == NULL ? 0.0f : bias[c];
        if (relu) {
            for (size_t i = 0; i < n; i++) {
                const float sum = z[i] + b;
                z[i] = sum <= 0.0f ? 0.0f : sum; /* a not-a-number stays one */
            }
        } else if (bias != NULL) {
            for (size_t i = 0; i < n; i++) {
                z[i] += b;
            }
        }
    }
}

/* x, z: of one group of one sample. bias: of the group, or NULL. */
static void forward_block(const plan *p, const block *k, const float *w, const float *bias, const float *x, float *z,
                          float *work)
{
    const conv_shape *s = &p->shape;
    const size_t plane = s->out_height * s->out_width, patch = patch_size(s), out = s->out_channels / s->groups;
    const size_t columns = panel_columns(k->at);
    const float *patches = x;
    if (!p->pointwise) {
        patches_gather(s, k->at, k->first, k->n, x, work);
        patches = work;
    }
    sgemm(0, 0, out, columns, k->n, 1.0f, w + k->first, patch, patches, columns,
          p->pass.add || k->first > 0 ? 1.0f : 0.0f, z + k->begin, plane);
    if (k->first + k->n == patch) {
        finish(out, plane, columns, bias, p->pass.relu, z + k->begin);
    }
}

static void adjoint_block(const plan *p, const block *k, const float *w, const float *z, float *x, float *work)
{
    const conv_shape *s = &p->shape;
    const size_t plane = s->out_height * s->out_width, columns = panel_columns(k->at);
    float *patches = p->pointwise ? x : work;
    sgemm(1, 0, k->n, columns, s->out_channels / s->groups, 1.0f, w + k->first, patch_size(s), z + k->begin, plane,
          0.0f, patches, columns);
    if (p->pointwise) {
        return;
    }
    if (k->begin == 0 && k->first == 0) { /* the first block of a sample, whatever the order */
        memset(x, 0, s->in_channels / s->groups * s->in_height * s->in_width * sizeof *x);
    }
    patches_scatter(s, k->at, k->first, k->n, work, x);
}

/* Taps from `first` on of the i-th panel of a group, counted through the micro-batch. w, bias: of the group. */
static void run_block(const plan *p, size_t group, size_t i, size_t first, const float *w, const float *bias,
                      const float *in, float *out, float *work)
{
    const conv_shape *s = &p->shape;
    const size_t at = i / p->panels * s->groups + group, left = patch_size(s) - first;
    const size_t x_floats = s->in_channels / s->groups * s->in_height * s->in_width;
    const size_t z_floats = s->out_channels / s->groups * s->out_height * s->out_width;
    block k = {.at = panel_at(p, i % p->panels), .first = first, .n = left < p->taps ? left : p->taps};
    k.begin = k.at.y0 * s->out_width + k.at.x0;
    if (p->pass.adjoint) {
        adjoint_block(p, &k, w, in + at * z_floats, out + at * x_floats, work);
    } else {
        forward_block(p, &k, w, bias, in + at * x_floats, out + at * z_floats, work);
    }
}

static void run_group(const plan *p, size_t group, const float *w, const float *bias, const float *in, float *out,
                      float *work)
{
    const size_t n = p->batch * p->panels;
    for (size_t i0 = 0; i0 < n; i0 += p->run) {
        const size_t end = i0 + p->run < n ? i0 + p->run : n;
        for (size_t first = 0; first < patch_size(&p->shape); first += p->taps) {
            for (size_t i = i0; i < end; i++) {
                run_block(p, group, i, first, w, bias, in, out, work);
            }
        }
    }
}

static void run(const conv_plan *base, const float *w, const float *bias, const float *in, float *out, float *work)
{
    const plan *p = (const plan *)base;
    const conv_shape *s = &p->shape;
    const size_t patch = patch_size(s), channels = s->out_channels / s->groups;
    if (p->pass.n_parts > 0) { /* packed behind the weights */
        bias = w + s->out_channels * patch;
    }
    for (size_t g = 0; g < s->groups; g++) {
        run_group(p, g, w + g * channels * patch, p->pass.bias && bias != NULL ? bias + g * channels : NULL, in, out,
                  work);
    }
}

/* Convolutions have few weights: their parts are stored, one behind the other, and then their biases'. */
static void pack(const conv_plan *base, const float *w, const float *bias, const uint8_t *alive, float *packed)
{
    const plan *p = (const plan *)base;
    const size_t out = p->shape.out_channels / p->pass.n_parts, patch = patch_size(&p->shape);
    float *packed_bias = packed + p->shape.out_channels * patch;
    for (size_t i = 0; i < p->shape.out_channels; i++) {
        const weight_part part = alive == NULL || alive[i % out] ? p->pass.part[i / out] : (weight_part){0.0f, 0.0f};
        part_of_block(part, 1, patch, w + i % out * patch, patch, packed + i * patch, patch);
        if (p->pass.bias) {
            packed_bias[i] = part_of(part, bias[i % out]);
        }
    }
}

status openblas_conv_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    plan *p;
    TRY_ALLOC(p, a, 1);
    *p = (plan){.shape = *s, .batch = batch, .pass = pass, .pointwise = is_pointwise(s)};
    p->shape.out_channels *= parts_of(pass);
    cut(p);
    const size_t packed = p->shape.out_channels * (patch_size(s) + (pass.bias ? 1 : 0));
    p->base = (conv_plan){.kernel = p->pointwise ? "sgemm" : "im2col in blocks and sgemm",
                          .n_work = p->pointwise ? 0 : p->taps * p->rows * p->columns,
                          .n_packed = pass.n_parts == 0 ? 0 : packed,
                          .pack = pack,
                          .run = run};
    *out = &p->base;
    return STATUS_OK;
}
