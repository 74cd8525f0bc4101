#ifndef PRUNING_SPECTRUM_H
#define PRUNING_SPECTRUM_H
/* How many independent components a set of components amounts to, by the eigenvalues l of the covariance of their scores over images.
 *
 *   participation   (sum l)^2 / sum l^2, the participation ratio: k where k eigenvalues are equal and the others 0. The dimension of Gao et
 *                   al. 2017, "A theory of multineuronal dimensionality, dynamics and measurement", there too of a covariance.
 *   adjusted        the same of the covariance that the images are a sample of, were their scores normal. The ratio of n images is never above
 *                   n - 1 and too low throughout: with S the covariance of the sample, C the true one and m = n - 1,
 *                   E (tr S)^2 = (tr C)^2 + 2 tr C^2 / m and E tr S^2 = (1 + 1/m) tr C^2 + (tr C)^2 / m (moments of the Wishart
 *                   distribution). Numerator and denominator are each replaced by what has the right expectation.
 *   effective_rank  exp(- sum p log p) with p = l / sum l: the exponential of the entropy of the singular values, which those of a
 *                   covariance are (Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality")
 *   modes           the fewest eigenvalues that together hold 90, 95 and 99 % of sum l */
#include <stddef.h>

enum { SPECTRUM_SHARES = 3 };
extern const double spectrum_shares[SPECTRUM_SHARES];

typedef struct spectrum {
    double trace; /* sum of variances */
    double participation, adjusted, effective_rank;
    double modes[SPECTRUM_SHARES]; /* whole numbers, or NaN */
} spectrum;

/* values [n] descending, not negative, of n_samples images; what is beyond n is 0. Where nothing varies all is 0, except `adjusted`,
 * which is then NaN, as with fewer than three images or where no finite number has that expectation. With one image all is NaN: it
 * tells nothing of variances. */
spectrum spectrum_of(size_t n_samples, size_t n, const double values[]);

#endif
