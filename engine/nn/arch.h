#ifndef NN_ARCH_H
#define NN_ARCH_H
/* The architecture family: one file each in nn/archs/, listed in nn/archs/archs.def. An architecture knows the names of its tensors
 * and wires the nodes; depth, widths and patch size come from the tensors, what shapes cannot tell from the facts. */
#include "nn/graph.h"
#include "nn/tensors.h"
#include "nn/weights.h"

typedef struct builder builder; /* nn/builder.h */

typedef struct arch_def {
    const char *name, *help;
    const char *const
        *variants; /* other values of the fact `arch` that mean this family ("vgg16_bn"); NULL-terminated */
    bool (*recognises)(const tensors *t); /* by characteristic tensor names */
    void (*build)(builder *b);            /* adds nodes; ends with the logits */
} arch_def;

extern const arch_def *const arch_table[];
extern const size_t arch_count;

/* Builds the network of a checkpoint. The architecture is the fact `arch` (its family: "vgg_bn" and "vgg" are one) or recognised.
 * Facts used: arch, num_heads, image_size, and where present bn_eps, ln_eps; num_classes, channels, patch_size and cfg are checked
 * against the tensors. Every tensor must be used and fit; num_batches_tracked may be left.
 * Weights are checked to be finite and copied (folded) into `a`; `t` is borrowed for the call.
 * Errors: ST_DATA naming the tensor with expected and found shape, or the missing fact and where to state it. */
MUST_CHECK status graph_build(arena *a, const tensors *t, const graph **out);

/* The same with the weights in a block of at least graph_weights() floats, which several ranks may see. Those that do not fill it need no
 * data in `t`; their graph is the same, and complete when those that do have succeeded. */
MUST_CHECK status graph_build_in(arena *a, const tensors *t, weight_block *weights, const graph **out);
size_t graph_weights(const tensors *t);

#endif
