#include "attribution/heatmap.h"

#include <math.h>

void heatmap_fold(size_t channels, size_t pixels, const float *r, float *map)
{
    for (size_t i = 0; i < pixels; i++) {
        double sum = 0.0;
        for (size_t c = 0; c < channels; c++) {
            sum += (double)r[c * pixels + i];
        }
        map[i] = (float)sum;
    }
}

/* Squares of float32 and their sums stay within double's range, so nothing overflows; and the root of a square is exact. */
double heatmap_cosine(size_t n, const float *a, const float *b)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa == 0.0 || bb == 0.0 ? aa * bb : ab / sqrt(aa * bb);
}

heatmap_answer heatmap_ask(const float *logits, size_t n, const uint32_t classes[], size_t place)
{
    uint32_t best = 0;
    double sum = 0.0;
    for (uint32_t k = 0; k < n; k++) {
        const float y = logits[classes[k]];
        if (isnan(y)) {
            return (heatmap_answer){(double)logits[classes[place]], (double)NAN, NO_ANSWER};
        }
        best = y > logits[classes[best]] ? k : best;
    }
    for (size_t k = 0; k < n; k++) { /* less the largest: no exponential overflows */
        sum += exp((double)logits[classes[k]] - (double)logits[classes[best]]);
    }
    const double y = (double)logits[classes[place]];
    return (heatmap_answer){y, exp(y - (double)logits[classes[best]]) / sum, best};
}
