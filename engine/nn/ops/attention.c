#include <math.h>
#include <string.h>

#include "core/vector.h"
#include "nn/exponential.h"
#include "nn/lanes.h"
#include "nn/op.h"
#include "nn/sizes.h"
#include "nn/stabilise.h"

/* Multi-head attention after the projections (docs/attribution.md, sections a and d): inputs q, k, v [T,E],
 * per head of d = E/H columns
 *   S = q k'/sqrt(d)   A = softmax over keys of S   O = A v
 * with the heads' outputs side by side [T,E]. Components are the heads: a dead one contributes 0. Saved: A [H,T,T]. */
static size_t heads_of(const node *n)
{
    const attention_attr *a = n->attr;
    return a->heads;
}

static status infer(const node *n, const shape in[], shape *out)
{
    const size_t heads = heads_of(n);
    char text[SHAPE_TEXT];
    size_t count;
    for (size_t i = 0; i < 3; i++) {
        if (in[i].rank != 2 || in[i].dim[0] != in[0].dim[0] || in[i].dim[1] != in[0].dim[1]) {
            return FAIL(ST_DATA, "%s: expected q, k and v of one shape [tokens, features], found %s as number %zu",
                        n->name, shape_text(in[i].rank, in[i].dim, text), i + 1);
        }
    }
    if (heads == 0 || in[0].dim[1] % heads != 0) {
        return FAIL(ST_DATA, "%s: %zu features cannot be divided among %zu heads; is num_heads right?", n->name,
                    in[0].dim[1], heads);
    }
    const size_t dim[] = {heads, in[0].dim[0], in[0].dim[0]};
    if (!sizes_product(3, dim, &count)) {
        return FAIL(ST_DATA, "%s: attention %s is too large for one sample", n->name, shape_text(3, dim, text));
    }
    *out = in[0];
    return STATUS_OK;
}

static size_t saved(const node *n, const shape in[], size_t block)
{
    (void)block;
    return heads_of(n) * in[0].dim[0] * in[0].dim[0];
}

/* Rows of [n,n]. */
VECTOR_KERNEL
static void softmax_rows(size_t n, float *s)
{
    for (size_t row = 0; row < n; row++, s += n) {
        float most = s[0];
        for (size_t i = 1; i < n; i++) {
            most = s[i] > most ? s[i] : most;
        }
        for (size_t i = 0; i < n; i++) {
            s[i] = exponential(s[i] - most, 0.0f);
        }
        const float scale = (float)(1.0 / lanes_sum(n, s));
        for (size_t i = 0; i < n; i++) {
            s[i] *= scale;
        }
    }
}

/* S [T,T] of one head of one sample; q and k point to the head's first column. */
static void logits(const backend_def *backend, size_t t, size_t e, size_t d, const float *q, const float *k, float *s)
{
    backend->gemm(0, 1, t, t, d, (float)(1.0 / sqrt((double)d)), q, e, k, e, s, t);
}

static void forward_head(const op_call *c, size_t b, size_t h)
{
    const size_t t = c->node->out.dim[0], e = c->node->out.dim[1], heads = heads_of(c->node), d = e / heads;
    const size_t at = b * t * e + h * d;
    float *attention = c->saved + (b * heads + h) * t * t;
    if (c->alive != NULL && !c->alive[h]) {
        memset(attention, 0, t * t * sizeof *attention);
        for (size_t i = 0; i < t; i++) {
            memset(c->out + at + i * e, 0, d * sizeof *c->out);
        }
        return;
    }
    logits(c->backend, t, e, d, c->in[0] + at, c->in[1] + at, attention);
    softmax_rows(t, attention);
    c->backend->gemm(0, 0, t, d, t, 1.0f, attention, t, c->in[2] + at, e, c->out + at, e);
}

static void forward(const op_call *c)
{
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t h = 0; h < heads_of(c->node); h++) {
            forward_head(c, b, h);
        }
    }
}

/* Softmax rules: relevance r [T] of one query's attention a [T] becomes relevance of its logits s [T], in place. */
typedef void softmax_rule(size_t n, const float *s, const float *a, float *r);

/* Input times gradient (docs/attribution.md, section d, step 7):  R_S = S (R_A - A sum(R_A)). S unshifted: it is a factor. */
VECTOR_KERNEL
static void softmax_epsilon(size_t n, const float *restrict s, const float *restrict a, float *restrict r)
{
    const double sum = lanes_sum(n, r);
    for (size_t i = 0; i < n; i++) {
        r[i] = (float)((double)s[i] * ((double)r[i] - (double)a[i] * sum));
    }
}

static softmax_rule *const softmax_rules[] = {softmax_epsilon};
const char *const softmax_rule_names[] = {"epsilon", NULL};
_Static_assert(COUNT(softmax_rule_names) == COUNT(softmax_rules) + 1, "a name for every softmax rule");

/* Scratch of one head: logits and relevance of the attention [T,T], G [T,d]. */
static size_t relevance_workspace(const node *n, const shape in[], size_t batch, size_t block)
{
    (void)batch;
    (void)block;
    const size_t t = in[0].dim[0], d = in[0].dim[1] / heads_of(n);
    return 2 * t * t + t * d;
}

