#ifndef BENCH_PIN_H
#define BENCH_PIN_H
/* A processor of its own for every rank of a node. */
#include "parallel/comm.h"

/* Collective. Pins this process to one of the processors that it may use. *cpu is its number, or -1 where it cannot be
 * had for this rank alone: not on Linux, not allowed, or more ranks than processors (the process stays as it was). */
MUST_CHECK status pin_to_own_cpu(comm *c, arena *a, int *cpu);

#endif
