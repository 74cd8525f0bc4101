#include "support/naive_rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/naive.h"
#include "support/support.h"

size_t naive_inputs(const conv_shape *s)
{
    return s->in_channels * s->in_height * s->in_width;
}

size_t naive_outputs(const conv_shape *s)
{
    return s->out_channels * s->out_height * s->out_width;
}

static size_t place(const conv_shape *s, size_t channels, size_t height, size_t width, size_t c, size_t y, size_t x)
{
    return s->rows ? (y * width + x) * channels + c : (c * height + y) * width + x;
}

/* An output's tap; false outside of the image. */
static bool tap_inside(const conv_shape *s, size_t oy, size_t ox, size_t ky, size_t kx, size_t *iy, size_t *ix)
{
    *iy = oy * s->stride[0] + ky * s->dilation[0] - s->padding[0]; /* wraps around where it is negative */
    *ix = ox * s->stride[1] + kx * s->dilation[1] - s->padding[1];
    return *iy < s->in_height && *ix < s->in_width;
}

static size_t taps_of(const conv_shape *s)
{
    return s->in_channels / s->groups * s->kernel[0] * s->kernel[1];
}

typedef struct arrays {
    const double *x, *w;
    double *sum;
    bool sizes; /* sums of absolute values */
} arrays;

/* The products of one output [c,oy,ox]. */
static void forward_output(const conv_shape *s, size_t c, size_t oy, size_t ox, const arrays *a)
{
    const size_t n = s->in_channels / s->groups, first = c / (s->out_channels / s->groups) * n;
    const size_t o = place(s, s->out_channels, s->out_height, s->out_width, c, oy, ox);
    size_t k = c * n * s->kernel[0] * s->kernel[1];
    for (size_t ic = first; ic < first + n; ic++) {
        for (size_t ky = 0; ky < s->kernel[0]; ky++) {
            for (size_t kx = 0; kx < s->kernel[1]; kx++, k++) {
                size_t iy, ix;
                if (tap_inside(s, oy, ox, ky, kx, &iy, &ix)) {
                    const double p = a->x[place(s, s->in_channels, s->in_height, s->in_width, ic, iy, ix)] * a->w[k];
                    a->sum[o] += a->sizes ? fabs(p) : p;
                }
            }
        }
    }
}

static void adjoint_output(const conv_shape *s, size_t c, size_t oy, size_t ox, const arrays *a)
{
    const size_t n = s->in_channels / s->groups, first = c / (s->out_channels / s->groups) * n;
    const double r = a->x[place(s, s->out_channels, s->out_height, s->out_width, c, oy, ox)];
    size_t k = c * n * s->kernel[0] * s->kernel[1];
    for (size_t ic = first; r != 0.0 && ic < first + n; ic++) {
        for (size_t ky = 0; ky < s->kernel[0]; ky++) {
            for (size_t kx = 0; kx < s->kernel[1]; kx++, k++) {
                size_t iy, ix;
                if (tap_inside(s, oy, ox, ky, kx, &iy, &ix)) {
                    a->sum[place(s, s->in_channels, s->in_height, s->in_width, ic, iy, ix)] += r * a->w[k];
                }
            }
        }
    }
}

static void for_outputs(const conv_shape *s, const arrays *a,
                        void (*run)(const conv_shape *s, size_t c, size_t oy, size_t ox, const arrays *a))
{
    for (size_t c = 0; c < s->out_channels; c++) {
        for (size_t oy = 0; oy < s->out_height; oy++) {
            for (size_t ox = 0; ox < s->out_width; ox++) {
                run(s, c, oy, ox, a);
            }
        }
    }
}

/* z += x * w */
static void add_forward(const conv_shape *s, const double *x, const double *w, double *z)
{
    for_outputs(s, &(arrays){.x = x, .w = w, .sum = z}, forward_output);
}

/* z += |x| * |w| */
static void add_sizes(const conv_shape *s, const double *x, const double *w, double *z)
{
    for_outputs(s, &(arrays){.x = x, .w = w, .sum = z, .sizes = true}, forward_output);
}

/* r = w' s */
static void adjoint(const conv_shape *s, const double *w, const double *quotient, double *r)
{
    memset(r, 0, naive_inputs(s) * sizeof *r);
    for_outputs(s, &(arrays){.x = quotient, .w = w, .sum = r}, adjoint_output);
}

static size_t channel_of(const conv_shape *s, size_t channels, size_t plane, size_t i)
{
    return s->rows ? i % channels : i / plane;
}

static double map_of(const rule_map *m, double v)
{
    return m->all * v + m->positive * fmax(v, 0.0) + m->negative * fmin(v, 0.0) + m->square * v * v + m->one;
}

static void add_bias(const naive_layer *l, const rule_map *m, double sign, double *z)
{
    const conv_shape *s = &l->shape;
    for (size_t o = 0; l->b != NULL && o < naive_outputs(s); o++) {
        z[o] += sign * map_of(m, l->b[channel_of(s, s->out_channels, s->out_height * s->out_width, o)]);
    }
}

