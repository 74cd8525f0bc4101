#include "core/vector.h"
#include "nn/lanes.h"
#include "nn/ops/attention.h"
#include "nn/ops/softmax_rules.h"
#include "nn/stabilise.h"

/* Relevance of attention (docs/attribution.md, section d, steps 6 to 8). */

/* Scratch of one head: logits and relevance of the attention [Tq,T], G [Tq,d]. */
size_t attention_relevance_workspace(const node *n, const shape in[], size_t batch, size_t block)
{
    (void)batch;
    (void)block;
    const attention_size s = attention_size_of(n, in);
    return 2 * s.queries * s.keys + s.queries * s.columns;
}

/* One head of one sample. */
typedef struct head {
    const relevance_call *call;
    const softmax_rule *rule;
    attention_size size;
    attention_head at;
    const float *attention; /* [Tq,T] */
    float *logits, *r, *g;  /* scratch: S, relevance of A and then of S [Tq,T]; G [Tq,d] */
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

/* Step 6, O = A v. Both factors vary, so each gets half of the relevance: the factor 2, or 1 under `cp`, where A counts as constant for
 * what lies below, and only a head's own relevance is read off it.
 *   G = R_O/st(2 O)   R_A = A (G v')   R_v = v (A' G), of which the factor v stays outside */
static void value_step(const head *p)
{
    const relevance_call *c = p->call;
    const attention_size *s = &p->size;
    const float epsilon = (float)c->epsilon, shares = p->rule->shares;
    for (size_t i = 0; i < s->queries; i++) {
        for (size_t j = 0; j < s->columns; j++) {
            const size_t o = p->at.query + i * s->features + j;
            const float r = c->factor == NULL ? c->r_out[o] : c->r_out[o] * c->factor[o];
            p->g[i * s->columns + j] = r / stabilise(shares * c->out[o], epsilon);
        }
    }
    c->backend->gemm(0, 1, s->queries, s->keys, s->columns, 1.0f, p->g, s->columns, c->in[2] + p->at.key, s->features,
                     p->r, s->keys);
    multiply(s->queries * s->keys, p->attention, p->r);
    if (c->r_in[2] != NULL) {
        c->backend->gemm(1, 0, s->keys, s->columns, s->queries, 1.0f, p->attention, s->keys, p->g, s->columns,
                         c->r_in[2] + p->at.key, s->features);
    }
}

/* Steps 7 and 8: through the softmax, then S = q k'/sqrt(d), again with half to each factor.
 *   G = R_S/st(2 S)   R_q = q (G k)/sqrt(d)   R_k = k (G' q)/sqrt(d) */
static void logit_step(const head *p)
{
    const relevance_call *c = p->call;
    const attention_size *s = &p->size;
    const float *q = c->in[0] + p->at.query, *k = c->in[1] + p->at.key;
    attention_logits(c->backend, s, q, k, p->logits);
    for (size_t i = 0; i < s->queries; i++) {
        p->rule->row(s->keys, c->epsilon, p->logits + i * s->keys, p->attention + i * s->keys, p->r + i * s->keys);
    }
    divide_by_double(s->queries * s->keys, (float)c->epsilon, p->logits, p->r);
    if (c->r_in[0] != NULL) {
        c->backend->gemm(0, 0, s->queries, s->columns, s->keys, attention_scale(s), p->r, s->keys, k, s->features,
                         c->r_in[0] + p->at.query, s->features);
    }
    if (c->r_in[1] != NULL) {
        c->backend->gemm(1, 0, s->keys, s->columns, s->queries, attention_scale(s), p->r, s->keys, q, s->features,
                         c->r_in[1] + p->at.key, s->features);
    }
}

/* The head's relevance: sum over keys of R_A, per query. */
VECTOR_KERNEL
static void sum_keys(size_t queries, size_t keys, size_t heads, const float *r, float *component)
{
    for (size_t i = 0; i < queries; i++) {
        component[i * heads] = (float)lanes_sum(keys, r + i * keys);
    }
}

bool attention_reaches(int rule, size_t input)
{
    return input == 2 || softmax_rules[rule].row != NULL;
}

void attention_relevance(const relevance_call *c)
{
    const attention_size s = attention_size_of(c->node, c->in_shape);
    const softmax_rule *rule = &softmax_rules[c->softmax_rule];
    float *const r = c->work + s.queries * s.keys;
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t h = 0; h < s.heads; h++) {
            const attention_head at = attention_head_at(&s, b, h);
            const head p = {.call = c,
                            .rule = rule,
                            .size = s,
                            .at = at,
                            .attention = c->saved + at.attention,
                            .logits = c->work,
                            .r = r,
                            .g = r + s.queries * s.keys};
            value_step(&p);
            if (c->component != NULL) {
                sum_keys(s.queries, s.keys, s.heads, r, c->component + at.component);
            }
            if (c->r_in[0] != NULL || c->r_in[1] != NULL) {
                logit_step(&p);
            }
        }
    }
}
