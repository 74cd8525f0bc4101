#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H
/* One measurement on all ranks, printed as JSON lines by rank 0: a line per rank and their mean. Fields:
 * docs/benchmarks.md. */
#include "parallel/comm.h"

/* The same on every rank. */
typedef struct report_case {
    const char *network, *what, *rule, *backend, *peak_isa;
    size_t batch, size, shrink, repeats;
    bool all_rows;
    double flops_per_image;
    size_t winograd_layers, masks;
    double off; /* largest difference of the logits to those of direct convolutions, of the largest; negative: not compared */
} report_case;

/* Of this rank. */
typedef struct report_numbers {
    double seconds_median, seconds_best; /* of one micro-batch */
    double processor_median;             /* seconds of it in which this rank had a processor */
    double processor;                    /* share of all measured time in which this rank had a processor */
    double peak;                         /* FLOP/s */
    double cpu;                          /* number of the processor that it is pinned to; -1: not pinned */
} report_numbers;

/* Collective. */
MUST_CHECK status report_print(comm *c, arena *scratch, const report_case *what, const report_numbers *mine);

#endif
