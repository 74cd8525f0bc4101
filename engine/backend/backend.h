#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H
/* The kernels that cost time, behind one small table, so that the rest of the engine does not know which library runs them: a
 * convolution or linear layer is prepared for its shape once and then run on micro-batches of that size. fp32; running never allocates:
 * the caller brings `work` of the stated size. One thread per rank: start() sees to it.
 *
 * Images [C,H,W] between layers are stored in blocks of channels, [ceil(C/block),H,W,block], where lanes beyond C hold 0; with
 * block 1 that is the plain order. Tokens and features are always plain. nn/images.h goes from one to the other.
 *
 * Slot law: what a kernel computes for a sample has the same bits in every slot of a micro-batch. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

enum { MAX_BLOCK = 16 }; /* blocks are of 1, 8 or 16 channels */

/* A linear layer on rows [rows,in] -> [rows,out] is the convolution with channels in -> out, a plane of rows x 1 and a 1x1 kernel. */
typedef struct conv_shape {
    size_t in_channels, out_channels, groups;
    size_t in_height, in_width, out_height, out_width;
    size_t kernel[2], stride[2], padding[2], dilation[2];
    bool rows;        /* a linear layer: arrays are [rows,channels] instead of images in blocks */
    bool plain_input; /* the input image is in plain order whatever the block: the first layer of a network */
} conv_shape;

/* Of every weight and bias v: positive max(v,0) + negative min(v,0). {1,1} is v itself, {1,0} and {0,1} are its parts, {1,-1} is |v|. */
typedef struct weight_part {
    float positive, negative;
} weight_part;
enum { MAX_PARTS = 2 };

typedef struct conv_pass {
    bool adjoint; /* the transpose without bias: from the output's shape to the input's. bias, add and relu are 0 then */
    bool bias;
    bool add;  /* output += instead of = */
    bool relu; /* max(., 0) at the end, after `add` */
    bool winograd; /* Winograd's algorithm where the backend has it for the shape, which rounds more; else the direct one, bit for bit */
    bool quick;    /* kernels of our own may stand in for the library's, where they are quicker: other last bits (narrow.h, row.h) */
    /* Parts of the weights instead of the weights; pack() and run() are given these as ever. With two parts there are two outputs, sample for
     * sample and row for row the second behind the first (images: each in whole blocks): what comes out, or, of the adjoint, what goes
     * in, and then the sum of both products comes out. Two parts need groups = 1. Parts are always direct. */
    size_t n_parts; /* 0: the weights themselves */
    weight_part part[MAX_PARTS];
} conv_pass;

/* One pass made ready for one shape and micro-batch. Lives in the arena given to prepare(). */
typedef struct conv_plan conv_plan;
struct conv_plan {
    const char *kernel; /* which code runs it, for the curious */
    size_t n_work;      /* floats */
    size_t n_packed;    /* floats of weights and bias in the order that run() reads; 0: run() takes them as they are */
    bool winograd;      /* it is Winograd's algorithm */
    /* w [out_channels,in_channels/groups,kh,kw], bias [out_channels] or NULL; alive [out_channels] or NULL = all: what makes a dead
     * output is taken as 0. NULL where n_packed is 0. */
    void (*pack)(const conv_plan *p, const float *w, const float *bias, const uint8_t *alive, float *packed);
    /* Another mask for what pack() has packed. NULL: to pack again is quicker. */
    void (*mask)(const conv_plan *p, const uint8_t *alive, float *packed);
    void (*run)(const conv_plan *p, const float *w, const float *bias, const float *in, float *out, float *work);
};

typedef struct backend_def {
    const char *name, *help;
    bool winograd;                  /* has Winograd's algorithm, for some shapes on some processors */
    status (*start)(void);          /* before anything else; again is fine. Fixes thread counts, OpenBLAS's in every backend */
    const char *(*version)(void);   /* of the library and the kernels it chose; static text */
    size_t (*block)(void);          /* channels in a block of an image */
    status (*prepare)(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out);
    /* c [m,n] = alpha a b, leading dimensions in elements; `at`/`bt`: the operand is stored transposed. One sample a call. */
    void (*gemm)(int at, int bt, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc);
} backend_def;

extern const backend_def *const backend_table[]; /* from backends.def */
extern const size_t backend_count;
const backend_def *backend_default(void);
const backend_def *backend_find(const char *name); /* NULL: no such backend in this build */
const char *backend_name(size_t i);                /* of all backends that there are, built in or not; NULL behind the last */

#endif
