#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H
/* The kernels that cost time, behind one small table, so that the rest of the engine does not know which library runs them.
 * Arrays are fp32, row-major, one sample after the other. Kernels never allocate: the caller brings `work` of the stated size.
 * One thread per rank: backend_start() sees to it.
 *
 * Slot law: what a kernel computes for a sample has the same bits in every slot of a batch and for every batch size. */
#include <stddef.h>

#include "core/status.h"

typedef struct conv_shape {
    size_t in_channels, out_channels, groups;
    size_t in_height, in_width, out_height, out_width;
    size_t kernel[2], stride[2], padding[2], dilation[2];
} conv_shape;

typedef struct backend_def {
    const char *name, *help;
    status (*start)(void);                         /* fixes thread counts, takes what the library needs; ST_ENVIRONMENT */
    const char *(*version)(void);                  /* of the library and the kernels it chose; static text */
    size_t (*conv_workspace)(const conv_shape *s); /* floats */
    /* z [batch,out_channels,oh,ow] = x * w (+ bias if not NULL); w [out_channels,in_channels/groups,kh,kw] */
    void (*conv_forward)(const conv_shape *s, size_t batch, const float *w, const float *bias, const float *x, float *z,
                         float *work);
    /* r [batch,in_channels,ih,iw] = transposed convolution of s, to the exact input size */
    void (*conv_adjoint)(const conv_shape *s, size_t batch, const float *w, const float *sz, float *r, float *work);
    /* z [batch,rows,out] = x [batch,rows,in] w' (+ bias); w [out,in] */
    void (*linear_forward)(size_t batch, size_t rows, size_t in, size_t out, const float *w, const float *bias,
                           const float *x, float *z);
    void (*linear_adjoint)(size_t batch, size_t rows, size_t in, size_t out, const float *w, const float *s, float *r);
    /* c [m,n] = alpha a b, leading dimensions in elements; `at`/`bt`: the operand is stored transposed. One sample a call. */
    void (*gemm)(int at, int bt, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc);
} backend_def;

extern const backend_def *const backend_table[]; /* from backends.def */
extern const size_t backend_count;
const backend_def *backend_default(void);
size_t backend_conv_workspace(const conv_shape *s); /* floats that suffice for every backend */

#endif
