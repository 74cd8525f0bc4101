#ifndef SUPPORT_NETWORK_H
#define SUPPORT_NETWORK_H
/* A golden network with its six images, explained by criteria on the backend whose turn it is. */
#include "support/backends.h"
#include "support/golden.h"

#include "pruning/criterion.h"

enum { NETWORK_BATCH = 6 };

typedef struct network {
    arena *a, *work; /* of the network, and of what the functions below return */
    golden *file;
    const char *name;
    const graph *g;
    const float *images;
    size_t target[NETWORK_BATCH];
    uint64_t sample[NETWORK_BATCH];
} network;

void network_open(const char *name, network *n); /* "vit_tiny.h5" */
void network_close(network *n);
void network_forget(const network *n); /* what was returned so far */

criterion_setup network_setup(const network *n, const double parameters[]);
/* What a criterion writes for the images, [NETWORK_BATCH, *stride]; checks that it takes the memory that it says, and writes everything. */
const float *network_rows(const network *n, const criterion_def *c, const double parameters[], size_t *stride);
/* Scores of all components, rows summed exactly. */
const double *network_score(const network *n, const criterion_def *c, const double parameters[], uint64_t seed);
/* Logits of other images or of the network's own (NULL), [NETWORK_BATCH, n_classes]; weights may have been changed meanwhile. */
const float *network_logits(const network *n, const float *images);

double *network_doubles(const network *n, size_t count);

#endif
