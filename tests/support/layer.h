#ifndef SUPPORT_LAYER_H
#define SUPPORT_LAYER_H
/* One layer on its own on the backend under test, with random weights and inputs: what the tests of layers run. Arrays are in plain
 * order; the calls store them as the engine does (nn/images.h) in blocks of their own, so that AddressSanitizer sees an overrun,
 * and check that padding lanes are 0 afterwards. */
#include "support/backends.h"

#include "nn/op.h"

typedef struct layer_spec {
    const char *what;
    const op_def *op;
    const void *attr;
    size_t n_in;
    shape in[MAX_INPUTS];
    size_t n_weight, n_bias, n_components;
} layer_spec;

typedef struct layer {
    arena *a;
    node n;
    shape in_shape[MAX_INPUTS];
    size_t n_in, batch;
    float *x[MAX_INPUTS], *out, *saved;
    size_t n_x[MAX_INPUTS], n_out, n_saved; /* per sample */
    int softmax_rule;                       /* of its relevance; a test may set it */
} layer;

/* Inputs, weights and biases are uniform in [-1, 1), keyed by the seed. */
void layer_open(layer *l, const layer_spec *s, size_t batch, uint64_t seed);
void layer_close(layer *l);
float *layer_random(layer *l, size_t n, uint64_t seed);
float *layer_floats(layer *l, size_t n);
void layer_same_sample(layer *l); /* every slot gets the inputs of slot 0 */

void layer_forward(layer *l, const uint8_t *alive);
/* The same with the output over input i. */
void layer_forward_in_place(layer *l, size_t i, const uint8_t *alive);
/* Any pass of the product that the layer is, from `in` to `out`. */
void layer_product(layer *l, conv_pass pass, const float *w, const float *bias, const float *in, float *out);
/* The same with a mask, NULL = all alive; tells whether it was Winograd's algorithm. */
bool layer_product_masked(layer *l, conv_pass pass, const uint8_t *alive, const float *w, const float *bias,
                          const float *in, float *out);
/* After layer_forward: relevance of the inputs (r_in[i] NULL = not wanted) and components. */
void layer_relevance(layer *l, double epsilon, const float *r_out, float *const r_in[MAX_INPUTS], float *component);
/* The same, handed to the layer as the quotient t by `factor`: R = t factor (nn/op.h). */
void layer_relevance_of(layer *l, double epsilon, const float *t, const float *factor, float *const r_in[MAX_INPUTS],
                        float *component);

/* After layer_forward: the derivative by the inputs (g_in[i] NULL = not wanted) and by components, these times `weight` (nn/op.h) or NULL. */
void layer_gradient(layer *l, const float *g_out, float *const g_in[MAX_INPUTS], float *component, const float *weight);

/* |found - expected| <= tolerance x largest |expected|, or the test fails. */
void assert_close(const char *what, size_t n, const float found[], const double expected[], double tolerance);
/* Slots of [batch, n] all have the bits of slot 0. */
void assert_same_slots(const char *what, size_t batch, size_t n, const float values[]);

#endif
