#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H
/* Seconds: on the wall, and those in which this process really had a processor; the median of such measurements. */
#include <stdlib.h>
#include <time.h>

static inline double clock_read(clockid_t id)
{
    struct timespec t = {0, 0};
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double clock_wall(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static inline double clock_processor(void)
{
    return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

static inline int clock_by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Leaves x in ascending order. */
static inline double clock_median(size_t n, double x[])
{
    qsort(x, n, sizeof *x, clock_by_size);
    return (x[(n - 1) / 2] + x[n / 2]) / 2.0;
}

#endif
