#include "attribution/product_pool.h"

typedef struct pooled {
    struct pooled *next;
    conv_pass pass;
    product product;
} pooled;

struct product_pool {
    pooled *first;
};

status product_pool_open(arena *a, size_t n_nodes, product_pool **out)
{
    TRY_ALLOC(*out, a, n_nodes);
    return STATUS_OK;
}

product_pool *product_pool_of(product_pool *all, size_t id)
{
    return all == NULL ? NULL : &all[id];
}

static bool same_part(weight_part a, weight_part b)
{
    return a.positive == b.positive && a.negative == b.negative;
}

static bool same_pass(const conv_pass *a, const conv_pass *b)
{
    bool same = a->adjoint == b->adjoint && a->bias == b->bias && a->add == b->add && a->relu == b->relu &&
                a->winograd == b->winograd && a->quick == b->quick && a->n_parts == b->n_parts;
    for (size_t i = 0; i < a->n_parts; i++) {
        same = same && same_part(a->part[i], b->part[i]);
    }
    return same;
}

static status make(arena *a, const rule_layer *l, conv_pass pass, bool load, size_t *floats, product *out)
{
    TRY(product_plan(a, l->backend, l->shape, l->batch, pass, false, out));
    if (l->weights == NULL) {
        *floats += product_floats(out);
    } else if (!load) {
        weights_count(l->weights, product_floats(out));
    }
    return load ? product_want(l->weights, a, l->n->weight, pass.bias ? l->n->bias : NULL, out) : STATUS_OK;
}

status product_pool_take(arena *a, const rule_layer *l, conv_pass pass, bool load, size_t *floats, const product **out)
{
    pooled *p = l->pool == NULL ? NULL : l->pool->first;
    while (p != NULL && !same_pass(&p->pass, &pass)) {
        p = p->next;
    }
    if (p == NULL) {
        TRY_ALLOC(p, a, 1);
        p->pass = pass;
        TRY(make(a, l, pass, load, floats, &p->product));
        if (l->pool != NULL) {
            p->next = l->pool->first;
            l->pool->first = p;
        }
    }
    *out = &p->product;
    return STATUS_OK;
}
