#include <stdint.h>
#include <string.h>

#include "core/vector.h"
#include "nn/exponential.h"
#include "nn/op.h"

static status infer(const node *n, const shape in[], shape *out)
{
    (void)n;
    *out = op_same_shape(in);
    return STATUS_OK;
}

/* The lower tail of the normal distribution, Phi(-u) = exp(-u^2/2) g(u) for u >= 0, where g is a polynomial in t = 1/(1 + 0.4 u), fitted to the
 * least relative error (1.5e-8) on 0 <= u <= 13.2; beyond, Phi is below the normal numbers of fp32 and taken as 0. Relative error with
 * rounding below 6e-7 (tests/unit/test_exponential.c). */
typedef struct tail {
    float density, ratio; /* exp(-u^2/2) and g(u): Phi(-u) is their product */
} tail;

static inline tail lower_tail(float u)
{
    const float t = 1.0f / (1.0f + 0.4f * u);
    float g = 0.0318724404f;
    g = g * t - 0.174959318f;
    g = g * t + 0.37795266f;
    g = g * t - 0.368243327f;
    g = g * t + 0.114697719f;
    g = g * t - 0.0242922519f;
    g = g * t + 0.0904678909f;
    g = g * t + 0.133320728f;
    g = g * t + 0.159606554f;
    g = g * t + 0.159576912f;
    /* u = high + rest, and high^2 is exact: an error in u^2 would be one of the exponential, times u^2. */
    uint32_t bits;
    float high;
    memcpy(&bits, &u, sizeof bits);
    bits &= 0xfffff000u;
    memcpy(&high, &bits, sizeof high);
    return (tail){exponential(-0.5f * high * high, -0.5f * (u - high) * (u + high)), g * t};
}

/* x Phi(x), the exact form. The tail, not 1 - something, keeps the relative precision of negative x. */
static inline float gelu(float x)
{
    const tail t = lower_tail(x < 0.0f ? -x : x);
    const float phi = t.ratio * t.density; /* Phi(-|x|) */
    return x * (x < 0.0f ? phi : 1.0f - phi);
}

/* Phi(x) + x phi(x), which is 1 minus its value at -x; for negative x, with u = -x:  exp(-u^2/2) (g(u) - u/sqrt(2 pi)). Beyond 14 the
 * exponential is 0 and u is only kept from being infinite. Absolute error below 2e-7 (tests/unit/test_exponential.c). */
static inline float slope(float x)
{
    const float most = 14.0f, size = x < 0.0f ? -x : x, u = size > most ? most : size;
    const tail t = lower_tail(u);
    const float lower = t.density * (t.ratio - u * 0.398942280f);
    return x < 0.0f ? lower : 1.0f - lower;
}

VECTOR_KERNEL
static void gelu_to(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = gelu(x[i]);
    }
}

VECTOR_KERNEL
static void gelu_in_place(size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = gelu(x[i]);
    }
}

static void forward(const op_call *c)
{
    const size_t count = c->batch * images_floats(c->node->out, c->block);
    if (c->out == c->in[0]) {
        gelu_in_place(count, c->out);
    } else {
        gelu_to(count, c->in[0], c->out);
    }
}

VECTOR_KERNEL
static void slope_times(size_t n, const float *restrict x, const float *restrict g, float *restrict g_in)
{
    for (size_t i = 0; i < n; i++) {
        g_in[i] = g[i] * slope(x[i]);
    }
}

static void gradient(const relevance_call *c)
{
    slope_times(c->batch * images_floats(c->node->out, c->block), c->in[0], c->r_out, c->r_in[0]);
}

const op_def op_gelu = {
    .name = "gelu",
    .help = "x Phi(x), exact",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .way = RELEVANCE_PASSES,
    .relevance_name = "pass",
    .gradient_way = RELEVANCE_WHOLE,
    .gradient = gradient,
    .in_place = true,
    .by_row = 1,
    .live = op_live_same,
    .shrink = op_shrink_same,
};
