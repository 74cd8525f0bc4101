#ifndef SUPPORT_MADE_H
#define SUPPORT_MADE_H
/* A checkpoint that is put together tensor by tensor. Everything fails the running test where it does not work. */
#include "support/support.h"

#include "nn/graph.h"
#include "nn/tensors.h"

enum { MADE_ROOM = 400 };
typedef struct made {
    arena *arena;
    tensors t;
    tensor list[MADE_ROOM];
} made;

made *made_open(arena *a);
/* Random numbers in [low, high), or `data`. */
void made_put(made *m, const char *name, size_t rank, const size_t dim[], double low, double high, const float *data);
void made_put_conv(made *m, const char *conv, const char *norm, size_t out, size_t in, size_t k, const float *weight);
/* A CIFAR ResNet: `blocks` blocks a stage, widths w, 2w, 4w. explicit_shortcuts: option A written out as a convolution. */
made *made_cifar_net(arena *a, size_t blocks, size_t w, bool explicit_shortcuts);
const graph *made_build(const made *m);

#endif
