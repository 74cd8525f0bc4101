#ifndef NN_ARCH_H
#define NN_ARCH_H
/* The architecture family: one file each in nn/archs/, listed in nn/archs/archs.def. An architecture knows the names of its tensors
 * and wires the nodes; depth, widths and patch size come from the tensors, what shapes cannot tell from the facts. */
#include "nn/graph.h"
#include "nn/tensors.h"

typedef struct builder builder; /* nn/builder.h */

typedef struct arch_def {
    const char *name, *help;
    bool (*recognises)(const tensors *t); /* by characteristic tensor names */
    status (*build)(builder *b);          /* adds nodes; ends with the logits */
} arch_def;

extern const arch_def *const arch_table[];
extern const size_t arch_count;

/* Builds the network of a checkpoint. The architecture is the fact `arch` (its family: "vgg_bn" and "vgg" are one) or recognised.
 * Facts used: arch, num_heads, input ("3x16x16") or image_size, classes. Every tensor must be used and fit; num_batches_tracked may be left.
 * Weights are checked to be finite and copied (folded) into `a`; `t` is borrowed for the call.
 * Errors: ST_DATA naming the tensor with expected and found shape, or the missing fact and where to state it. */
MUST_CHECK status graph_build(arena *a, const tensors *t, const graph **out);

#endif
