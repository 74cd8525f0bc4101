#include "attribution/rule_exact.h"

#include "core/vector.h"

enum { PARTS = 8 };

exact_place exact_find(const exact_layer *l, const float *in, size_t row, size_t at)
{
    const conv_shape *s = &l->shape;
    if (s->rows) {
        const size_t offset = row * s->in_channels;
        return (exact_place){.channel = at, .in = in + offset, .offset = offset};
    }
    const size_t block = l->out_block, pixel = at / block % (s->out_height * s->out_width), offset = row * l->in_floats;
    return (exact_place){.channel = at / (block * s->out_height * s->out_width) * block + at % block,
                         .y = pixel / s->out_width,
                         .x = pixel % s->out_width,
                         .in = in + offset,
                         .offset = offset};
}

/* Eight partial sums of each sign. */
VECTOR_KERNEL
static void sums_of_row(size_t n, const float *restrict x, const float *restrict w, double *agreeing, double *opposing)
{
    double positive[PARTS] = {0.0}, negative[PARTS] = {0.0};
    const size_t whole = n / PARTS * PARTS;
    for (size_t i = 0; i < whole; i += PARTS) {
        for (size_t k = 0; k < PARTS; k++) {
            const double product = (double)x[i + k] * (double)w[i + k];
            positive[k] += product > 0.0 ? product : 0.0;
            negative[k] += product < 0.0 ? product : 0.0;
        }
    }
    for (size_t i = whole; i < n; i++) {
        const double product = (double)x[i] * (double)w[i];
        positive[0] += product > 0.0 ? product : 0.0;
        negative[0] += product < 0.0 ? product : 0.0;
    }
    for (size_t k = 0; k < PARTS; k++) {
        *agreeing += positive[k];
        *opposing += negative[k];
    }
}

VECTOR_KERNEL
static void add_to_row(size_t n, const float *restrict x, const float *restrict w, double agreeing, double opposing,
                       float *restrict r)
{
    for (size_t i = 0; i < n; i++) {
        const double share = (x[i] > 0.0f) == (w[i] > 0.0f) ? agreeing : opposing;
        r[i] = (float)((double)r[i] + (double)w[i] * share);
    }
}

/* The inputs that an output sees: channels [first, first + n) and, along each axis, taps [from, to) with input = at + tap dilation. */
typedef struct window {
    size_t first, n, from[2], to[2];
    ptrdiff_t at[2];
} window;

static window window_of(const conv_shape *s, const exact_place *p)
{
    const size_t in_group = s->in_channels / s->groups, out_group = s->out_channels / s->groups;
    const size_t size[2] = {s->in_height, s->in_width}, out[2] = {p->y, p->x};
    window v = {.first = p->channel / out_group * in_group, .n = in_group};
    for (int a = 0; a < 2; a++) {
        v.at[a] = (ptrdiff_t)(out[a] * s->stride[a]) - (ptrdiff_t)s->padding[a];
        v.to[a] = s->kernel[a];
        while (v.from[a] < v.to[a] && v.at[a] + (ptrdiff_t)(v.from[a] * s->dilation[a]) < 0) {
            v.from[a]++;
        }
        while (v.to[a] > v.from[a] && v.at[a] + (ptrdiff_t)((v.to[a] - 1) * s->dilation[a]) >= (ptrdiff_t)size[a]) {
            v.to[a]--;
        }
    }
    return v;
}

/* Element of the sample's image that tap (ky, kx) of channel c meets. */
static size_t input_at(const exact_layer *l, const window *v, size_t c, size_t ky, size_t kx)
{
    const conv_shape *s = &l->shape;
    const size_t y = (size_t)(v->at[0] + (ptrdiff_t)(ky * s->dilation[0])),
                 x = (size_t)(v->at[1] + (ptrdiff_t)(kx * s->dilation[1]));
    return (c / l->in_block * s->in_height * s->in_width + y * s->in_width + x) * l->in_block + c % l->in_block;
}

static size_t weight_at(const conv_shape *s, size_t channel, size_t c, size_t ky, size_t kx)
{
    return ((channel * (s->in_channels / s->groups) + c) * s->kernel[0] + ky) * s->kernel[1] + kx;
}

static void sums_of_window(const exact_layer *l, const exact_place *p, double *agreeing, double *opposing)
{
    const window v = window_of(&l->shape, p);
    for (size_t c = 0; c < v.n; c++) {
        for (size_t ky = v.from[0]; ky < v.to[0]; ky++) {
            for (size_t kx = v.from[1]; kx < v.to[1]; kx++) {
                const double product = (double)p->in[input_at(l, &v, v.first + c, ky, kx)] *
                                       (double)l->w[weight_at(&l->shape, p->channel, c, ky, kx)];
                *(product > 0.0 ? agreeing : opposing) += product;
            }
        }
    }
}

static void add_to_window(const exact_layer *l, const exact_place *p, double agreeing, double opposing, float *r)
{
    const window v = window_of(&l->shape, p);
    for (size_t c = 0; c < v.n; c++) {
        for (size_t ky = v.from[0]; ky < v.to[0]; ky++) {
            for (size_t kx = v.from[1]; kx < v.to[1]; kx++) {
                const size_t i = input_at(l, &v, v.first + c, ky, kx);
                const float w = l->w[weight_at(&l->shape, p->channel, c, ky, kx)];
                r[i] = (float)((double)r[i] + (double)w * ((p->in[i] > 0.0f) == (w > 0.0f) ? agreeing : opposing));
            }
        }
    }
}

void exact_sums(const exact_layer *l, const exact_place *p, double *agreeing, double *opposing)
{
    const double bias = l->bias == NULL ? 0.0 : (double)l->bias[p->channel];
    *agreeing = bias > 0.0 ? bias : 0.0;
    *opposing = bias < 0.0 ? bias : 0.0;
    if (l->shape.rows) {
        sums_of_row(l->shape.in_channels, p->in, l->w + p->channel * l->shape.in_channels, agreeing, opposing);
    } else {
        sums_of_window(l, p, agreeing, opposing);
    }
}

void exact_add(const exact_layer *l, const exact_place *p, double agreeing, double opposing, float *r_in)
{
    float *r = r_in + p->offset;
    if (l->shape.rows) {
        add_to_row(l->shape.in_channels, p->in, l->w + p->channel * l->shape.in_channels, agreeing, opposing, r);
    } else {
        add_to_window(l, p, agreeing, opposing, r);
    }
}
