#include "core/vector.h"
#include "nn/lanes.h"
#include "nn/ops/attention.h"

/* The derivative of attention (docs/attribution.md, section g), with gO for the derivative by the output and so on:
 *   gA = gO v'   gv = A' gO   gS = A (gA - sum over keys of A gA)   gq = gS k/sqrt(d)   gk = gS' q/sqrt(d)
 * Nothing is halved: these are derivatives, not shares. */

/* Scratch of one head: gA, then gS [Tq,T]. */
size_t attention_gradient_workspace(const node *n, const shape in[], size_t batch, size_t block)
{
    (void)batch;
    (void)block;
    const attention_size s = attention_size_of(n, in);
    return s.queries * s.keys;
}

/* A head's component is its attention: per query the sum over keys of gA, or of gA times `weight` [Tq,T]. component [Tq,H] of this
 * sample, from the head's first element. */
VECTOR_KERNEL
static void sum_keys(size_t queries, size_t keys, size_t heads, const float *g, const float *weight, float *component)
{
    for (size_t i = 0; i < queries; i++) {
        component[i * heads] =
            (float)(weight == NULL ? lanes_sum(keys, g + i * keys) : lanes_dot(keys, g + i * keys, weight + i * keys));
    }
}

/* gS of rows [queries,keys] in place of gA. Divided by the sum of A, which is 1 but for rounding: where one key has nearly all attention, what
 * is left of its difference is no larger than that. */
VECTOR_KERNEL
static void through_softmax(size_t queries, size_t keys, const float *restrict attention, float *restrict g)
{
    for (size_t i = 0; i < queries; i++, attention += keys, g += keys) {
        const double sum = lanes_dot(keys, attention, g) / lanes_sum(keys, attention);
        for (size_t j = 0; j < keys; j++) {
            g[j] = (float)((double)attention[j] * ((double)g[j] - sum));
        }
    }
}

static void head_gradient(const relevance_call *c, const attention_size *s, attention_head at)
{
    const backend_def *backend = c->backend;
    const size_t tq = s->queries, t = s->keys, d = s->columns, e = s->features;
    const float *g_out = c->r_out + at.query, *attention = c->saved + at.attention;
    float *g = c->work;
    if (c->r_in[2] != NULL) {
        backend->gemm(1, 0, t, d, tq, 1.0f, attention, t, g_out, e, c->r_in[2] + at.key, e);
    }
    if (c->r_in[0] == NULL && c->r_in[1] == NULL && c->component == NULL) {
        return;
    }
    backend->gemm(0, 1, tq, t, d, 1.0f, g_out, e, c->in[2] + at.key, e, g, t);
    if (c->component != NULL) {
        const float *weight = c->component_weight == NULL ? NULL : c->component_weight + at.attention;
        sum_keys(tq, t, s->heads, g, weight, c->component + at.component);
    }
    if (c->r_in[0] == NULL && c->r_in[1] == NULL) {
        return;
    }
    through_softmax(tq, t, attention, g);
    if (c->r_in[0] != NULL) {
        backend->gemm(0, 0, tq, d, t, attention_scale(s), g, t, c->in[1] + at.key, e, c->r_in[0] + at.query, e);
    }
    if (c->r_in[1] != NULL) {
        backend->gemm(1, 0, t, d, tq, attention_scale(s), g, t, c->in[0] + at.query, e, c->r_in[1] + at.key, e);
    }
}

void attention_gradient(const relevance_call *c)
{
    const attention_size s = attention_size_of(c->node, c->in_shape);
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t h = 0; h < s.heads; h++) {
            head_gradient(c, &s, attention_head_at(&s, b, h));
        }
    }
}
