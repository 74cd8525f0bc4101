#ifndef PRUNING_AGGREGATE_H
#define PRUNING_AGGREGATE_H
/* From a component's value r at every token of a sample to its score over the reference samples: one definition for every criterion of
 * samples. Positions of a map and keys of a query are summed with sign before; a convolution has one token (docs/attribution.md, section f).
 *
 *   absolute    score of a component
 *   token       sum over samples and tokens of |r|: what the reference does
 *   sample      sum over samples of |sum over tokens of r|
 *   sum         |sum over samples and tokens of r|
 *   never       sum over samples and tokens of r: the most negative go first
 *
 * A row is [moment, component] of a sample:
 *   AGGREGATE_ABSOLUTE  |r|, taken per token where `absolute` is token, else per sample
 *   AGGREGATE_SIGNED    sum over tokens of r
 *   AGGREGATE_SQUARE    s^2, s being the summand of the score (the first, or for sum and never the second): with the sums over n samples
 *                       the mean of s is S/n, its variance over samples (Q - S^2/n)/(n - 1)
 * With `normalise` s is divided by the norm of s over all components of the kind in that sample, so that every sample weighs the same. */
#include "core/field.h"
#include "nn/graph.h"

typedef enum aggregate_absolute { ABSOLUTE_TOKEN, ABSOLUTE_SAMPLE, ABSOLUTE_SUM, ABSOLUTE_NEVER } aggregate_absolute;
typedef enum aggregate_norm { NORM_NONE, NORM_L1, NORM_L2, NORM_MAX } aggregate_norm;

typedef struct aggregate {
    aggregate_absolute absolute;
    aggregate_norm normalise;
} aggregate;

enum { AGGREGATE_ABSOLUTE, AGGREGATE_SIGNED, AGGREGATE_SQUARE, AGGREGATE_MOMENTS };
extern const char *const aggregate_moments[]; /* names */

/* Completes rows whose first two moments are per token (attribution/walk_sums.h); rows [batch] are `stride` floats apart. */
void aggregate_rows(const aggregate *a, const graph *g, size_t batch, size_t stride, float *rows);
size_t aggregate_summand(const aggregate *a); /* which moment the score adds up over the samples */
/* sums [AGGREGATE_MOMENTS, n_components] of rows -> score [n_components], higher = keep. */
void aggregate_finish(const aggregate *a, size_t n_components, const double *sums, double *score);

extern const char *const aggregate_absolutes[], *const aggregate_norms[];

#define AGGREGATE_FIELD_ABSOLUTE(default_)                                                                             \
    {                                                                                                                  \
        .name = "absolute", .kind = FIELD_CHOICE, .def = (default_), .choices = aggregate_absolutes,                   \
        .help =                                                                                                        \
            "where the absolute value is taken: per token and sample, per sample, after the sum over samples, never "  \
            "(signed scores)"                                                                                          \
    }
#define AGGREGATE_FIELD_NORMALISE                                                                                      \
    {                                                                                                                  \
        .name = "normalise", .kind = FIELD_CHOICE, .choices = aggregate_norms,                                         \
        .help = "norm over all components of a kind by which each image's values are divided first"                    \
    }

static inline aggregate aggregate_read(double absolute, double normalise)
{
    return (aggregate){.absolute = (aggregate_absolute)absolute, .normalise = (aggregate_norm)normalise};
}

#endif
