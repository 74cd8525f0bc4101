#ifndef ATTRIBUTION_METHODS_NOISE_H
#define ATTRIBUTION_METHODS_NOISE_H
/* Images with Gaussian noise that is a function of (sample, draw, pixel) alone: of neither slot, nor neighbours, nor ranks. */
#include <stddef.h>
#include <stdint.h>

/* out = x + N(0, (deviation (max x - min x))^2), all [n]; independent in every pixel and draw. */
void noise_add(size_t n, const float *x, double deviation, uint64_t sample, uint32_t draw, float *out);

#endif
