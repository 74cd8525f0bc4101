#include "attribution/rule_driver.h"

#include <string.h>

#include "attribution/rule_kernels.h"
#include "attribution/rule_plan.h"
#include "nn/quotient.h"

/* The term's input, [batch, in]; not of terms whose input is the same for all samples. */
static const float *input_of(const rule_plan *p, const rule_call *c, rule_input input)
{
    float *part = c->work + p->scratch.input;
    if (input == INPUT_ALL) {
        return c->in;
    }
    kernel_part(p->batch * p->n_in, input, c->in, part);
    return part;
}

/* D = sum_terms sign (input(x) * weights(W) + bias(b)): what varies with the sample, and then what does not. d [batch, out] */
static void find_denominator(const rule_plan *p, const rule_call *c, const rule_group *g, const group_plan *plan, float *d)
{
    for (size_t k = 0; k < g->n_terms; k++) {
        if (g->term[k].input < INPUT_ONE) {
            product_run(plan->term[k].forward, input_of(p, c, g->term[k].input), d, c->work + p->scratch.op);
        }
    }
    for (size_t b = 0; plan->constant != NULL && b < p->batch; b++) {
        if (plan->varies) {
            kernel_add(p->n_out, plan->constant, d + b * p->n_out);
        } else {
            memcpy(d + b * p->n_out, plan->constant, p->n_out * sizeof *d);
        }
    }
}

/* s = [gate on z] R_out / st(D) */
static void find_quotient(const rule_plan *p, const rule_call *c, rule_gate gate, const float *d)
{
    float *s = c->work + p->scratch.quotient;
    quotient(p->batch * p->n_out, p->epsilon, c->r_out, c->factor, d, s);
    kernel_gate(p->batch * p->n_out, gate, c->out, s);
}

/* R_in += coef input(x) . r; as the quotient by x where all terms end with it: input(x) is x where it is not 0. */
static void add_term(const rule_plan *p, const rule_call *c, const rule_term *t, float coef, const float *r)
{
    const size_t n = p->batch * p->n_in;
    if (!p->whole) {
        kernel_add_where(n, t->input, coef, c->in, r, c->r_in);
    } else if (t->flat || t->input == INPUT_ONE) {
        kernel_add_where(n, INPUT_ALL, coef, c->in, r, c->r_in);
    } else if (t->input < INPUT_ONE) {
        kernel_add_product(n, coef, input_of(p, c, t->input), r, c->r_in);
    } else {
        for (size_t b = 0; b < p->batch; b++) {
            kernel_add_product(p->n_in, coef, t->input == INPUT_LOW ? p->low : p->high, r + b * p->n_in,
                               c->r_in + b * p->n_in);
        }
    }
}

static void relevance_by_terms(const rule_plan *p, const rule_call *c)
{
    float *r = c->work + p->scratch.relevance, *d = c->work + p->scratch.denominator;
    const float *found = c->sums == NULL ? d : c->sums; /* one group's after the other's */
    const size_t to_next = c->sums == NULL ? 0 : p->batch * p->n_out;
    memset(c->r_in, 0, p->batch * p->n_in * sizeof *c->r_in);
    for (size_t i = 0; i < p->terms.n_groups; i++) {
        const rule_group *g = &p->terms.group[i];
        if (g->coef == 0.0) {
            continue;
        }
        if (c->sums == NULL) {
            find_denominator(p, c, g, &p->group[i], d);
        }
        find_quotient(p, c, g->gate, found);
        found += to_next;
        for (size_t k = 0; k < g->n_terms; k++) {
            product_run(p->group[i].term[k].adjoint, c->work + p->scratch.quotient, r, c->work + p->scratch.op);
            add_term(p, c, &g->term[k], (float)g->coef, r); /* the sign is in the weights */
        }
    }
}

void rule_relevance(const rule_plan *p, const rule_call *c)
{
    const product *adjoint = p->group[0].term[0].adjoint;
    float *s = c->work + p->scratch.quotient, *work = c->work + p->scratch.op;
    switch (p->path) {
    case PATH_GRADIENT:
        product_run(adjoint, c->r_out, c->r_in, work);
        break;
    case PATH_OUTPUT:
        quotient(p->batch * p->n_out, p->epsilon, c->r_out, c->factor, c->out, s);
        product_run(adjoint, s, c->r_in, work);
        break;
    case PATH_SIGNED:
        signed_relevance(&p->signs, c);
        break;
    case PATH_FLAT:
        flat_relevance(&p->flat, c);
        break;
    case PATH_TERMS:
        relevance_by_terms(p, c);
        break;
    }
}

/* Groups whose denominator depends on the sample. */
static size_t varying_groups(const rule_plan *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->terms.n_groups; i++) {
        n += p->terms.group[i].coef != 0.0 && p->group[i].varies;
    }
    return n;
}

size_t rule_sums(const rule_plan *p)
{
    size_t groups = 0;
    if (p->path == PATH_SIGNED) {
        return signed_sums_floats(&p->signs);
    }
    for (size_t i = 0; i < p->terms.n_groups; i++) {
        groups += p->terms.group[i].coef != 0.0;
    }
    return p->path == PATH_TERMS && varying_groups(p) > 0 ? groups * p->batch * p->n_out : 0;
}

const void *rule_sums_key(const rule_plan *p)
{
    return p->path == PATH_SIGNED ? (const void *)p->signs.forward : p;
}

void rule_find_sums(const rule_plan *p, const rule_call *c, float *out)
{
    if (p->path == PATH_SIGNED) {
        signed_find_sums(&p->signs, c, out);
        return;
    }
    for (size_t i = 0; i < p->terms.n_groups; i++) {
        if (p->terms.group[i].coef != 0.0) {
            find_denominator(p, c, &p->terms.group[i], &p->group[i], out);
            out += p->batch * p->n_out;
        }
    }
}
