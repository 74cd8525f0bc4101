#ifndef BENCH_COMPARISON_H
#define BENCH_COMPARISON_H
/* What both sides of the comparison with PyTorch work on (compare_torch.sh): a folder with
 *   net.pth      a network as PyTorch saves it            images.f32  [n_images, C, H, W]
 *   labels.u32   [n_images] the class that is explained   model.json, if need be, what its tensors do not tell
 * and, made here for the other side,
 *   layers.txt   a line for each layer with components or weights: name, type, depth group, kind of its components, first of them, how many
 *   order.u32    [n_order] components of the curve's kind, in the order in which they are removed */
#include "nn/graph.h"

typedef struct comparison {
    const char *folder;
    const graph *whole, *g; /* as it is defined; with the rows that logits and scores need, as a study runs it */
    size_t n_images;
    const float *images;
    const size_t *label;
    size_t n_order;
    const size_t *order; /* filters, of a transformer neurons */
} comparison;

/* Everything lies in `a`. Errors: ST_NO_INPUT, ST_DATA. */
MUST_CHECK status comparison_open(arena *a, const char *folder, comparison *out);
/* Writes layers.txt and order.u32. Errors: ST_CANT_WRITE. */
MUST_CHECK status comparison_describe(arena *scratch, const comparison *c);
/* Writes FOLDER/pollard-NAME.NUMBER.f32. Errors: ST_CANT_WRITE. */
MUST_CHECK status comparison_write(arena *scratch, const comparison *c, const char *name, size_t number, size_t n, const float *x);

#endif
