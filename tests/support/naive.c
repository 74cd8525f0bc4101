#include "support/naive.h"

#include <math.h>
#include <string.h>

double naive_stabilise(double z, double eps)
{
    return z >= 0.0 ? z + eps : z - eps;
}

double naive_gelu(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2.0));
}

/* One output element: channel o, row y, column x. */
static double conv_element(const conv_shape *s, const float *w, const float *x, size_t o, size_t oy, size_t ox)
{
    const size_t in_group = s->in_channels / s->groups, group = o / (s->out_channels / s->groups);
    double sum = 0.0;
    for (size_t c = 0; c < in_group; c++) {
        for (size_t ky = 0; ky < s->kernel[0]; ky++) {
            for (size_t kx = 0; kx < s->kernel[1]; kx++) {
                const long y = (long)(oy * s->stride[0] + ky * s->dilation[0]) - (long)s->padding[0];
                const long i = (long)(ox * s->stride[1] + kx * s->dilation[1]) - (long)s->padding[1];
                if (y >= 0 && y < (long)s->in_height && i >= 0 && i < (long)s->in_width) {
                    const size_t at = ((group * in_group + c) * s->in_height + (size_t)y) * s->in_width + (size_t)i;
                    sum += (double)x[at] * (double)w[((o * in_group + c) * s->kernel[0] + ky) * s->kernel[1] + kx];
                }
            }
        }
    }
    return sum;
}

void naive_conv(const conv_shape *s, size_t batch, const float *w, const float *bias, const float *x, double *z)
{
    for (size_t b = 0; b < batch; b++) {
        for (size_t o = 0; o < s->out_channels; o++) {
            for (size_t oy = 0; oy < s->out_height; oy++) {
                for (size_t ox = 0; ox < s->out_width; ox++) {
                    const float *image = x + b * s->in_channels * s->in_height * s->in_width;
                    *z++ = conv_element(s, w, image, o, oy, ox) + (bias == NULL ? 0.0 : (double)bias[o]);
                }
            }
        }
    }
}

void naive_linear(size_t rows, size_t in, size_t out, const float *w, const float *bias, const float *x, double *z)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t o = 0; o < out; o++) {
            double sum = bias == NULL ? 0.0 : (double)bias[o];
            for (size_t i = 0; i < in; i++) {
                sum += (double)x[r * in + i] * (double)w[o * in + i];
            }
            z[r * out + o] = sum;
        }
    }
}

void naive_maxpool(size_t planes, const size_t in[2], const size_t out[2], size_t kernel, size_t stride, size_t padding,
                   const double *x, double *z, size_t *winner)
{
    for (size_t i = 0; i < planes * out[0] * out[1]; i++) {
        const size_t plane = i / (out[0] * out[1]), oy = i / out[1] % out[0], ox = i % out[1];
        z[i] = -INFINITY;
        for (size_t k = 0; k < kernel * kernel; k++) {
            const long y = (long)(oy * stride + k / kernel) - (long)padding,
                       c = (long)(ox * stride + k % kernel) - (long)padding;
            if (y < 0 || c < 0 || y >= (long)in[0] || c >= (long)in[1]) {
                continue;
            }
            const size_t at = (size_t)y * in[1] + (size_t)c;
            if (x[plane * in[0] * in[1] + at] > z[i]) {
                z[i] = x[plane * in[0] * in[1] + at];
                winner[i] = at;
            }
        }
    }
}

void naive_avgpool(size_t planes, const size_t in[2], const size_t out[2], const double *x, double *z)
{
    for (size_t i = 0; i < planes * out[0] * out[1]; i++) {
        const size_t plane = i / (out[0] * out[1]), oy = i / out[1] % out[0], ox = i % out[1];
        const size_t y0 = oy * in[0] / out[0], x0 = ox * in[1] / out[1];
        const size_t y1 = (size_t)ceil((double)((oy + 1) * in[0]) / (double)out[0]);
        const size_t x1 = (size_t)ceil((double)((ox + 1) * in[1]) / (double)out[1]);
        z[i] = 0.0;
        for (size_t y = y0; y < y1; y++) {
            for (size_t c = x0; c < x1; c++) {
                z[i] += x[(plane * in[0] + y) * in[1] + c] / (double)((y1 - y0) * (x1 - x0));
            }
        }
    }
}

void naive_layernorm(size_t rows, size_t features, double eps, const float *w, const float *b, const double *x,
                     double *y)
{
    for (size_t r = 0; r < rows; r++) {
        double mean = 0.0, var = 0.0;
        for (size_t i = 0; i < features; i++) {
            mean += x[r * features + i] / (double)features;
        }
        for (size_t i = 0; i < features; i++) {
            var += pow(x[r * features + i] - mean, 2.0) / (double)features;
        }
        for (size_t i = 0; i < features; i++) {
            y[r * features + i] = (x[r * features + i] - mean) / sqrt(var + eps) * (double)w[i] + (double)b[i];
        }
    }
}

