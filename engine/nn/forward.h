#ifndef NN_FORWARD_H
#define NN_FORWARD_H
/* A planned run of a graph over micro-batches of one size: all buffers are laid out once, nothing is allocated while running. */
#include "nn/graph.h"
#include "nn/op.h"

typedef struct forward forward;

typedef enum forward_keep {
    KEEP_LOGITS, /* buffers are reused as soon as their last reader ran */
    KEEP_ALL     /* every node's output and saved state stays, for the relevance walk */
} forward_keep;

MUST_CHECK status forward_build(arena *a, const graph *g, const backend_def *backend, size_t batch, forward_keep keep,
                                forward **out);

/* images [batch, input]; alive [g->n_components] (1 = kept) or NULL = nothing pruned. */
void forward_run(forward *f, const float *images, const uint8_t *alive);

const float *forward_logits(const forward *f);             /* [batch, n_classes]; valid until the next run */
const float *forward_output(const forward *f, node_id id); /* KEEP_ALL, or the last node */
const float *forward_saved(const forward *f, node_id id);
/* What forward_build will take for activations; SIZE_MAX where it would fail. */
size_t forward_bytes(const graph *g, size_t batch, forward_keep keep);

#endif
