#include "backend/parts.h"

#include "core/vector.h"

VECTOR_KERNEL
void part_of_block(weight_part p, size_t rows, size_t columns, const float *restrict w, size_t stride,
                   float *restrict out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            out[r * out_stride + c] = part_of(p, w[r * stride + c]);
        }
    }
}
