#include "nn/images.h"

#include <string.h>

#include "core/vector.h"

size_t images_floats(shape s, size_t block)
{
    return s.rank == 3 ? (s.dim[0] + block - 1) / block * block * s.dim[1] * s.dim[2] : shape_count(s);
}

VECTOR_KERNEL
static void store_block(size_t plane, size_t lanes, size_t block, const float *restrict plain, float *restrict stored)
{
    for (size_t i = 0; i < plane; i++) {
        for (size_t l = 0; l < lanes; l++) {
            stored[i * block + l] = plain[l * plane + i];
        }
        for (size_t l = lanes; l < block; l++) {
            stored[i * block + l] = 0.0f;
        }
    }
}

VECTOR_KERNEL
static void load_block(size_t plane, size_t lanes, size_t block, const float *restrict stored, float *restrict plain)
{
    for (size_t l = 0; l < lanes; l++) {
        for (size_t i = 0; i < plane; i++) {
            plain[l * plane + i] = stored[i * block + l];
        }
    }
}

static size_t lanes_from(size_t channels, size_t first, size_t block)
{
    return channels - first < block ? channels - first : block;
}

void images_store(size_t batch, shape s, size_t block, const float *plain, float *stored)
{
    if (s.rank != 3 || block == 1) {
        memcpy(stored, plain, batch * shape_count(s) * sizeof *stored);
        return;
    }
    const size_t plane = s.dim[1] * s.dim[2];
    for (size_t b = 0; b < batch; b++) {
        for (size_t c = 0; c < s.dim[0]; c += block, stored += block * plane) {
            store_block(plane, lanes_from(s.dim[0], c, block), block, plain + (b * s.dim[0] + c) * plane, stored);
        }
    }
}

void images_load(size_t batch, shape s, size_t block, const float *stored, float *plain)
{
    if (s.rank != 3 || block == 1) {
        memcpy(plain, stored, batch * shape_count(s) * sizeof *plain);
        return;
    }
    const size_t plane = s.dim[1] * s.dim[2];
    for (size_t b = 0; b < batch; b++) {
        for (size_t c = 0; c < s.dim[0]; c += block, stored += block * plane) {
            load_block(plane, lanes_from(s.dim[0], c, block), block, stored, plain + (b * s.dim[0] + c) * plane);
        }
    }
}
