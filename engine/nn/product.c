#include "nn/product.h"

#include <string.h>

status product_plan(arena *a, const backend_def *backend, const conv_shape *s, size_t batch, conv_pass pass, bool maskable,
                    product *out)
{
    *out = (product){
        .n_weight = s->out_channels * (s->in_channels / s->groups) * s->kernel[0] * s->kernel[1],
        .n_bias = pass.bias ? s->out_channels : 0,
        .out_channels = s->out_channels,
        .maskable = maskable,
    };
    return backend->prepare(a, s, batch, pass, &out->plan);
}

size_t product_floats(const product *p)
{
    const size_t packed = p->plan->n_packed;
    return packed > 0 ? packed : p->maskable ? p->n_weight + p->n_bias : 0;
}

void product_pack(const product *p, const float *w, const float *bias, float *to)
{
    p->plan->pack(p->plan, w, bias, NULL, to);
}

status product_load(arena *a, const float *w, const float *bias, product *p)
{
    p->w = p->all_weights = w;
    p->bias = p->all_bias = bias;
    if (product_floats(p) > 0) {
        TRY_ALLOC(p->own, a, product_floats(p));
    }
    if (p->plan->n_packed > 0) {
        product_pack(p, w, bias, p->own);
        p->w = p->own;
    }
    return STATUS_OK;
}

static status make_packed(const void *of, float *to)
{
    const product *p = of;
    product_pack(p, p->all_weights, p->all_bias, to);
    return STATUS_OK;
}

static void use_packed(void *of, const float *at)
{
    product *p = of;
    p->w = at != NULL ? at : p->all_weights;
}

status product_want(weight_list *l, arena *a, const float *w, const float *bias, product *p)
{
    p->all_weights = w;
    p->bias = p->all_bias = bias;
    return weights_want(l, a, &(weight_order){.n = p->plan->n_packed, .of = p, .make = make_packed, .use = use_packed});
}

size_t product_cut_floats(const product *p)
{
    return p->n_weight + p->n_bias;
}

status product_load_cut(arena *a, const float *w, const float *bias, const weight_cut *cut, float *work, product *p)
{
    float *part = work;
    if (p->plan->n_packed == 0) {
        TRY_ALLOC(part, a, product_cut_floats(p));
    }
    weight_cut_matrix(cut, w, part);
    if (p->n_bias > 0) {
        weight_cut_vector(cut, bias, part + p->n_weight);
    }
    return product_load(a, part, p->n_bias > 0 ? part + p->n_weight : NULL, p);
}

/* For plans that take weights in the layer's own order. */
static void mask_plain(product *p, const uint8_t *alive)
{
    const size_t each = p->n_weight / p->out_channels;
    float *bias = p->own + p->n_weight;
    for (size_t o = 0; o < p->out_channels; o++) {
        if (alive[o]) {
            memcpy(p->own + o * each, p->all_weights + o * each, each * sizeof(float));
        } else {
            memset(p->own + o * each, 0, each * sizeof(float));
        }
        if (p->n_bias > 0) {
            bias[o] = alive[o] ? p->all_bias[o] : 0.0f;
        }
    }
    p->w = p->own;
    p->bias = p->n_bias > 0 ? bias : NULL;
}

void product_mask(product *p, const uint8_t *alive)
{
    if (p->plan->mask != NULL) {
        p->plan->mask(p->plan, alive, p->own);
    } else if (p->plan->n_packed > 0) {
        p->plan->pack(p->plan, p->all_weights, p->all_bias, alive, p->own);
    } else if (alive != NULL) {
        mask_plain(p, alive);
    } else {
        p->w = p->all_weights;
        p->bias = p->all_bias;
    }
}
