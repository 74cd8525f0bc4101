#ifndef BENCH_NETWORKS_H
#define BENCH_NETWORKS_H
/* The networks that are measured, with random weights: made as a checkpoint in memory, then built like any other. */
#include "support/checkpoint.h"
#include "nn/graph.h"

typedef struct network_def {
    const char *name;
    void (*describe)(checkpoint *c, size_t size, size_t shrink); /* adds every tensor */
} network_def;

extern const network_def network_table[];
extern const size_t network_count;

/* Images of size x size pixels; all widths are divided by `shrink`, a power of 2 up to 16 (1: the real network).
 * The graph lives in `a`. Errors: ST_DATA where the size does not fit the network, ST_ENVIRONMENT (memory). */
MUST_CHECK status network_build(arena *a, const network_def *d, size_t size, size_t shrink, const graph **out);

/* NULL: there is no such network. */
const network_def *network_find(const char *name);

/* What `measure` makes of each of n networks, in their order, up to the first failure. Errors: its own; ST_USAGE (a name of none). */
MUST_CHECK status network_each(int n, char *names[], status (*measure)(void *context, const network_def *d), void *context);

/* *out [batch, of g's input]: random, in about the range of normalised pixels; in `a`. Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status network_images(arena *a, const graph *g, size_t batch, float **out);

#endif
