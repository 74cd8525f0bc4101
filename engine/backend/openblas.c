/* Linear layers by sgemm on one thread of OpenBLAS; convolutions are in openblas_conv.c.
 *
 * The slot law decides the shapes of the calls. sgemm gives an element of the product bits that depend on where in the matrix it
 * lies (measured on OpenBLAS 0.3.21: the kernels for AVX2 finish the last columns in another order of operations, also for sizes that
 * are multiples of the register block; so do those for SSE). A sample therefore has either calls of its own (convolution, tokens) or a
 * lane of its own in a tile of exactly LANES samples, where all lanes go through the same vector instructions (single rows, where a
 * call per sample would read the weights once per sample). */
#include <cblas.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/openblas_conv.h"
#include "backend/parts.h"
#include "backend/sgemm.h"

enum {
    LANES = 16,      /* samples in a tile; a whole number of vectors on every instruction set */
    BLOCK_OUT = 256, /* outputs of a tile computed in one call: LANES x BLOCK_OUT floats of each part lie on the stack */
    BLOCK_IN = 512,  /* inputs of a tile read in one call */
    PANEL = 64       /* columns of a matrix of weights whose parts are multiplied in one call */
};

/* Could the library have `size` bytes? Nothing is touched, so this costs no memory. */
static bool room_for(size_t size)
{
    const int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    void *room = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    const bool enough = fd < 0 || room != MAP_FAILED;
    if (room != MAP_FAILED) {
        (void)munmap(room, size);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return enough;
}

/* OpenBLAS takes a buffer at its first product, keeps it, and where there is no memory for it tries again for ever. So it is made to
 * take the buffer here, after a look whether there is room: strmm needs one whatever the size, sgemm does not on all processors. */
static status start(void)
{
    static const size_t buffer = (size_t)160 << 20; /* 128 MiB in 0.3.21, and some */
    const float one = 1.0f;
    float product = 1.0f;
    openblas_set_num_threads(1);
    if (!room_for(buffer)) {
        return FAIL(ST_ENVIRONMENT,
                    "out of memory: OpenBLAS needs %zu MiB for itself; use fewer ranks per node or raise the limit "
                    "(ulimit -v)",
                    buffer >> 20);
    }
    cblas_strmm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, 1, 1, 1.0f, &one, 1, &product, 1);
    return STATUS_OK;
}

static const char *version(void)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "%s, kernels for %s", openblas_get_config(), openblas_get_corename());
    return text;
}

static void gemm(int at, int bt, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc)
{
    sgemm(at, bt, m, n, k, alpha, a, lda, b, ldb, 0.0f, c, ldc);
}

/* The plan is the shape: weights are taken as they are. */
typedef struct plan {
    conv_plan base;
    conv_shape shape;
    size_t batch;
    conv_pass pass;
} plan;

static float positive(float x)
{
    return x <= 0.0f ? 0.0f : x; /* a not-a-number stays one */
}

/* A product z [batch,parts,n] = x [batch,k] m, where m [k,n] is w' as stored, or z [batch,n] = x [batch,parts,k] m with m = w; of parts of w
 * that are made when they are used: the weights of such layers are the largest there are. */
typedef struct product {
    bool transposed;     /* m = w', w [n,k] */
    size_t k, n, stride; /* stride: row length of w */
    const float *w;
    conv_pass pass;
    float *panel; /* [BLOCK_OUT,BLOCK_IN] of a part */
} product;

/* Inputs of a tile: in place for a full tile, else copied below zero rows. x [samples,pitch]: the first input of the first sample. */
static const float *tile_input(size_t samples, size_t k, const float *x, size_t pitch, float *buffer, size_t *stride)
{
    if (samples == LANES) {
        *stride = pitch;
        return x;
    }
    memset(buffer, 0, LANES * k * sizeof *buffer);
    for (size_t b = 0; b < samples; b++) {
        memcpy(buffer + b * k, x + b * pitch, k * sizeof *buffer);
    }
    *stride = k;
    return buffer;
}

