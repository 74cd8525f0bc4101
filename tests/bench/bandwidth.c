#include "bench/bandwidth.h"

#include "bench/clock.h"

enum { FLOATS = 16 << 20, ROUNDS = 8 };

static void triad(size_t n, float *restrict a, const float *restrict b, const float *restrict c, float s)
{
    for (size_t i = 0; i < n; i++) {
        a[i] = b[i] + s * c[i];
    }
}

status bandwidth_measure(arena *scratch, double *out)
{
    float *a, *b, *c;
    volatile float s = 0.5f, sink; /* not known to the compiler */
    TRY_ALLOC(a, scratch, FLOATS);
    TRY_ALLOC(b, scratch, FLOATS);
    TRY_ALLOC(c, scratch, FLOATS);
    for (size_t i = 0; i < FLOATS; i++) { /* pages that were never written are all one page of zeros */
        a[i] = 1.0f;
        b[i] = (float)(i % 7);
        c[i] = (float)(i % 5);
    }
    *out = 0.0;
    for (int round = 0; round < ROUNDS; round++) {
        const double started = clock_processor();
        triad(FLOATS, a, b, c, s);
        const double rate = 3.0 * sizeof *a * FLOATS / (clock_processor() - started);
        sink = a[round];
        *out = rate > *out ? rate : *out;
    }
    (void)sink;
    arena_release(scratch);
    return STATUS_OK;
}
