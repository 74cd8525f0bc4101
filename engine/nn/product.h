#ifndef NN_PRODUCT_H
#define NN_PRODUCT_H
/* A convolution or linear layer with its weights, ready to run: the backend's plan and the weights in the plan's order. */
#include "backend/backend.h"
#include "nn/passes/channel_map.h"
#include "nn/weights.h"

typedef struct product {
    const conv_plan *plan;
    const float *w, *bias;               /* what the plan runs on */
    const float *all_weights, *all_bias; /* of the layer, nothing pruned */
    size_t n_weight, n_bias, out_channels;
    bool maskable;
    float *own; /* memory for masked weights and bias, packed where the plan packs; NULL: it is not maskable, or not this rank's own */
} product;

/* The plan only; `maskable`: product_mask() will be called. */
MUST_CHECK status product_plan(arena *a, const backend_def *backend, const conv_shape *s, size_t batch, conv_pass pass,
                               bool maskable, product *out);
size_t product_floats(const product *p); /* what product_load() takes from its arena */
/* w and bias (NULL if the pass has none) are borrowed. */
MUST_CHECK status product_load(arena *a, const float *w, const float *bias, product *p);
/* The same for what is not maskable: the packed weights are an order of `l`, NULL: they lie in `a`. *p, w and bias must stay where they are. */
MUST_CHECK status product_want(weight_list *l, arena *a, const float *w, const float *bias, product *p);
/* Packs w and bias, of the layer's size, for the plan into to [plan->n_packed]. */
void product_pack(const product *p, const float *w, const float *bias, float *to);
/* The same with a part of w and bias, which are borrowed for the call. `work` [n_weight + n_bias] where the plan packs. */
MUST_CHECK status product_load_cut(arena *a, const float *w, const float *bias, const weight_cut *cut, float *work, product *p);
size_t product_cut_floats(const product *p); /* what that takes besides product_floats(): of its arena, or of `work` where the plan packs */

/* From now on a dead output is exactly 0 for every finite input: what makes it is taken as 0, weights and bias, or it is replaced.
 * alive [out_channels], NULL = all. */
void product_mask(product *p, const uint8_t *alive);

static inline void product_run(const product *p, const float *in, float *out, float *work)
{
    p->plan->run(p->plan, p->w, p->bias, in, out, work);
}

#endif
