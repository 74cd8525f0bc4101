#ifndef SUPPORT_NAIVE_H
#define SUPPORT_NAIVE_H
/* Naive twins of the kernels: loops as in the formulas of the layers, in double, nothing shared with the engine but shapes.
 * Arrays as there: [batch, ...] row-major. Relevance rules after the stabiliser st(z) = z + eps for z >= 0, else z - eps. */
#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"

double naive_stabilise(double z, double eps);
double naive_gelu(double x);

/* w [out,in/groups,kh,kw], bias or NULL */
void naive_conv(const conv_shape *s, size_t batch, const float *w, const float *bias, const float *x, double *z);
void naive_linear(size_t rows, size_t in, size_t out, const float *w, const float *bias, const float *x, double *z);
/* Square windows; z and the winner's place in its plane, [planes,oh,ow] */
void naive_maxpool(size_t planes, const size_t in[2], const size_t out[2], size_t kernel, size_t stride, size_t padding,
                   const double *x, double *z, size_t *winner);
void naive_avgpool(size_t planes, const size_t in[2], const size_t out[2], const double *x, double *z);
void naive_layernorm(size_t rows, size_t features, double eps, const float *w, const float *b, const double *x,
                     double *y);

/* One head: q [tq,d], k, v [t,d] -> attention [tq,t], out [tq,d] */
void naive_attention(size_t tq, size_t t, size_t d, const double *q, const double *k, const double *v, double *logits,
                     double *attention, double *out);
/* y = a v, attention rule with the factor `shares`, 2 or 1:  a [tq,t], v [t,d], r_y [tq,d] -> r_a, r_v */
void naive_av_rule(size_t tq, size_t t, size_t d, double shares, double eps, const double *a, const double *v,
                   const double *r_y, double *r_a, double *r_v);
/* a = softmax(s) of one row [n]: input times gradient; and shares of its positive terms, from the matrix of all terms, with the virtual bias
 * or without */
void naive_softmax_epsilon(size_t n, const double *s, const double *r_a, double *r_s);
void naive_softmax_z_plus(size_t n, double eps, bool bias, const double *s, const double *r_a, double *r_s);
/* s = q k' scale, attention rule with the factor 2 */
void naive_qk_rule(size_t tq, size_t t, size_t d, double scale, double eps, const double *q, const double *k,
                   const double *r_s, double *r_q, double *r_k);

#endif
