#ifndef NN_IMAGES_H
#define NN_IMAGES_H
/* Arrays in memory: images [C,H,W] between layers lie in blocks of channels, [ceil(C/block),H,W,block], lanes beyond C being 0 (see
 * backend/backend.h); shapes of other rank are plain. One sample after the other. */
#include "nn/graph.h"

size_t images_floats(shape s, size_t block); /* of one sample, padding lanes included */

/* plain [batch, s] -> stored, and back. */
void images_store(size_t batch, shape s, size_t block, const float *plain, float *stored);
void images_load(size_t batch, shape s, size_t block, const float *stored, float *plain);

#endif
