#include "support/layer.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

float *layer_floats(layer *l, size_t n)
{
    float *p = arena_alloc(l->a, n, sizeof *p);
    assert_non_null(p);
    return p;
}

float *layer_random(layer *l, size_t n, uint64_t seed)
{
    float *p = layer_floats(l, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (float)(2.0 * rng_uniform(seed, RNG_TEST, 1, (uint32_t)i) - 1.0);
    }
    return p;
}

void layer_open(layer *l, const layer_spec *s, size_t batch, uint64_t seed)
{
    *l = (layer){.n_in = s->n_in, .batch = batch};
    assert_ok(arena_open("layer", &l->a));
    l->n = (node){.op = s->op,
                  .name = s->what,
                  .n_in = s->n_in,
                  .attr = s->attr,
                  .n_weight = s->n_weight,
                  .n_bias = s->n_bias,
                  .n_components = s->n_components,
                  .out = s->in[0]};
    l->n.weight = s->n_weight == 0 ? NULL : layer_random(l, s->n_weight, seed + 1);
    l->n.bias = s->n_bias == 0 ? NULL : layer_random(l, s->n_bias, seed + 2);
    memcpy(l->in_shape, s->in, sizeof l->in_shape);
    assert_ok(s->op->infer(&l->n, l->in_shape, &l->n.out));
    for (size_t i = 0; i < s->n_in; i++) {
        l->n_x[i] = shape_count(s->in[i]);
        l->x[i] = layer_random(l, batch * l->n_x[i], seed + 10 + i);
    }
    l->n_out = shape_count(l->n.out);
    l->out = layer_random(l, batch * l->n_out, seed + 3); /* a layer must not rely on zeros */
    l->n_saved = s->op->saved == NULL ? 0 : s->op->saved(&l->n, l->in_shape, 1);
    l->saved = layer_random(l, batch * l->n_saved, seed + 4);
}

void layer_close(layer *l)
{
    arena_close(&l->a);
}

void layer_same_sample(layer *l)
{
    for (size_t i = 0; i < l->n_in; i++) {
        for (size_t b = 1; b < l->batch; b++) {
            memcpy(l->x[i] + b * l->n_x[i], l->x[i], l->n_x[i] * sizeof *l->x[i]);
        }
    }
}

/* The shape that `saved` has where it is an image: winners of a pooling. */
static shape saved_shape(const layer *l)
{
    return l->n.op == &op_maxpool2d ? l->n.out : (shape){.rank = 1, .dim = {l->n_saved}};
}

static float *stored(layer *l, shape s, const float *plain)
{
    const size_t block = test_backend()->block();
    float *p = layer_random(l, l->batch * images_floats(s, block), 99);
    images_store(l->batch, s, block, plain, p);
    return p;
}

/* Back to plain order; lanes that no channel has must be 0, but for winners, of which nobody reads those. */
static void load(layer *l, shape s, const float *p, float *plain)
{
    const size_t block = test_backend()->block(), plane = s.rank == 3 ? s.dim[1] * s.dim[2] : 0;
    const size_t each = images_floats(s, block);
    images_load(l->batch, s, block, p, plain);
    for (size_t i = 0; s.rank == 3 && plain != l->saved && i < l->batch * each; i++) {
        const size_t channel = i % each / (plane * block) * block + i % block;
        if (channel >= s.dim[0] && p[i] != 0.0f) {
            fail_msg("%s: padding lane of channel %zu holds %g", l->n.name, channel, (double)p[i]);
        }
    }
}

/* Convolutions and linear layers: prepared, and masked as forward_run() does it. */
static const product *prepare(layer *l, conv_pass pass, const float *w, const float *bias, const uint8_t *alive,
                              float **work)
{
    conv_shape s;
    product *p = arena_alloc(l->a, 1, sizeof *p);
    assert_non_null(p);
    l->n.op->product(&l->n, l->in_shape, &s);
    assert_ok(product_plan(l->a, test_backend(), &s, l->batch, pass, true, p));
    assert_ok(product_load(l->a, w, bias, p));
    if (alive != NULL) {
        product_mask(p, alive);
    }
    *work = layer_floats(l, p->plan->n_work);
    memset(*work, 0xff, p->plan->n_work * sizeof **work); /* not-a-numbers: what is read before it is written is seen */
    return p;
}

bool layer_product_masked(layer *l, conv_pass pass, const uint8_t *alive, const float *w, const float *bias,
                          const float *in, float *out)
{
    const shape from = pass.adjoint ? l->n.out : l->in_shape[0], to = pass.adjoint ? l->in_shape[0] : l->n.out;
    float *work, *result = stored(l, to, out);
    const product *p = prepare(l, pass, w, bias, alive, &work);
    product_run(p, stored(l, from, in), result, work);
    load(l, to, result, out);
    return p->plan->winograd;
}

void layer_product(layer *l, conv_pass pass, const float *w, const float *bias, const float *in, float *out)
{
    (void)layer_product_masked(l, pass, NULL, w, bias, in, out);
}