void naive_layer_forward(const naive_layer *l, const double *x, double *z)
{
    static const rule_map as_it_is = {.all = 1.0};
    memset(z, 0, naive_outputs(&l->shape) * sizeof *z);
    add_forward(&l->shape, x, l->w, z);
    add_bias(l, &as_it_is, 1.0, z);
}

void naive_layer_gradient(const naive_layer *l, const double *r_out, double *r_in)
{
    adjoint(&l->shape, l->w, r_out, r_in);
}

static double *doubles(size_t n)
{
    double *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static double input_of(const naive_layer *l, const rule_terms *t, rule_input input, const double *x, size_t i)
{
    const conv_shape *s = &l->shape;
    const size_t c = channel_of(s, s->in_channels, s->in_height * s->in_width, i);
    switch (input) {
    case INPUT_ALL:
        return x[i];
    case INPUT_POSITIVE:
        return fmax(x[i], 0.0);
    case INPUT_NEGATIVE:
        return fmin(x[i], 0.0);
    case INPUT_ONE:
        return 1.0;
    case INPUT_LOW:
        return l->low == NULL ? t->low : l->low[c];
    default:
        return l->high == NULL ? t->high : l->high[c];
    }
}

/* A term's input and weights, sign included. */
typedef struct term_arrays {
    double *x, *w;
} term_arrays;

static term_arrays arrays_of(const naive_layer *l, const rule_terms *t, const rule_term *term, const double *x)
{
    const size_t n_in = naive_inputs(&l->shape), n_w = l->shape.out_channels * taps_of(&l->shape);
    term_arrays a = {doubles(n_in), doubles(n_w)};
    for (size_t i = 0; i < n_in; i++) {
        a.x[i] = input_of(l, t, term->input, x, i);
    }
    for (size_t i = 0; i < n_w; i++) {
        a.w[i] = (term->minus ? -1.0 : 1.0) * map_of(&term->weights, l->w[i]);
    }
    return a;
}

static bool passes(rule_gate gate, double z)
{
    return gate == GATE_NONE || (gate == GATE_POSITIVE ? z > 0.0 : z < 0.0);
}

static void add_group(const naive_layer *l, const rule_terms *t, const rule_group *g, double epsilon, const double *x,
                      const double *z, const double *r_out, double *r_in, naive_facts *facts)
{
    const size_t n_in = naive_inputs(&l->shape), n_out = naive_outputs(&l->shape);
    double *d = doubles(n_out), *s = doubles(n_out), *without_bias = doubles(n_out), *r = doubles(n_in);
    double *size = doubles(n_out);
    term_arrays a[MAX_RULE_TERMS];
    for (size_t k = 0; k < g->n_terms; k++) {
        const rule_map *bias = &g->term[k].bias;
        a[k] = arrays_of(l, t, &g->term[k], x);
        add_forward(&l->shape, a[k].x, a[k].w, without_bias);
        if (facts != NULL) {
            add_sizes(&l->shape, a[k].x, a[k].w, size);
        }
        if (!rule_map_is_zero(bias)) {
            add_bias(l, bias, g->term[k].minus ? -1.0 : 1.0, d);
        }
    }
    for (size_t o = 0; o < n_out; o++) {
        const double st = naive_stabilise(d[o] + without_bias[o], epsilon);
        s[o] = passes(g->gate, z[o]) && st != 0.0 ? r_out[o] / st : 0.0;
        if (facts != NULL) {
            if (facts->silent != NULL) {
                facts->silent[o] = facts->silent[o] || (g->coef != 0.0 && passes(g->gate, z[o]) && st == 0.0);
            }
            facts->total += g->coef * s[o] * without_bias[o];
            facts->condition =
                s[o] == 0.0 ? facts->condition : fmax(facts->condition, (size[o] + fabs(d[o])) / fabs(st));
        }
    }
    for (size_t k = 0; k < g->n_terms; k++) {
        adjoint(&l->shape, a[k].w, s, r);
        for (size_t i = 0; i < n_in; i++) {
            r_in[i] += g->coef * r[i] * (g->term[k].flat ? 1.0 : a[k].x[i]);
        }
        free(a[k].x);
        free(a[k].w);
    }
    free(d);
    free(s);
    free(without_bias);
    free(size);
    free(r);
}

void naive_rule(const naive_layer *l, const rule_terms *t, double epsilon, const double *x, const double *z,
                const double *r_out, double *r_in, naive_facts *facts)
{
    memset(r_in, 0, naive_inputs(&l->shape) * sizeof *r_in);
    if (facts != NULL) {
        *facts = (naive_facts){.silent = facts->silent};
    }
    for (size_t g = 0; g < t->n_groups; g++) {
        add_group(l, t, &t->group[g], epsilon, x, z, r_out, r_in, facts);
    }
}
