#include "attribution/rule_driver.h"

#include <string.h>

#include "attribution/rule_kernels.h"

enum { LANE = 16 }; /* floats in 64 bytes: every scratch array starts aligned */

/* Scratch arrays of one call, in the order in which they lie in `work`. */
typedef struct scratch {
    size_t quotient, denominator, input, weights, relevance, op, total;
} scratch;

static size_t take(size_t *total, size_t floats)
{
    const size_t at = *total;
    *total += (floats + LANE - 1) / LANE * LANE;
    return at;
}

bool rule_uses_output(const rule_def *rule)
{
    const rule_group *g = &rule->groups[0];
    return rule->n_groups == 1 && g->coef == 1.0 && g->n_terms == 1 && g->terms[0].input == PART_ALL &&
           g->terms[0].weights == PART_ALL && g->terms[0].bias == PART_ALL;
}

static scratch layout(const rule_def *rule, const node *n, const shape in[], size_t batch)
{
    scratch s = {0};
    const size_t in_floats = batch * shape_count(in[0]), out_floats = batch * shape_count(n->out);
    s.quotient = take(&s.total, out_floats);
    if (!rule_uses_output(rule)) {
        s.denominator = take(&s.total, out_floats);
        s.input = take(&s.total, in_floats);
        s.weights = take(&s.total, n->n_weight);
        s.relevance = take(&s.total, in_floats);
    }
    s.op = take(&s.total, n->op->workspace == NULL ? 0 : n->op->workspace(n, in, batch));
    return s;
}

size_t rule_workspace(const rule_def *rule, const node *n, const shape in[], size_t batch)
{
    return layout(rule, n, in, batch).total;
}

static op_call op_call_of(const rule_call *c, const scratch *s)
{
    return (op_call){.node = c->node,
                     .backend = c->backend,
                     .batch = c->batch,
                     .in_shape = c->in_shape,
                     .in = {c->in},
                     .work = c->work + s->op};
}

static const float *part_of(rule_part part, size_t n, const float *x, float *copy)
{
    if (part == PART_ALL || n == 0) {
        return x;
    }
    kernel_part(n, part, x, copy);
    return copy;
}

/* Channels are the first of three dimensions, else the last (nn/graph.h: [C,H,W], [T,E] or [F]). */
static void add_bias(const rule_call *c, rule_part part, float *d)
{
    const node *n = c->node;
    if (part == PART_NONE || n->bias == NULL) {
        return;
    }
    const size_t inner = n->out.rank == 3 ? n->out.dim[1] * n->out.dim[2] : 1;
    kernel_add_bias(c->batch * shape_count(n->out) / (n->n_bias * inner), n->n_bias, inner, part, n->bias, d);
}

/* D = sum_terms (part(x) * part(W) + part(b)); the quotient's place holds one term at a time. */
static void add_denominator(const rule_call *c, const scratch *s, const rule_group *g)
{
    const op_call call = op_call_of(c, s);
    const size_t n_in = c->batch * shape_count(c->in_shape[0]), n_out = c->batch * shape_count(c->node->out);
    float *d = c->work + s->denominator;
    memset(d, 0, n_out * sizeof *d);
    for (size_t t = 0; t < g->n_terms; t++) {
        const rule_term *term = &g->terms[t];
        const float *x = part_of(term->input, n_in, c->in, c->work + s->input);
        const float *w = part_of(term->weights, c->node->n_weight, c->node->weight, c->work + s->weights);
        float *z = c->work + s->quotient;
        c->node->op->linear(&call, w, x, z);
        kernel_add(n_out, z, d);
        add_bias(c, term->bias, d);
    }
}

/* R_in += coef sum_terms part(x) . (part(W)' s) */
static void add_relevance(const rule_call *c, const scratch *s, const rule_group *g)
{
    const op_call call = op_call_of(c, s);
    const size_t n_in = c->batch * shape_count(c->in_shape[0]);
    for (size_t t = 0; t < g->n_terms; t++) {
        const rule_term *term = &g->terms[t];
        const float *x = part_of(term->input, n_in, c->in, c->work + s->input);
        const float *w = part_of(term->weights, c->node->n_weight, c->node->weight, c->work + s->weights);
        float *r = c->work + s->relevance;
        c->node->op->adjoint(&call, w, c->work + s->quotient, r);
        kernel_multiply_add(n_in, (float)g->coef, x, r, c->r_in);
    }
}

static void relevance_by_terms(const rule_call *c, const scratch *s, float epsilon)
{
    const size_t n_in = c->batch * shape_count(c->in_shape[0]), n_out = c->batch * shape_count(c->node->out);
    memset(c->r_in, 0, n_in * sizeof *c->r_in);
    for (size_t i = 0; i < c->rule->n_groups; i++) {
        const rule_group *g = &c->rule->groups[i];
        add_denominator(c, s, g);
        kernel_quotient(n_out, epsilon, c->r_out, c->work + s->denominator, c->work + s->quotient);
        add_relevance(c, s, g);
    }
}

static void relevance_by_output(const rule_call *c, const scratch *s, float epsilon)
{
    const op_call call = op_call_of(c, s);
    kernel_quotient(c->batch * shape_count(c->node->out), epsilon, c->r_out, c->out, c->work + s->quotient);
    c->node->op->adjoint(&call, c->node->weight, c->work + s->quotient, c->r_in);
    kernel_multiply(c->batch * shape_count(c->in_shape[0]), c->in, c->r_in);
}

void rule_relevance(const rule_call *c)
{
    const scratch s = layout(c->rule, c->node, c->in_shape, c->batch);
    const float epsilon = (float)c->parameters[c->rule->epsilon_field];
    if (rule_uses_output(c->rule)) {
        relevance_by_output(c, &s, epsilon);
    } else {
        relevance_by_terms(c, &s, epsilon);
    }
}
