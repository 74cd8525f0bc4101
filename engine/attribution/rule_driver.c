#include "attribution/rule_driver.h"

#include <string.h>

#include "attribution/rule_kernels.h"
#include "nn/quotient.h"

enum { LANE = 16 }; /* floats in 64 bytes: every scratch array starts aligned */

/* The products of one term: forward with its share of the bias, and transposed. */
typedef struct term_products {
    product forward, adjoint;
} term_products;

/* Scratch arrays of one call, in the order in which they lie in `work`. */
typedef struct scratch {
    size_t quotient, denominator, input, relevance, op, total;
} scratch;

struct rule_plan {
    const rule_def *rule;
    float epsilon;
    size_t n_in, n_out; /* floats of a micro-batch as stored */
    size_t floats;
    scratch scratch;
    term_products *terms; /* of all groups, one after the other */
};

bool rule_uses_output(const rule_def *rule)
{
    const rule_group *g = &rule->groups[0];
    return rule->n_groups == 1 && g->coef == 1.0 && g->n_terms == 1 && g->terms[0].input == PART_ALL &&
           g->terms[0].weights == PART_ALL && g->terms[0].bias == PART_ALL;
}

static size_t take(size_t *total, size_t floats)
{
    const size_t at = *total;
    *total += (floats + LANE - 1) / LANE * LANE;
    return at;
}

static void plan_scratch(rule_plan *p, size_t n_op)
{
    scratch *s = &p->scratch;
    s->quotient = take(&s->total, p->n_out);
    if (!rule_uses_output(p->rule)) {
        s->denominator = take(&s->total, p->n_out);
        s->input = take(&s->total, p->n_in);
        s->relevance = take(&s->total, p->n_in);
    }
    s->op = take(&s->total, n_op);
}

typedef struct builder {
    arena *a;
    const node *n;
    const backend_def *backend;
    const conv_shape *s;
    size_t batch;
    bool load;
    size_t n_op, floats; /* scratch of the hungriest product; weights of its own */
} builder;

static status part_copy(builder *b, rule_part part, size_t n, const float *x, const float **out)
{
    float *copy;
    *out = x;
    if (part == PART_ALL || x == NULL) {
        return STATUS_OK;
    }
    b->floats += n;
    if (b->load) {
        TRY_ALLOC(copy, b->a, n);
        kernel_part(n, part, x, copy);
        *out = copy;
    }
    return STATUS_OK;
}

static status build_product(builder *b, conv_pass pass, const float *w, const float *bias, product *out)
{
    TRY(product_plan(b->a, b->backend, b->s, b->batch, pass, false, out));
    b->n_op = out->plan->n_work > b->n_op ? out->plan->n_work : b->n_op;
    b->floats += product_floats(out);
    return b->load ? product_load(b->a, w, bias, out) : STATUS_OK;
}

/* The denominator's products add up: every term after the first adds to what is there. */
static status build_term(builder *b, const rule_term *t, bool first, bool denominator, term_products *out)
{
    const float *w, *bias = NULL;
    TRY(part_copy(b, t->weights, b->n->n_weight, b->n->weight, &w));
    TRY(build_product(b, (conv_pass){.adjoint = true}, w, NULL, &out->adjoint));
    if (!denominator) {
        return STATUS_OK;
    }
    if (t->bias != PART_NONE) {
        TRY(part_copy(b, t->bias, b->n->n_bias, b->n->bias, &bias));
    }
    return build_product(b, (conv_pass){.bias = bias != NULL, .add = !first}, w, bias, &out->forward);
}

status rule_build(arena *a, const rule_def *rule, const double parameters[], const node *n, const backend_def *backend,
                  const conv_shape *s, size_t batch, bool load, const rule_plan **out)
{
    const shape in = s->rows ? (shape){.rank = 2, .dim = {s->in_height, s->in_channels}}
                             : (shape){.rank = 3, .dim = {s->in_channels, s->in_height, s->in_width}};
    builder b = {.a = a, .n = n, .backend = backend, .s = s, .batch = batch, .load = load};
    rule_plan *p;
    size_t n_terms = 0, k = 0;
    TRY_ALLOC(p, a, 1);
    *p = (rule_plan){.rule = rule,
                     .epsilon = (float)parameters[rule->epsilon_field],
                     .n_in = batch * images_floats(in, s->plain_input ? 1 : backend->block()),
                     .n_out = batch * images_floats(n->out, backend->block())};
    for (size_t g = 0; g < rule->n_groups; g++) {
        n_terms += rule->groups[g].n_terms;
    }
    TRY_ALLOC(p->terms, a, n_terms);
    for (size_t g = 0; g < rule->n_groups; g++) {
        for (size_t t = 0; t < rule->groups[g].n_terms; t++) {
            TRY(build_term(&b, &rule->groups[g].terms[t], t == 0, !rule_uses_output(rule), &p->terms[k++]));
        }
    }
    plan_scratch(p, b.n_op);
    p->floats = b.floats;
    *out = p;
    return STATUS_OK;
}

size_t rule_workspace(const rule_plan *p)
{
    return p->scratch.total;
}

size_t rule_floats(const rule_plan *p)
{
    return p->floats;
}

/* D = sum_terms (part(x) * part(W) + part(b)) */
static void find_denominator(const rule_plan *p, const rule_call *c, const rule_group *g, const term_products *terms)
{
    for (size_t t = 0; t < g->n_terms; t++) {
        const float *x = c->in;
        if (g->terms[t].input != PART_ALL) {
            kernel_part(p->n_in, g->terms[t].input, c->in, c->work + p->scratch.input);
            x = c->work + p->scratch.input;
        }
        product_run(&terms[t].forward, x, c->work + p->scratch.denominator, c->work + p->scratch.op);
    }
}

/* R_in += coef sum_terms part(x) . (part(W)' s), as the quotient by x: part(x) is x where it is not 0. */
static void add_relevance(const rule_plan *p, const rule_call *c, const rule_group *g, const term_products *terms)
{
    for (size_t t = 0; t < g->n_terms; t++) {
        float *r = c->work + p->scratch.relevance;
        product_run(&terms[t].adjoint, c->work + p->scratch.quotient, r, c->work + p->scratch.op);
        kernel_add_where(p->n_in, g->terms[t].input, (float)g->coef, c->in, r, c->r_in);
    }
}

static void relevance_by_terms(const rule_plan *p, const rule_call *c)
{
    const term_products *terms = p->terms;
    memset(c->r_in, 0, p->n_in * sizeof *c->r_in);
    for (size_t i = 0; i < p->rule->n_groups; i++) {
        const rule_group *g = &p->rule->groups[i];
        find_denominator(p, c, g, terms);
        quotient(p->n_out, p->epsilon, c->r_out, c->factor, c->work + p->scratch.denominator,
                 c->work + p->scratch.quotient);
        add_relevance(p, c, g, terms);
        terms += g->n_terms;
    }
}

static void relevance_by_output(const rule_plan *p, const rule_call *c)
{
    quotient(p->n_out, p->epsilon, c->r_out, c->factor, c->out, c->work + p->scratch.quotient);
    product_run(&p->terms[0].adjoint, c->work + p->scratch.quotient, c->r_in, c->work + p->scratch.op);
}

void rule_relevance(const rule_plan *p, const rule_call *c)
{
    if (rule_uses_output(p->rule)) {
        relevance_by_output(p, c);
    } else {
        relevance_by_terms(p, c);
    }
}
