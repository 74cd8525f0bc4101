#include "backend/row.h"

#include <assert.h>

#include "backend/tile.h"

#if defined(HAVE_TILES) && !defined(__clang__)

enum { SAMPLES = 8, OUTPUTS = 3 }; /* at once: their sums stay in registers, of which there are 32 */
static const size_t part = 8192; /* inputs: those of a micro-batch stay in a core's own cache for all outputs */

typedef struct plan {
    conv_plan base;
    size_t in, out, batch;
    conv_pass pass;
} plan;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* z [samples,outputs] += x [samples,n] w [outputs,n]', rows `in` and z's `out` apart. */
KERNEL void block_run(const int samples, const int outputs, const plan *p, size_t n, const float *x, const float *w, float *z)
{
    __m512 sum[SAMPLES][OUTPUTS];
    UNROLLED
    for (int b = 0; b < samples; b++) {
        UNROLLED
        for (int o = 0; o < outputs; o++) {
            sum[b][o] = _mm512_setzero_ps();
        }
    }
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 some = n - i < LANES ? (__mmask16)((1U << (n - i)) - 1) : (__mmask16)0xffff;
        __m512 weight[OUTPUTS];
        UNROLLED
        for (int o = 0; o < outputs; o++) {
            weight[o] = _mm512_maskz_loadu_ps(some, w + (size_t)o * p->in + i);
        }
        UNROLLED
        for (int b = 0; b < samples; b++) {
            const __m512 input = _mm512_maskz_loadu_ps(some, x + (size_t)b * p->in + i);
            UNROLLED
            for (int o = 0; o < outputs; o++) {
                sum[b][o] = _mm512_fmadd_ps(input, weight[o], sum[b][o]);
            }
        }
    }
    UNROLLED
    for (int b = 0; b < samples; b++) {
        UNROLLED
        for (int o = 0; o < outputs; o++) {
            z[(size_t)b * p->out + (size_t)o] += _mm512_reduce_add_ps(sum[b][o]);
        }
    }
}

typedef void block_kernel(const plan *p, size_t n, const float *x, const float *w, float *z);
#define BLOCK(samples_, outputs_)                                                                                       \
    __attribute__((target("avx512f"))) static void row_block_##samples_##_##outputs_(const plan *p, size_t n, const float *x, const float *w, float *z) \
    {                                                                                                                   \
        block_run(samples_, outputs_, p, n, x, w, z);                                                                   \
    }
#define BLOCK_NAME(samples_, outputs_) row_block_##samples_##_##outputs_,
#define BLOCKS(each_, outputs_)                                                                                         \
    each_(1, outputs_) each_(2, outputs_) each_(3, outputs_) each_(4, outputs_) each_(5, outputs_) each_(6, outputs_)   \
    each_(7, outputs_) each_(8, outputs_)
BLOCKS(BLOCK, 1)
BLOCKS(BLOCK, 2)
BLOCKS(BLOCK, 3)
static block_kernel *const kernels[OUTPUTS][SAMPLES] = {{BLOCKS(BLOCK_NAME, 1)}, {BLOCKS(BLOCK_NAME, 2)}, {BLOCKS(BLOCK_NAME, 3)}};

static void begin(const plan *p, const float *bias, float *z)
{
    for (size_t b = 0; b < p->batch; b++, z += p->out) {
        for (size_t o = 0; o < p->out; o++) {
            z[o] = (p->pass.add ? z[o] : 0.0f) + (p->pass.bias && bias != NULL ? bias[o] : 0.0f);
        }
    }
}

static void run(const conv_plan *base, const float *w, const float *bias, const float *x, float *z, float *work)
{
    (void)work;
    const plan *p = (const plan *)base;
    begin(p, bias, z);
    for (size_t i = 0; i < p->in; i += part) {
        const size_t n = least(part, p->in - i);
        for (size_t o = 0, outputs; o < p->out; o += outputs) {
            outputs = least(OUTPUTS, p->out - o);
            for (size_t b = 0, samples; b < p->batch; b += samples) {
                samples = least(SAMPLES, p->batch - b);
                kernels[outputs - 1][samples - 1](p, n, x + b * p->in + i, w + o * p->in + i, z + b * p->out + o);
            }
        }
    }
    for (size_t i = 0; p->pass.relu && i < p->batch * p->out; i++) {
        z[i] = z[i] <= 0.0f ? 0.0f : z[i]; /* a not-a-number stays one */
    }
}

bool row_possible(const conv_shape *s, conv_pass pass)
{
    return pass.quick && !pass.adjoint && pass.n_parts == 0 && s->rows && s->in_height == 1 && __builtin_cpu_supports("avx512f");
}

status row_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    plan *p;
    assert(row_possible(s, pass));
    TRY_ALLOC(p, a, 1);
    *p = (plan){.base = {.kernel = "row:avx512", .run = run}, .in = s->in_channels, .out = s->out_channels, .batch = batch, .pass = pass};
    *out = &p->base;
    return STATUS_OK;
}

#else

bool row_possible(const conv_shape *s, conv_pass pass)
{
    (void)s;
    (void)pass;
    return false;
}

status row_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    (void)a;
    (void)s;
    (void)batch;
    (void)pass;
    (void)out;
    return FAIL(ST_BUG, "single rows are for x86-64 and gcc");
}

#endif