/* A block of w, or of one of its parts: rows and columns as stored. */
static const float *block_of_part(const product *p, size_t part, size_t rows, size_t columns, const float *w, size_t *stride)
{
    if (p->pass.n_parts == 0) {
        *stride = p->stride;
        return w;
    }
    part_of_block(p->pass.part[part], rows, columns, w, p->stride, p->panel, columns);
    *stride = columns;
    return p->panel;
}

/* Outputs [n0, n0+n) of a tile, as z' [parts,BLOCK_OUT,LANES], so that samples lie along the vector. */
static void tile_product(const product *p, size_t samples, size_t n0, size_t n, const float *x, float *z)
{
    float buffer[LANES * BLOCK_IN];
    const size_t n_parts = parts_of(p->pass), pitch = p->transposed ? p->k : n_parts * p->k;
    for (size_t k0 = 0; k0 < p->k; k0 += BLOCK_IN) {
        const size_t k = p->k - k0 < BLOCK_IN ? p->k - k0 : BLOCK_IN;
        const float *w = p->w + (p->transposed ? n0 * p->stride + k0 : k0 * p->stride + n0);
        for (size_t i = 0; i < n_parts; i++) {
            size_t stride, w_stride;
            const float *in = tile_input(samples, k, x + k0 + (p->transposed ? 0 : i * p->k), pitch, buffer, &stride);
            const float *part = block_of_part(p, i, p->transposed ? n : k, p->transposed ? k : n, w, &w_stride);
            const bool first = k0 == 0 && (p->transposed || i == 0);
            sgemm(!p->transposed, 1, n, LANES, k, 1.0f, part, w_stride, in, stride, first ? 0.0f : 1.0f,
                     z + (p->transposed ? i * BLOCK_OUT * LANES : 0), LANES);
        }
    }
}

/* One sample's lane of a tile -> its row. */
static void store_lane(size_t n, bool add, const float *z, float *row)
{
    for (size_t i = 0; i < n; i++) {
        row[i] = add ? row[i] + z[i * LANES] : z[i * LANES];
    }
}

static void tiled_product(const product *p, size_t batch, const float *x, float *z)
{
    float block[MAX_PARTS * BLOCK_OUT * LANES] = {0};
    const size_t n_parts = parts_of(p->pass), in_parts = p->transposed ? 1 : n_parts, out_parts = p->transposed ? n_parts : 1;
    for (size_t b0 = 0; b0 < batch; b0 += LANES) {
        const size_t samples = batch - b0 < LANES ? batch - b0 : LANES;
        for (size_t n0 = 0; n0 < p->n; n0 += BLOCK_OUT) {
            const size_t n = p->n - n0 < BLOCK_OUT ? p->n - n0 : BLOCK_OUT;
            tile_product(p, samples, n0, n, x + b0 * in_parts * p->k, block);
            for (size_t i = 0; i < samples * out_parts; i++) {
                store_lane(n, p->pass.add, block + i % out_parts * BLOCK_OUT * LANES + i / out_parts,
                           z + (b0 * out_parts + i) * p->n + n0);
            }
        }
    }
}

/* Many rows of each sample: all of them for a panel of the weights' part, columns [c0, c0+c) of w. z [rows,in] = x w. */
static void panel_adjoint(const plan *p, size_t c0, size_t c, const float *w, const float *x, float *z, float *panel)
{
    const size_t rows = p->shape.in_height, in = p->shape.in_channels, out = p->shape.out_channels;
    const size_t n_parts = p->pass.n_parts;
    for (size_t i = 0; i < n_parts; i++) {
        part_of_block(p->pass.part[i], out, c, w + c0, in, panel, c);
        for (size_t b = 0; b < p->batch; b++) {
            sgemm(0, 0, rows, c, out, 1.0f, x + b * rows * n_parts * out + i * out, n_parts * out, panel, c,
                     i == 0 ? 0.0f : 1.0f, z + b * rows * in + c0, in);
        }
    }
}