/* One head of one sample. */
typedef struct head {
    const relevance_call *call;
    size_t t, e, d, at;     /* `at`: first element of the head in arrays [batch,T,E] */
    const float *attention; /* [T,T] */
    float *logits, *r, *g;  /* scratch: S, relevance of A and then of S [T,T]; G [T,d] */
} head;

VECTOR_KERNEL
static void multiply(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] *= x[i];
    }
}

/* y /= st(2 x) */
VECTOR_KERNEL
static void divide_by_double(size_t n, float epsilon, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] /= stabilise(2.0f * x[i], epsilon);
    }
}

/* Step 6, O = A v. Both factors vary, so each gets half of the relevance: the factor 2.
 *   G = R_O/st(2 O)   R_A = A (G v')   R_v = v (A' G), of which the factor v stays outside */
static void value_step(const head *p)
{
    const relevance_call *c = p->call;
    const float epsilon = (float)c->epsilon;
    const backend_def *backend = c->backend;
    for (size_t i = 0; i < p->t; i++) {
        for (size_t j = 0; j < p->d; j++) {
            const size_t o = p->at + i * p->e + j;
            const float r = c->factor == NULL ? c->r_out[o] : c->r_out[o] * c->factor[o];
            p->g[i * p->d + j] = r / stabilise(2.0f * c->out[o], epsilon);
        }
    }
    backend->gemm(0, 1, p->t, p->t, p->d, 1.0f, p->g, p->d, c->in[2] + p->at, p->e, p->r, p->t);
    multiply(p->t * p->t, p->attention, p->r);
    if (c->r_in[2] != NULL) {
        backend->gemm(1, 0, p->t, p->d, p->t, 1.0f, p->attention, p->t, p->g, p->d, c->r_in[2] + p->at, p->e);
    }
}

/* Steps 7 and 8: through the softmax, then S = q k'/sqrt(d), again with half to each factor.
 *   G = R_S/st(2 S)   R_q = q (G k)/sqrt(d)   R_k = k (G' q)/sqrt(d) */
static void logit_step(const head *p)
{
    const relevance_call *c = p->call;
    const float epsilon = (float)c->epsilon, scale = (float)(1.0 / sqrt((double)p->d));
    const backend_def *backend = c->backend;
    logits(backend, p->t, p->e, p->d, c->in[0] + p->at, c->in[1] + p->at, p->logits);
    for (size_t i = 0; i < p->t; i++) {
        softmax_rules[c->softmax_rule](p->t, p->logits + i * p->t, p->attention + i * p->t, p->r + i * p->t);
    }
    divide_by_double(p->t * p->t, epsilon, p->logits, p->r);
    if (c->r_in[0] != NULL) {
        backend->gemm(0, 0, p->t, p->d, p->t, scale, p->r, p->t, c->in[1] + p->at, p->e, c->r_in[0] + p->at, p->e);
    }
    if (c->r_in[1] != NULL) {
        backend->gemm(1, 0, p->t, p->d, p->t, scale, p->r, p->t, c->in[0] + p->at, p->e, c->r_in[1] + p->at, p->e);
    }
}

/* The head's relevance: sum over keys of R_A, per query; component [T,H] of this sample. */
static void component_step(const head *p, size_t heads, float *component)
{
    for (size_t i = 0; i < p->t; i++) {
        component[i * heads] = (float)lanes_sum(p->t, p->r + i * p->t);
    }
}

static void relevance(const relevance_call *c)
{
    const size_t heads = heads_of(c->node), t = c->node->out.dim[0], e = c->node->out.dim[1], d = e / heads;
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t h = 0; h < heads; h++) {
            const head p = {.call = c,
                            .t = t,
                            .e = e,
                            .d = d,
                            .at = b * t * e + h * d,
                            .attention = c->saved + (b * heads + h) * t * t,
                            .logits = c->work,
                            .r = c->work + t * t,
                            .g = c->work + 2 * t * t};
            value_step(&p);
            if (c->component != NULL) {
                component_step(&p, heads, c->component + b * t * heads + h);
            }
            if (c->r_in[0] != NULL || c->r_in[1] != NULL) {
                logit_step(&p);
            }
        }
    }
}

static void live(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live)
{
    (void)in_live;
    const size_t d = in[0].dim[1] / heads_of(n);
    for (size_t i = 0; i < in[0].dim[1]; i++) {
        out_live[i] = alive == NULL || alive[i / d] != 0;
    }
}

static void needs(const node *n, const shape in[], const uint8_t *alive, uint8_t *const in_needed[])
{
    for (size_t i = 0; i < 3; i++) {
        live(n, in, alive, NULL, in_needed[i]);
    }
}

static op_cost cost(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live)
{
    (void)n;
    (void)in_live;
    const uint64_t t = in[0].dim[0];
    return (op_cost){.macs = 2 * t * t * op_count_live(out_live, 0, in[0].dim[1])};
}

const op_def op_attention = {
    .name = "attention",
    .help = "softmax(q k'/sqrt(d)) v, per head",
    .n_in = 3,
    .infer = infer,
    .saved = saved,
    .forward_needs_saved = true,
    .forward = forward,
    .relevance_workspace = relevance_workspace,
    .way = RELEVANCE_QUOTIENTS,
    .relevance = relevance,
    .relevance_name = "attention",
    .relevance_reads = READS_EPSILON | READS_SOFTMAX_RULE,
    .live = live,
    .needs = needs,
    .cost = cost,
};
