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
    l->n_saved = s->op->saved == NULL ? 0 : s->op->saved(&l->n, l->in_shape);
    l->saved = layer_random(l, batch * l->n_saved, seed + 4);
    l->work = layer_random(l, s->op->workspace == NULL ? 0 : s->op->workspace(&l->n, l->in_shape, batch), seed + 5);
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

op_call layer_call(const layer *l)
{
    return (op_call){.node = &l->n,
                     .backend = backend_default(),
                     .batch = l->batch,
                     .in_shape = l->in_shape,
                     .in = {l->x[0], l->x[1], l->x[2]},
                     .out = l->out,
                     .saved = l->saved,
                     .work = l->work};
}

void layer_forward(layer *l, const uint8_t *alive)
{
    op_call c = layer_call(l);
    c.alive = alive;
    l->n.op->forward(&c);
}

void layer_relevance(layer *l, double epsilon, const float *r_out, float *const r_in[MAX_INPUTS], float *component)
{
    const op_def *op = l->n.op;
    relevance_call c = {.node = &l->n,
                        .backend = backend_default(),
                        .batch = l->batch,
                        .in_shape = l->in_shape,
                        .in = {l->x[0], l->x[1], l->x[2]},
                        .out = l->out,
                        .saved = l->saved,
                        .r_out = r_out,
                        .r_in = {r_in[0], r_in[1], r_in[2]},
                        .component = component,
                        .epsilon = epsilon};
    c.work = layer_random(
        l, op->relevance_workspace == NULL ? 0 : op->relevance_workspace(&l->n, l->in_shape, l->batch), 77);
    op->relevance(&c);
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
