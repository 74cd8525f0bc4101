#ifndef SUPPORT_CHECKPOINT_H
#define SUPPORT_CHECKPOINT_H
/* A checkpoint with random weights, in memory. The first failure sticks; calls after it do nothing. */
#include "core/arena.h"
#include "nn/tensors.h"

/* How a tensor is filled. All are uniform. */
typedef enum fill {
    FILL_WEIGHTS, /* around 0, variance 2 / inputs: a ReLU network keeps the size of its activations */
    FILL_ONES,    /* [0.5, 1.5): scales and variances of norms */
    FILL_SMALL    /* [-0.1, 0.1): biases, means, positions */
} fill;

typedef struct checkpoint {
    arena *a; /* borrowed */
    status st;
    size_t n, room;
    tensor *list;
} checkpoint;

/* `name` is a format for what follows; dim [4] is given up to the first 0. */
#define ADD(c, kind, d0, d1, d2, d3, ...) checkpoint_add((c), (kind), (const size_t[4]){d0, d1, d2, d3}, __VA_ARGS__)
void checkpoint_add(checkpoint *c, fill kind, const size_t dim[4], const char *name, ...) PRINTF_LIKE(4, 5);

#endif
