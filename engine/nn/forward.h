#ifndef NN_FORWARD_H
#define NN_FORWARD_H
/* A planned run of a graph over micro-batches of one size: all buffers are laid out once, nothing is allocated while running. */
#include "nn/graph.h"
#include "nn/op.h"
#include "nn/weights.h"

typedef struct forward forward;

typedef enum forward_keep {
    KEEP_LOGITS, /* buffers are reused as soon as their last reader ran; every fusion is done */
    KEEP_WALK,   /* what the relevance walk reads stays: outputs and saved state of all nodes, but where a ReLU is fused (relu_allowed) its
                  * input's place holds the ReLU's output too. No masks */
    KEEP_ALL     /* every node's own output and saved state */
} forward_keep;

MUST_CHECK status forward_build(arena *a, const graph *g, const backend_def *backend, size_t batch, forward_keep keep,
                                forward **out);
/* KEEP_LOGITS; winograd: by Winograd's algorithm where the backend has it. */
MUST_CHECK status forward_build_for_logits(arena *a, const graph *g, const backend_def *backend, size_t batch, bool winograd,
                                           forward **out);
/* KEEP_WALK; relu_allowed [n_nodes]: which ReLUs may be fused. `weights`: where the weights in the kernels' order are wanted; NULL: in `a`. */
MUST_CHECK status forward_build_for_walk(arena *a, const graph *g, const backend_def *backend, size_t batch,
                                         const bool relu_allowed[], weight_list *weights, forward **out);

/* images [batch, input] in plain order; alive [g->n_components] (1 = kept) or NULL = nothing pruned. */
void forward_run(forward *f, const float *images, const uint8_t *alive);

const float *forward_logits(const forward *f);             /* [batch, n_classes]; valid until the next run */
const float *forward_output(const forward *f, node_id id); /* as stored (nn/images.h); not with KEEP_LOGITS, but for the last node */
const float *forward_saved(const forward *f, node_id id);
/* What a layer's components are: its output, or for heads the attention, which it saves. [batch, ...] as stored. */
float *forward_component(const forward *f, node_id id);
/* Runs what comes behind a node again, after forward_component() of this node was written over: all else is as it was. Not with
 * KEEP_LOGITS, and the node must not be fused with the one before. */
void forward_run_behind(forward *f, node_id id);
/* The product that a node is, for whoever prepares more passes of it. */
void forward_product_shape(const graph *g, node_id id, conv_shape *out);
/* Channels in a block of a node's output where that is an image: the backend's, or 1 for images that come in and are read as they are. */
size_t forward_block(const graph *g, const backend_def *backend, node_id id);
/* For tests and audits: a node's output [batch, out] in plain order. */
void forward_read(const forward *f, node_id id, float *out);
/* What forward_build will take for activations, scratch and weights of its own; SIZE_MAX where it would fail. */
size_t forward_bytes(const graph *g, const backend_def *backend, size_t batch, forward_keep keep);
/* With `weights`, those are not in it but counted there. */
size_t forward_bytes_for_walk(const graph *g, const backend_def *backend, size_t batch, const bool relu_allowed[], weight_list *weights);
size_t forward_bytes_for_logits(const graph *g, const backend_def *backend, size_t batch, bool winograd);
/* Which layers of forward_build_for_logits(.winograd) are by Winograd's algorithm; *layers [*n], ascending, in `a`. */
MUST_CHECK status forward_winograd_layers(arena *a, const graph *g, const backend_def *backend, size_t batch, size_t *n,
                                          const node_id **layers);
size_t forward_taken(const forward *f); /* the same of one that is built */

#endif
