#ifndef BACKEND_NARROW_H
#define BACKEND_NARROW_H
/* Direct convolutions of images in blocks of 16 channels that take as many input channels as there are. What pruning leaves of a layer is seldom a
 * whole number of blocks, and a kernel of whole blocks multiplies the padding lanes too: of 17 channels as many as of 32.
 *
 * Every output is bias + sum over blocks of input channels, then rows and columns of the kernel, then channels, in that order, one fused
 * multiply-add after the other: nothing depends on the slot, the place in the image or the micro-batch. AVX-512 only, and gcc only. */
#include "backend/backend.h"

/* Is it allowed, and quicker here than a kernel of whole blocks? By the shape alone: what depends on a clock would not give the same bits twice. */
bool narrow_pays(const conv_shape *s, conv_pass pass);

/* Forward, of images in blocks, groups and strides 1, without parts; on a processor with AVX-512, whether it pays or not. Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status narrow_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out);

#endif
