#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H
/* Seconds: on the wall, and those in which this process really had a processor. */
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

#endif