/* Rows [r0, r0+r) of w: z [rows,parts,out] = x w'. */
static void panel_forward(const plan *p, size_t r0, size_t r, const float *w, const float *x, float *z, float *panel)
{
    const size_t rows = p->shape.in_height, in = p->shape.in_channels, out = p->shape.out_channels;
    const size_t n_parts = p->pass.n_parts;
    for (size_t i = 0; i < n_parts; i++) {
        part_of_block(p->pass.part[i], r, in, w + r0 * in, in, panel, in);
        for (size_t b = 0; b < p->batch; b++) {
            sgemm(0, 1, rows, r, in, 1.0f, x + b * rows * in, in, panel, in, p->pass.add ? 1.0f : 0.0f,
                     z + b * rows * n_parts * out + i * out + r0, n_parts * out);
        }
    }
}

static void finish_rows(size_t rows, size_t out, const float *bias, conv_pass pass, float *z)
{
    const size_t n_parts = parts_of(pass);
    for (size_t i = 0; (bias != NULL || pass.relu) && i < rows * n_parts; i++, z += out) {
        const weight_part part = part_at(pass, i % n_parts);
        for (size_t o = 0; o < out; o++) {
            const float sum = bias == NULL ? z[o] : z[o] + part_of(part, bias[o]);
            z[o] = pass.relu ? positive(sum) : sum;
        }
    }
}

static void rows_forward(const conv_plan *base, const float *w, const float *bias, const float *x, float *z, float *work)
{
    const plan *p = (const plan *)base;
    const size_t rows = p->shape.in_height, in = p->shape.in_channels, out = p->shape.out_channels;
    if (rows == 1) {
        tiled_product(&(product){.transposed = true, .k = in, .n = out, .stride = in, .w = w, .pass = p->pass, .panel = work},
                      p->batch, x, z);
    } else if (p->pass.n_parts == 0) {
        for (size_t b = 0; b < p->batch; b++) {
            sgemm(0, 1, rows, out, in, 1.0f, x + b * rows * in, in, w, in, p->pass.add ? 1.0f : 0.0f,
                     z + b * rows * out, out);
        }
    } else {
        for (size_t r = 0; r < out; r += PANEL) {
            panel_forward(p, r, out - r < PANEL ? out - r : PANEL, w, x, z, work);
        }
    }
    finish_rows(p->batch * rows, out, p->pass.bias ? bias : NULL, p->pass, z);
}

static void rows_adjoint(const conv_plan *base, const float *w, const float *bias, const float *s, float *r, float *work)
{
    (void)bias;
    const plan *p = (const plan *)base;
    const size_t rows = p->shape.in_height, in = p->shape.in_channels, out = p->shape.out_channels;
    if (rows == 1) {
        tiled_product(&(product){.transposed = false, .k = out, .n = in, .stride = in, .w = w, .pass = p->pass, .panel = work},
                      p->batch, s, r);
        return;
    }
    for (size_t b = 0; p->pass.n_parts == 0 && b < p->batch; b++) {
        sgemm(0, 0, rows, in, out, 1.0f, s + b * rows * out, out, w, in, 0.0f, r + b * rows * in, in);
    }
    for (size_t c = 0; p->pass.n_parts > 0 && c < in; c += PANEL) {
        panel_adjoint(p, c, in - c < PANEL ? in - c : PANEL, w, s, r, work);
    }
}

/* Floats for a part of a block of the weights of a linear layer. */
static size_t rows_workspace(const conv_shape *s, conv_pass pass)
{
    const size_t panel = s->in_height == 1 ? BLOCK_OUT * BLOCK_IN : PANEL * (pass.adjoint ? s->out_channels : s->in_channels);
    return pass.n_parts == 0 ? 0 : panel;
}

static size_t block(void)
{
    return 1;
}

static status prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    if (!s->rows) {
        return openblas_conv_prepare(a, s, batch, pass, out);
    }
    plan *p;
    TRY_ALLOC(p, a, 1);
    *p = (plan){.shape = *s, .batch = batch, .pass = pass};
    p->base = (conv_plan){
        .kernel = "sgemm", .n_work = rows_workspace(s, pass), .run = pass.adjoint ? rows_adjoint : rows_forward};
    *out = &p->base;
    return STATUS_OK;
}

const backend_def backend_openblas = {
    .name = "openblas",
    .help = "im2col and matrix products of OpenBLAS",
    .start = start,
    .version = version,
    .block = block,
    .prepare = prepare,
    .gemm = gemm,
};
