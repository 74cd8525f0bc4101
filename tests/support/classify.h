#ifndef SUPPORT_CLASSIFY_H
#define SUPPORT_CLASSIFY_H
/* From files to logits, as the program goes: image folder, decoding, preprocessing, checkpoint, facts, graph, forward pass; against logits
 * that PyTorch computed from the same files. */
#include "support/golden.h"

typedef struct classify_case {
    const char *checkpoint, *json; /* whole paths; json NULL: none */
    const char *images;            /* an image folder */
    size_t correct;                /* expected */
} classify_case;

/* Fails where a logit is farther from `expected` than 1e-4 (two float32 runs) of the largest, or the number of correct images is
 * another. */
void classify_check(const classify_case *c, const golden_array *expected);

#endif
