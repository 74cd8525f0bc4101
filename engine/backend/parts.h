#ifndef BACKEND_PARTS_H
#define BACKEND_PARTS_H
/* Parts of weights by their sign, see conv_pass. */
#include "backend/backend.h"

/* A block [rows,columns] of a matrix with rows of `stride` elements -> out, whose rows have `out_stride`. */
void part_of_block(weight_part p, size_t rows, size_t columns, const float *w, size_t stride, float *out,
                   size_t out_stride);

static inline size_t parts_of(conv_pass pass)
{
    return pass.n_parts == 0 ? 1 : pass.n_parts;
}

static inline weight_part part_at(conv_pass pass, size_t i)
{
    return pass.n_parts == 0 ? (weight_part){1.0f, 1.0f} : pass.part[i];
}

static inline float part_of(weight_part p, float v)
{
    return v * (v > 0.0f ? p.positive : p.negative);
}

#endif
