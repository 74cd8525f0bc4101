#include "attribution/walk_sums.h"

#include <math.h>

enum { LANES = 8, COLUMNS = 64 };

/* Eight partial sums that are added at the end: a fixed order that a compiler can run in parallel. */
static double sum(size_t n, const float *restrict x)
{
    double lane[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            lane[k] += (double)x[i + k];
        }
    }
    double rest = 0.0;
    for (; i < n; i++) {
        rest += (double)x[i];
    }
    for (size_t k = 0; k < LANES; k++) {
        rest += lane[k];
    }
    return rest;
}

void sums_of_maps(size_t n, size_t space, const float *restrict r, float *restrict absolute, float *restrict with_sign)
{
    for (size_t c = 0; c < n; c++) {
        with_sign[c] = (float)sum(space, r + c * space);
        absolute[c] = fabsf(with_sign[c]);
    }
}

/* At most COLUMNS components at once, so that the sums stay in registers or the nearest cache. */
static void sum_columns(size_t tokens, size_t n, size_t width, const float *restrict r, float *restrict absolute,
                        float *restrict with_sign)
{
    double magnitude[COLUMNS] = {0.0}, value[COLUMNS] = {0.0};
    for (size_t t = 0; t < tokens; t++) {
        for (size_t c = 0; c < width; c++) {
            magnitude[c] += (double)fabsf(r[t * n + c]);
            value[c] += (double)r[t * n + c];
        }
    }
    for (size_t c = 0; c < width; c++) {
        absolute[c] = (float)magnitude[c];
        with_sign[c] = (float)value[c];
    }
}

void sums_of_tokens(size_t tokens, size_t n, const float *restrict r, float *restrict absolute,
                    float *restrict with_sign)
{
    for (size_t c = 0; c < n; c += COLUMNS) {
        sum_columns(tokens, n, n - c < COLUMNS ? n - c : COLUMNS, r + c, absolute + c, with_sign + c);
    }
}