static void run_forward(layer *l, size_t in_place, const uint8_t *alive)
{
    float *x[MAX_INPUTS] = {NULL}, *saved = stored(l, saved_shape(l), l->saved), *work = NULL;
    for (size_t i = 0; i < l->n_in; i++) {
        x[i] = l->n.op == &op_input ? l->x[i] : stored(l, l->in_shape[i], l->x[i]);
    }
    float *out = in_place < l->n_in ? x[in_place] : stored(l, l->n.out, l->out);
    const product *p = l->n.op->product == NULL
                           ? NULL
                           : prepare(l, (conv_pass){.bias = l->n.bias != NULL}, l->n.weight, l->n.bias, alive, &work);
    const op_call c = {.node = &l->n,
                       .backend = test_backend(),
                       .batch = l->batch,
                       .block = test_backend()->block(),
                       .in_shape = l->in_shape,
                       .in = {x[0], x[1], x[2]},
                       .out = out,
                       .saved = saved,
                       .work = work,
                       .product = p,
                       .alive = alive};
    l->n.op->forward(&c);
    load(l, l->n.out, out, l->out);
    load(l, saved_shape(l), saved, l->saved);
}

void layer_forward(layer *l, const uint8_t *alive)
{
    run_forward(l, MAX_INPUTS, alive);
}

void layer_forward_in_place(layer *l, size_t i, const uint8_t *alive)
{
    run_forward(l, i, alive);
}

static void multiply(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] *= x[i];
    }
}

/* The call that a walk would make, inputs and outputs stored; `to` [n_in] is where the layer writes. */
static relevance_call call_of(layer *l, const float *r_out, const float *factor, float *const r_in[MAX_INPUTS],
                              float *to[MAX_INPUTS], float *component)
{
    relevance_call c = {.node = &l->n,
                        .backend = test_backend(),
                        .batch = l->batch,
                        .block = test_backend()->block(),
                        .in_shape = l->in_shape,
                        .out = stored(l, l->n.out, l->out),
                        .saved = stored(l, saved_shape(l), l->saved),
                        .r_out = stored(l, l->n.out, r_out),
                        .factor = factor == NULL ? NULL : stored(l, l->n.out, factor),
                        .component = component,
                        .softmax_rule = l->softmax_rule};
    for (size_t i = 0; i < l->n_in; i++) {
        c.in[i] = stored(l, l->in_shape[i], l->x[i]);
        to[i] = r_in[i] == NULL ? NULL : stored(l, l->in_shape[i], r_in[i]);
        c.r_in[i] = to[i];
    }
    return c;
}

void layer_relevance_of(layer *l, double epsilon, const float *t, const float *factor, float *const r_in[MAX_INPUTS],
                        float *component)
{
    const op_def *op = l->n.op;
    if (op->way == RELEVANCE_PASSES) { /* without a call, product and all */
        memcpy(r_in[0], t, l->batch * l->n_out * sizeof *t);
        if (factor != NULL) {
            multiply(l->batch * l->n_out, factor, r_in[0]);
        }
        return;
    }
    float *quotient[MAX_INPUTS] = {NULL};
    relevance_call c = call_of(l, t, factor, r_in, quotient, component);
    c.epsilon = epsilon;
    if (op->way == RELEVANCE_SHARED) {
        c.r_in[0] = quotient[0] != NULL ? quotient[0] : quotient[1];
    }
    c.work = layer_random(
        l, op->relevance_workspace == NULL ? 0 : op->relevance_workspace(&l->n, l->in_shape, l->batch, c.block), 77);
    op->relevance(&c);
    for (size_t i = 0; i < l->n_in; i++) {
        if (r_in[i] != NULL) {
            load(l, l->in_shape[i], op->way == RELEVANCE_SHARED ? c.r_in[0] : quotient[i], r_in[i]);
        }
        if (r_in[i] != NULL && (op->way != RELEVANCE_MOVES || factor != NULL)) { /* what moves as a relevance is one */
            multiply(l->batch * l->n_x[i], l->x[i], r_in[i]);
        }
    }
}

void layer_relevance(layer *l, double epsilon, const float *r_out, float *const r_in[MAX_INPUTS], float *component)
{
    layer_relevance_of(l, epsilon, r_out, NULL, r_in, component);
}

void layer_gradient(layer *l, const float *g_out, float *const g_in[MAX_INPUTS], float *component, const float *weight)
{
    const op_def *op = l->n.op;
    float *to[MAX_INPUTS] = {NULL};
    if (op->gradient_way == RELEVANCE_PASSES) { /* without a call */
        for (size_t i = 0; i < l->n_in; i++) {
            memcpy(g_in[i], g_out, l->batch * l->n_out * sizeof *g_out);
        }
        return;
    }
    relevance_call c = call_of(l, g_out, NULL, g_in, to, component);
    c.component_weight = weight;
    c.work = layer_random(
        l, op->gradient_workspace == NULL ? 0 : op->gradient_workspace(&l->n, l->in_shape, l->batch, c.block), 77);
    op->gradient(&c);
    for (size_t i = 0; i < l->n_in; i++) {
        if (g_in[i] != NULL) {
            load(l, l->in_shape[i], to[i], g_in[i]);
        }
    }
}

void assert_close(const char *what, size_t n, const float found[], const double expected[], double tolerance)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(expected[i]));
    }
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)found[i] - expected[i]) <= tolerance * largest)) {
            fail_msg("%s: element %zu of %zu is %.9g, expected %.9g (largest %.3g)", what, i, n, (double)found[i],
                     expected[i], largest);
        }
    }
}

void assert_same_slots(const char *what, size_t batch, size_t n, const float values[])
{
    for (size_t b = 1; n > 0 && b < batch; b++) {
        if (memcmp(values, values + b * n, n * sizeof *values) != 0) {
            fail_msg("%s: slot %zu of %zu has other bits than slot 0", what, b, batch);
        }
    }
}
