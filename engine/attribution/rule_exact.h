#ifndef ATTRIBUTION_RULE_EXACT_H
#define ATTRIBUTION_RULE_EXACT_H
/* Single outputs of a convolution or linear layer, from their own products in double: for the few whose sums cancel. */
#include "backend/backend.h"

typedef struct exact_layer {
    conv_shape shape;
    size_t in_block, out_block; /* channels in a block of the stored images */
    size_t in_floats;           /* of a sample as stored */
    const float *w, *bias;      /* of the layer; bias NULL: none */
} exact_layer;

/* Where an output lies: of row `row` (of a linear layer's tokens, else the sample), element `at`. */
typedef struct exact_place {
    size_t channel, y, x;
    const float *in; /* the sample's input, or a linear layer's row of it */
    size_t offset;   /* of that input in the whole array */
} exact_place;

exact_place exact_find(const exact_layer *l, const float *in, size_t row, size_t at);
/* Sums of its positive and its negative products, each with its part of the bias. */
void exact_sums(const exact_layer *l, const exact_place *p, double *agreeing, double *opposing);
/* r_in += w (agreeing where x w > 0, opposing where x w < 0): the quotients by x that this output hands on. */
void exact_add(const exact_layer *l, const exact_place *p, double agreeing, double opposing, float *r_in);

#endif
