#ifndef PRUNING_CRITERION_H
#define PRUNING_CRITERION_H
/* The family of criteria: one file each in pruning/criteria/, listed in criteria.def. One contract for all:
 * a criterion of samples gives per sample a row [moment, component]; rows are summed exactly over the reference samples (engine knows no
 * ranks), and finish() turns the sums into a score per component, higher = keep. A criterion without samples gives the scores at once. */
#include "core/arena.h"
#include "core/field.h"
#include "core/status.h"
#include "nn/forward.h"
#include "nn/graph.h"

struct composite; /* attribution/composite.h */

typedef struct criterion_setup {
    const graph *graph;
    const backend_def *backend;
    size_t batch;            /* micro-batch */
    const double *parameters; /* in the order of the fields */
} criterion_setup;

typedef struct criterion_def {
    const char *name, *help;
    const field *fields;
    size_t n_fields;
    bool uses_samples;  /* else scores() */
    bool uses_seed;     /* scores depend on the seed (random) */
    size_t n_moments;
    const char *const *moments; /* names, for the results */
    status (*open)(arena *a, const criterion_setup *s, void **state);
    status (*bytes)(const criterion_setup *s, size_t *out); /* what open() will take; its errors */
    /* images [batch, input], target [batch], rows [batch, n_moments, n_components] */
    void (*rows)(void *state, const float *images, const size_t target[], float *rows);
    /* sums [n_moments, n] of n_samples rows -> score [n] */
    void (*finish)(const double *parameters, size_t n, size_t n_samples, const double *sums, double *score);
    void (*scores)(const criterion_setup *s, uint64_t seed, double *score); /* [graph->n_components] */
    /* The relevance rule of every layer, as open() takes it; NULL for criteria without a relevance walk. */
    status (*composite)(arena *a, const double *parameters, const struct composite **out);
} criterion_def;

extern const criterion_def *const criterion_table[];
extern const size_t criterion_count;
const criterion_def *criterion_find(const char *name); /* NULL if unknown */

enum { MAX_CRITERION_PARAMETERS = 8 };

#endif
