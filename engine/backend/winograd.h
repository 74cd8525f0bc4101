#ifndef BACKEND_WINOGRAD_H
#define BACKEND_WINOGRAD_H
/* Convolutions of 3x3 at stride 1 by Winograd's algorithm, F(4x4, 3x3) of Lavin and Gray 2015 (arXiv:1509.09308), section 4.3: of every 4x4 outputs, 36
 * products instead of 144. Images in blocks of 16 channels, of which the inputs are taken one by one, as many as there are. AVX-512 only.
 *
 * What a sample comes to depends on nothing but the sample: not on its slot, its place in a block of tiles or the micro-batch. A dead output is 0, or
 * what was there before where the pass adds: exactly, also where the transform of a finite input overflows. */
#include "backend/backend.h"

/* Forward, 3x3, stride and dilation 1, one group, no parts; false also without AVX-512. */
bool winograd_possible(const conv_shape *s, conv_pass pass);

/* Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status winograd_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out);

#endif
