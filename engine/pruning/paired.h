#ifndef PRUNING_PAIRED_H
#define PRUNING_PAIRED_H
/* Differences between two criteria on the same tasks: a seed draws the same classes and images for both, so that its luck cancels. */
#include <stddef.h>

typedef struct paired {
    double mean, error;  /* of a - b; its standard error (curve_mean_error()) */
    double low, high;    /* confidence interval of the mean by Student's t with n - 1 degrees of freedom */
} paired;

/* difference [n] = a - b, seed by seed; confidence in (0, 1). With n < 2 nothing is known but the mean: NaN. */
paired paired_difference(size_t n, const double difference[], double confidence);

/* P(T <= t) of Student's t with `freedom` > 0 degrees of freedom, through the incomplete beta function (Abramowitz and Stegun 26.7.1,
 * 26.5.27); and the t of a probability in (0, 1). */
double student_probability(double t, double freedom);
double student_quantile(double probability, double freedom);

#endif
