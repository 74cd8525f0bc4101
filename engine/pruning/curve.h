#ifndef PRUNING_CURVE_H
#define PRUNING_CURVE_H
/* Numbers of an accuracy-over-sparsity curve and of its stability over seeds. */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

double curve_mean(size_t n, const double accuracy[]);                              /* A_PR as the mean over the rates */
/* A_PR as the area under the curve (docs/attribution.md, section i); not rescaled. */
double curve_trapezoid(size_t n, const double rate[], const double accuracy[]);
/* The highest rate up to which every accuracy is at least `share` of the first (unpruned) one; 0 where that one is 0: a network that
 * is never right has nothing to keep. */
double curve_highest_rate(size_t n, const double rate[], const double accuracy[], double share);

/* Kendall's tau between two rankings (orders as ranking_build gives them, both permutations of 0..n-1): 1 = the same, -1 = reversed;
 * 1 for n < 2. O(n log n). */
MUST_CHECK status ranking_kendall(arena *scratch, size_t n, const uint32_t a[], const uint32_t b[], double *tau);
/* Jaccard index of the sets of the first `count` of each: 1 where both are empty. */
MUST_CHECK status ranking_jaccard(arena *scratch, size_t n, const uint32_t a[], const uint32_t b[], size_t count, double *jaccard);

/* Mean and standard error (sample standard deviation / sqrt n; NaN for n < 2), summed in the given order. */
void curve_mean_error(size_t n, const double value[], double *mean, double *standard_error);

/* Which logits compete (docs/attribution.md, section i): those of the selected classes, or all of them with those of other classes
 * set to 0, as if the last layer's rows of other classes were 0. */
typedef enum curve_prediction { PREDICTION_RESTRICTED, PREDICTION_MASKED, CURVE_PREDICTIONS } curve_prediction;
extern const char *const curve_prediction_names[CURVE_PREDICTIONS + 1]; /* as studies and results call them; NULL at the end */

/* What evaluation counts, from one sample's logits of the selected classes: `logits` [n], in the order of `classes` [n], of a network
 * that has n_logits of them; `label` is one of `classes`. A logit of a selected class that is not a number makes all of it wrong. */
typedef struct verdict {
    /* 0 or 1, by either prediction; top5 = among the five largest; ties go to the lower class index */
    int correct[CURVE_PREDICTIONS], top5[CURVE_PREDICTIONS];
    float loss; /* cross entropy over the selected classes, computed in double; the same for both */
} verdict;
verdict curve_verdict(size_t n_logits, size_t n, const uint32_t classes[], const float logits[], uint32_t label);

#endif
