#include "attribution/methods/noise.h"

#include <math.h>

#include "core/rng.h"

static double range(size_t n, const float *x)
{
    float low = x[0], high = x[0];
    for (size_t i = 1; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    return (double)high - (double)low;
}

/* Two normal numbers from two uniform ones (Box and Muller, 1958); 1 - u is in (0, 1]. */
static void two_normal(uint64_t sample, uint32_t draw, uint32_t pair, double out[2])
{
    double u[2];
    rng_uniform_pair(sample, RNG_NOISE, draw, pair, u);
    const double length = sqrt(-2.0 * log(1.0 - u[0])), turn = 6.283185307179586 * u[1];
    out[0] = length * cos(turn);
    out[1] = length * sin(turn);
}

void noise_add(size_t n, const float *x, double deviation, uint64_t sample, uint32_t draw, float *out)
{
    const double scale = deviation * range(n, x);
    for (size_t i = 0; i < n; i += 2) {
        double z[2];
        two_normal(sample, draw, (uint32_t)(i / 2), z);
        out[i] = (float)((double)x[i] + scale * z[0]);
        if (i + 1 < n) {
            out[i + 1] = (float)((double)x[i + 1] + scale * z[1]);
        }
    }
}
