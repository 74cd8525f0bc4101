#ifndef BENCH_BANDWIDTH_H
#define BENCH_BANDWIDTH_H
/* How fast this core reads and writes memory: the other bound of a roofline beside the peak (bench/peak.h). */
#include "core/arena.h"

/* Bytes per second of a[i] = b[i] + s c[i] over three arrays of 64 MiB, which no cache holds: 12 bytes an element are counted, as STREAM does
 * (McCalpin 1995), though where the processor reads a line before it writes to it they are 16. The best of 8 rounds, in time of the processor, so
 * that whoever takes it away for a while does not count; the arrays lie in `a` and are given back. Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status bandwidth_measure(arena *a, double *out);

#endif