/* c [m,n] = scale a [m,k] b, with b [k,n] or, transposed, [n,k] */
static void product(size_t m, size_t n, size_t k, double scale, const double *a, const double *b, int transposed,
                    double *c)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t l = 0; l < k; l++) {
                sum += a[i * k + l] * (transposed ? b[j * k + l] : b[l * n + j]);
            }
            c[i * n + j] = scale * sum;
        }
    }
}

static void softmax(size_t n, const double *s, double *a)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += exp(s[i]);
    }
    for (size_t i = 0; i < n; i++) {
        a[i] = exp(s[i]) / sum;
    }
}

void naive_attention(size_t tq, size_t t, size_t d, const double *q, const double *k, const double *v, double *logits,
                     double *attention, double *out)
{
    product(tq, t, d, 1.0 / sqrt((double)d), q, k, 1, logits);
    for (size_t i = 0; i < tq; i++) {
        softmax(t, logits + i * t, attention + i * t);
    }
    product(tq, d, t, 1.0, attention, v, 0, out);
}

void naive_av_rule(size_t tq, size_t t, size_t d, double shares, double eps, const double *a, const double *v,
                   const double *r_y, double *r_a, double *r_v)
{
    memset(r_a, 0, tq * t * sizeof *r_a);
    memset(r_v, 0, t * d * sizeof *r_v);
    for (size_t i = 0; i < tq; i++) {
        for (size_t j = 0; j < d; j++) {
            double y = 0.0;
            for (size_t l = 0; l < t; l++) {
                y += a[i * t + l] * v[l * d + j];
            }
            for (size_t l = 0; l < t; l++) {
                const double share = a[i * t + l] * v[l * d + j] * r_y[i * d + j] / naive_stabilise(shares * y, eps);
                r_a[i * t + l] += share;
                r_v[l * d + j] += share;
            }
        }
    }
}

void naive_softmax_epsilon(size_t n, const double *s, const double *r_a, double *r_s)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += exp(s[i]);
    }
    for (size_t i = 0; i < n; i++) {
        r_s[i] = 0.0;
        for (size_t b = 0; b < n; b++) { /* derivative of output b with respect to logit i, times the logit */
            const double a_i = exp(s[i]) / sum, a_b = exp(s[b]) / sum, slope = a_i * ((i == b) - a_b);
            r_s[i] += s[i] * slope * r_a[b] / a_b;
        }
    }
}

/* M_ab = S_a dA_b/dS_a; dA_b/dS_b = A_b sum over the others of A, so that nothing cancels. */
static double softmax_term(size_t n, const double *s, size_t a, size_t b)
{
    double sum = 0.0, others = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += exp(s[i]);
        others += i == b ? 0.0 : exp(s[i]);
    }
    return s[a] * exp(s[b]) / sum * (a == b ? others : -exp(s[a])) / sum;
}

void naive_softmax_z_plus(size_t n, double eps, bool bias, const double *s, const double *r_a, double *r_s)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += exp(s[i]);
        r_s[i] = 0.0;
    }
    for (size_t b = 0; b < n; b++) {
        double positive = 0.0, all = 0.0;
        for (size_t a = 0; a < n; a++) {
            const double m = softmax_term(n, s, a, b);
            positive += fmax(m, 0.0);
            all += m;
        }
        positive += bias ? fmax(exp(s[b]) / sum - all, 0.0) : 0.0;
        for (size_t a = 0; a < n; a++) {
            r_s[a] += fmax(softmax_term(n, s, a, b), 0.0) * r_a[b] / naive_stabilise(positive, eps);
        }
    }
}

void naive_qk_rule(size_t tq, size_t t, size_t d, double scale, double eps, const double *q, const double *k,
                   const double *r_s, double *r_q, double *r_k)
{
    memset(r_q, 0, tq * d * sizeof *r_q);
    memset(r_k, 0, t * d * sizeof *r_k);
    for (size_t i = 0; i < tq; i++) {
        for (size_t l = 0; l < t; l++) {
            double s = 0.0;
            for (size_t j = 0; j < d; j++) {
                s += scale * q[i * d + j] * k[l * d + j];
            }
            for (size_t j = 0; j < d; j++) {
                const double share =
                    scale * q[i * d + j] * k[l * d + j] * r_s[i * t + l] / naive_stabilise(2.0 * s, eps);
                r_q[i * d + j] += share;
                r_k[l * d + j] += share;
            }
        }
    }
}
