#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H
/* The most fp32 multiply-adds that the core under this thread can do: what shares are taken of. */

typedef struct peak {
    const char *isa;         /* instruction set of the fastest loop: "avx512f", "avx2+fma", "baseline" */
    double flops_per_second; /* a multiply-add counts as 2 */
} peak;

/* Runs every loop that may be the fastest here, many times for about a millisecond, and keeps the best: neighbours and
 * clocks only ever make a repetition slower. Takes less than half a second. */
peak peak_measure(void);

#endif
