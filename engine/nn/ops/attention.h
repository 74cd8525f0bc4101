#ifndef NN_OPS_ATTENTION_H
#define NN_OPS_ATTENTION_H
/* What the parts of the attention layer share: its forward run (attention.c), its relevance (attention_relevance.c) and its derivative
 * (attention_gradient.c). Per head of d = E/H columns
 *   S = q k'/sqrt(d)   A = softmax over keys of S   O = A v
 * for queries q [Tq,E], keys and values k, v [T,E], with the heads' outputs side by side [Tq,E]; A [H,Tq,T] is what is saved. */
#include "nn/op.h"

typedef struct attention_size {
    size_t queries, keys, features, heads, columns; /* Tq, T, E, H, d */
} attention_size;

static inline attention_size attention_size_of(const node *n, const shape in[])
{
    const attention_attr *a = n->attr;
    return (attention_size){in[0].dim[0], in[1].dim[0], in[0].dim[1], a->heads, in[0].dim[1] / a->heads};
}

/* One head of one sample: its first element in what has a row for each query (q, the output), in what has one for each key (k, v), in
 * A, and in the heads' relevance [batch,Tq,H]. */
typedef struct attention_head {
    size_t query, key, attention, component;
} attention_head;

static inline attention_head attention_head_at(const attention_size *s, size_t sample, size_t head)
{
    return (attention_head){.query = sample * s->queries * s->features + head * s->columns,
                            .key = sample * s->keys * s->features + head * s->columns,
                            .attention = (sample * s->heads + head) * s->queries * s->keys,
                            .component = sample * s->queries * s->heads + head};
}

/* S [Tq,T] of one head; q and k point to its first column. */
void attention_logits(const backend_def *backend, const attention_size *s, const float *q, const float *k,
                      float *logits);

/* The factor in front of q k'. */
float attention_scale(const attention_size *s);

/* The hooks of op_attention that have a file of their own. */
size_t attention_relevance_workspace(const node *n, const shape in[], size_t batch, size_t block);
bool attention_reaches(int softmax_rule, size_t input);
void attention_relevance(const relevance_call *c);
size_t attention_gradient_workspace(const node *n, const shape in[], size_t batch, size_t block);
void attention_gradient(const relevance_call *c);

#endif
