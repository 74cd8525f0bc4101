#ifndef NN_BUILDER_H
#define NN_BUILDER_H
/* What an architecture builds a graph with. The first failure sticks: calls after it do nothing and return node 0, so that an
 * architecture reads as a plain list of layers; graph_build() reports it. */
#include "nn/arch.h"
#include "nn/op.h"
#include "nn/weights.h"

/* Rank-local and short-lived: made and read by graph_build(). */
MUST_CHECK status builder_open(arena *a, const tensors *t, weight_block *weights, builder **out);
/* The finished graph, or the first failure. Every tensor must have been taken or ignored; the last node gives the logits. */
MUST_CHECK status builder_close(builder *b, const char *architecture, const graph **out);

const tensors *builder_tensors(const builder *b);
bool builder_failed(const builder *b);
void builder_fail(builder *b, status st); /* st was recorded by FAIL */
/* A name, and zeroed memory, that belong to the graph; "" and NULL after a failure. */
const char *builder_text(builder *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *builder_alloc(builder *b, size_t n, size_t size);

/* Whether this rank writes the weights; else it must not, and what they are is not known here yet. */
bool builder_fills(const builder *b);
/* Zeroed floats among the graph's weights; NULL after a failure. */
float *builder_weights(builder *b, size_t n);
/* Takes the tensor `name` and marks it used; must have exactly this shape (a dimension of 0 matches any and is returned in found[],
 * which may be NULL) and finite numbers. A copy that belongs to the graph, so that it may be changed by who fills; NULL after a failure. */
float *builder_take(builder *b, const char *name, size_t rank, const size_t dim[], size_t found[]);
bool builder_has(const builder *b, const char *name);
void builder_ignore(builder *b, const char *name); /* known and not needed */
/* One more than the largest n for which there is a tensor <prefix><n>.*, so that a gap in the numbers is found as a missing tensor;
 * 0 where there is none. Only tensors of this rank; 0 = any. */
size_t builder_index_end(const builder *b, const char *prefix, size_t rank);
/* Facts that shapes cannot tell. *out stays where the fact is absent; false then and after a failure. */
bool builder_count(builder *b, const char *name, size_t *out);
bool builder_real(builder *b, const char *name, double *out);
bool builder_size(builder *b, const char *name, size_t out[2]);
/* The images of a network whose first tensor `first` [out,channels,kh,kw] tells the channels; their size is the fact image_size, else
 * `otherwise` [2], else (NULL) refused with a hint where to state it. */
node_id builder_images(builder *b, const char *first, const size_t otherwise[2]);
/* 224x224 where the first and the last layer's weights have the widths of the networks published for ImageNet (64 filters, 1000 classes):
 * files without facts are of those. NULL for others. */
const size_t *builder_published_size(const builder *b, const char *first, const char *last);

/* Adds a node; shapes are inferred and checked by the op. `attr` is copied; weight and bias belong to the graph (builder_take). */
node_id builder_add(builder *b, const struct op_def *op, const char *name, size_t n_in, const node_id in[],
                    const void *attr, size_t attr_bytes, const float *weight, size_t n_weight, const float *bias,
                    size_t n_bias);
/* One input, no attributes, no weights. */
node_id builder_simple(builder *b, const struct op_def *op, const char *name, node_id in);
void builder_prunable(builder *b, node_id id, component_kind kind, size_t n); /* in module order */
void builder_norm_scale(builder *b, node_id id, const float *scale); /* of the batch norm that is folded into a convolution */
void builder_group(builder *b, node_id id, depth_group group);
shape builder_shape(const builder *b, node_id id);

/* Convolution with the batch norm that follows it folded in (docs/attribution.md, section b). */
typedef struct conv_layer {
    const char *name; /* <name>.weight [out,in,kernel,kernel], <name>.bias if `bias` */
    const char *norm; /* <norm>.{weight,bias,running_mean,running_var}; NULL: none */
    bool bias;
    size_t kernel, stride, padding; /* square */
} conv_layer;
node_id builder_conv(builder *b, node_id in, const conv_layer *layer); /* not marked prunable */
/* Prunable convolution without bias and its norm, both named by suffixes of `prefix`; padded to keep the size where stride is 1. */
node_id builder_filters(builder *b, node_id in, depth_group group, const char *prefix, const char *conv, const char *norm,
                        size_t kernel, size_t stride);
/* The general rule of docs/attribution.md, section j: of L blocks the first quarter is low, the last quarter high, rounded so that 3
 * blocks are one of each. */
depth_group builder_block_group(size_t block, size_t blocks);
/* Linear layer `name` from the tensors <source>.weight [out,in], <source>.bias [out]. */
node_id builder_linear(builder *b, node_id in, const char *name, const char *source);

#endif
