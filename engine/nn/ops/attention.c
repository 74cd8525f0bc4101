#include <math.h>
#include <string.h>

#include "core/vector.h"
#include "nn/exponential.h"
#include "nn/lanes.h"
#include "nn/ops/attention.h"
#include "nn/sizes.h"

/* Multi-head attention after the projections (docs/attribution.md, sections a and d; nn/ops/attention.h): queries q [Tq,E], keys and
 * values k, v [T,E] -> [Tq,E]. A transformer has a query for every key; where only some rows of the output are read, those queries are
 * enough (nn/passes). Components are the heads: a dead one contributes 0. Saved: A [H,Tq,T]. */
static status infer(const node *n, const shape in[], shape *out)
{
    const attention_attr *a = n->attr;
    char text[SHAPE_TEXT];
    size_t count;
    for (size_t i = 0; i < 3; i++) {
        const bool same_tokens = i == 0 || (in[i].rank == 2 && in[i].dim[0] == in[1].dim[0]);
        if (in[i].rank != 2 || in[i].dim[1] != in[0].dim[1] || !same_tokens) {
            return FAIL(ST_DATA,
                        "%s: expected q, k and v [tokens, features] of the same features, k and v of the same tokens, "
                        "found %s as "
                        "number %zu",
                        n->name, shape_text(in[i].rank, in[i].dim, text), i + 1);
        }
    }
    if (a->heads == 0 || in[0].dim[1] % a->heads != 0) {
        return FAIL(ST_DATA, "%s: %zu features cannot be divided among %zu heads; is num_heads right?", n->name,
                    in[0].dim[1], a->heads);
    }
    const size_t dim[] = {a->heads, in[0].dim[0], in[1].dim[0]};
    if (!sizes_product(3, dim, &count)) {
        return FAIL(ST_DATA, "%s: attention %s is too large for one sample", n->name, shape_text(3, dim, text));
    }
    *out = in[0];
    return STATUS_OK;
}

static size_t saved(const node *n, const shape in[], size_t block)
{
    (void)block;
    const attention_size s = attention_size_of(n, in);
    return s.heads * s.queries * s.keys;
}

/* Rows of [rows,n]. */
VECTOR_KERNEL
static void softmax_rows(size_t rows, size_t n, float *s)
{
    for (size_t row = 0; row < rows; row++, s += n) {
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

float attention_scale(const attention_size *s)
{
    return (float)(1.0 / sqrt((double)s->columns));
}

void attention_logits(const backend_def *backend, const attention_size *s, const float *q, const float *k,
                      float *logits)
{
    backend->gemm(0, 1, s->queries, s->keys, s->columns, attention_scale(s), q, s->features, k, s->features, logits,
                  s->keys);
}

static void weigh_values(const op_call *c, const attention_size *s, attention_head at)
{
    c->backend->gemm(0, 0, s->queries, s->columns, s->keys, 1.0f, c->saved + at.attention, s->keys, c->in[2] + at.key,
                     s->features, c->out + at.query, s->features);
}

static void forward_head(const op_call *c, const attention_size *s, attention_head at, bool alive)
{
    const size_t tq = s->queries, t = s->keys, d = s->columns, e = s->features;
    float *attention = c->saved + at.attention, *out = c->out + at.query;
    if (!alive) {
        memset(attention, 0, tq * t * sizeof *attention);
        for (size_t i = 0; i < tq; i++) {
            memset(out + i * e, 0, d * sizeof *out);
        }
        return;
    }
    attention_logits(c->backend, s, c->in[0] + at.query, c->in[1] + at.key, attention);
    softmax_rows(tq, t, attention);
    weigh_values(c, s, at);
}

static void forward(const op_call *c)
{
    const attention_size s = attention_size_of(c->node, c->in_shape);
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t h = 0; h < s.heads; h++) {
            forward_head(c, &s, attention_head_at(&s, b, h), c->alive == NULL || c->alive[h] != 0);
        }
    }
}

/* O = A v with the A that is there. */
static void from_saved(const op_call *c)
{
    const attention_size s = attention_size_of(c->node, c->in_shape);
    for (size_t b = 0; b < c->batch; b++) {
        for (size_t h = 0; h < s.heads; h++) {
            weigh_values(c, &s, attention_head_at(&s, b, h));
        }
    }
}

static void live(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live)
{
    (void)in_live;
    const attention_size s = attention_size_of(n, in);
    for (size_t i = 0; i < s.features; i++) {
        out_live[i] = alive == NULL || alive[i / s.columns] != 0;
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
    (void)in_live;
    const attention_size s = attention_size_of(n, in);
    return (op_cost){.macs = 2 * (uint64_t)s.queries * s.keys * op_count_live(out_live, 0, s.features)};
}

/* The heads that are left; where none is, one of a single column, which is 0. */
static status shrink(const shrink_call *c, node *out, channel_map *map)
{
    const attention_attr *whole = c->node->attr;
    const size_t columns = shape_channels(c->in_shape[0]) / whole->heads;
    attention_attr *a;
    TRY_ALLOC(a, c->arena, 1);
    *a = (attention_attr){.heads = c->in[0].n < columns ? 1 : c->in[0].n / columns};
    out->attr = a;
    *map = c->in[0];
    return STATUS_OK;
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const attention_attr *a = n->attr;
    out[0] = (op_fact){"heads", 1, {a->heads, 0}, 0.0};
    return 1;
}

const op_def op_attention = {
    .name = "attention",
    .help = "softmax(q k'/sqrt(d)) v, per head",
    .n_in = 3,
    .infer = infer,
    .saved = saved,
    .forward_needs_saved = true,
    .forward = forward,
    .from_saved = from_saved,
    .relevance_workspace = attention_relevance_workspace,
    .way = RELEVANCE_QUOTIENTS,
    .relevance = attention_relevance,
    .reaches = attention_reaches,
    .relevance_name = "attention",
    .relevance_reads = READS_EPSILON | READS_SOFTMAX_RULE,
    .gradient_way = RELEVANCE_WHOLE,
    .gradient_workspace = attention_gradient_workspace,
    .gradient = attention_gradient,
    .by_row = 1, /* a query; keys and values are read as a whole */
    .live = live,
    .needs = needs,
    .shrink = shrink,
    .cost = cost,
    .facts = facts,
};
