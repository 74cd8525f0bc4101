#ifndef NN_BUILDER_H
#define NN_BUILDER_H
/* What an architecture builds a graph with. The first failure sticks: calls after it do nothing and return node 0, so that an
 * architecture reads as a plain list of layers; graph_build() reports it. */
#include "nn/arch.h"
#include "nn/op.h"

const tensors *builder_tensors(const builder *b);
bool builder_failed(const builder *b);
void builder_fail(builder *b, status st); /* st was recorded by FAIL */

/* Takes the tensor `name` and marks it used; must have exactly this shape (a dimension of 0 matches any and is returned in *found).
 * NULL after a failure. */
const float *builder_take(builder *b, const char *name, size_t rank, const size_t dim[], size_t found[]);
bool builder_has(const builder *b, const char *name);
void builder_ignore(builder *b, const char *name); /* known and not needed */

node_id builder_input(builder *b, shape s);
/* Adds a node; shapes are inferred and checked by the op. `attr` is copied. */
node_id builder_add(builder *b, const struct op_def *op, const char *name, size_t n_in, const node_id in[], const void *attr,
                    size_t attr_bytes, const float *weight, size_t n_weight, const float *bias, size_t n_bias);
void builder_prunable(builder *b, node_id id, component_kind kind, size_t n); /* in module order */
void builder_group(builder *b, node_id id, depth_group group);
shape builder_shape(const builder *b, node_id id);
arena *builder_arena(builder *b);

/* Convolution with the batch norm that follows it folded in (attribution.md, section b); `norm` NULL: none.
 * Reads <name>.weight [out,in/groups,kh,kw], <name>.bias if `bias`, <norm>.{weight,bias,running_mean,running_var}. Not marked prunable. */
node_id builder_conv(builder *b, node_id in, const char *name, const char *norm, bool bias, size_t stride, size_t padding);
/* Linear layer <name>.weight [out,in], <name>.bias [out]. */
node_id builder_linear(builder *b, node_id in, const char *name);

#endif
