#include "attribution/rule_flat.h"

#include <string.h>

bool flat_find(const rule_terms *t, double *value, double *coef)
{
    const rule_group *g = &t->group[0];
    const rule_term *term = &g->term[0];
    const rule_map rest = {term->weights.all, term->weights.positive, term->weights.negative, term->weights.square,
                           0.0};
    *value = term->minus ? -term->weights.one : term->weights.one;
    *coef = g->coef;
    return t->n_groups == 1 && g->gate == GATE_NONE && g->n_terms == 1 && term->input == INPUT_ONE &&
           rule_map_is_zero(&rest) && rule_map_is_zero(&term->bias);
}

static size_t out_pixels(const conv_shape *s)
{
    return s->out_height * s->out_width;
}

size_t flat_workspace(const flat_plan *p)
{
    return out_pixels(&p->shape);
}

/* Taps of output i along an axis that lie inside the image. */
static size_t taps_inside(const conv_shape *s, int axis, size_t i)
{
    const size_t size = axis == 0 ? s->in_height : s->in_width;
    size_t n = 0;
    for (size_t k = 0; k < s->kernel[axis]; k++) {
        const size_t at = i * s->stride[axis] + k * s->dilation[axis];
        n += at >= s->padding[axis] && at < size + s->padding[axis];
    }
    return n;
}

/* Element of a sample as stored; a row of a linear layer is a pixel with its channels last. */
static size_t element(const conv_shape *s, size_t pixels, size_t channels, size_t block, size_t c, size_t pixel)
{
    return s->rows ? pixel * channels + c : (c / block * pixels + pixel) * block + c % block;
}

/* spread [pixel] = coef value sum_channels R / st(D), for the outputs of one group. */
static void sum_group(const flat_plan *p, size_t group, const float *t, const float *f, float *spread)
{
    const conv_shape *s = &p->shape;
    const size_t n = s->out_channels / s->groups, pixels = out_pixels(s);
    for (size_t i = 0; i < pixels; i++) {
        const double seen = (double)(s->in_channels / s->groups * taps_inside(s, 0, i / s->out_width) *
                                     taps_inside(s, 1, i % s->out_width));
        const double d = p->value * seen, st = d + (d >= 0.0 ? p->epsilon : -p->epsilon);
        double sum = 0.0;
        for (size_t c = group * n; c < (group + 1) * n; c++) {
            const size_t at = element(s, pixels, s->out_channels, p->out_block, c, i);
            sum += (double)(f == NULL ? t[at] : t[at] * f[at]);
        }
        spread[i] = st == 0.0 ? 0.0f : (float)(p->coef * p->value * sum / st);
    }
}

/* The outputs that a tap of input i belongs to along an axis, or false. */
static bool output_of(const conv_shape *s, int axis, size_t i, size_t tap, size_t *out)
{
    const size_t size = axis == 0 ? s->out_height : s->out_width, at = i + s->padding[axis],
                 back = tap * s->dilation[axis];
    *out = at >= back ? (at - back) / s->stride[axis] : size;
    return *out < size && (at - back) % s->stride[axis] == 0;
}

static float box(const conv_shape *s, size_t y, size_t x, const float *spread)
{
    double sum = 0.0;
    for (size_t ky = 0; ky < s->kernel[0]; ky++) {
        size_t oy, ox;
        for (size_t kx = 0; output_of(s, 0, y, ky, &oy) && kx < s->kernel[1]; kx++) {
            sum += output_of(s, 1, x, kx, &ox) ? (double)spread[oy * s->out_width + ox] : 0.0;
        }
    }
    return (float)sum;
}

void flat_relevance(const flat_plan *p, const rule_call *c)
{
    const conv_shape *s = &p->shape;
    const size_t n = s->in_channels / s->groups, pixels = s->in_height * s->in_width;
    memset(c->r_in, 0, p->batch * p->in_floats * sizeof *c->r_in); /* padding lanes */
    for (size_t i = 0; i < p->batch * s->groups; i++) {
        const size_t b = i / s->groups, group = i % s->groups;
        float *r = c->r_in + b * p->in_floats;
        sum_group(p, group, c->r_out + b * p->out_floats, c->factor == NULL ? NULL : c->factor + b * p->out_floats,
                  c->work);
        for (size_t pixel = 0; pixel < pixels; pixel++) {
            const float share = box(s, pixel / s->in_width, pixel % s->in_width, c->work);
            for (size_t k = group * n; k < (group + 1) * n; k++) {
                r[element(s, pixels, s->in_channels, p->in_block, k, pixel)] = share;
            }
        }
    }
}
