#ifndef SEARCH_ACQUISITION_H
#define SEARCH_ACQUISITION_H
/* How promising a point is: expected improvement (Mockus 1978; Jones, Schonlau and Welch 1998, eq. 15) for maximisation. A point whose
 * value is N(mean, deviation^2) improves on `best` by
 *   EI = E max(f - best, 0) = deviation h(z),   h(z) = z Phi(z) + phi(z),   z = (mean - best) / deviation.
 * Observations are noisy, so `best` is not the largest of them, which owes to luck, but the largest posterior mean at an observed point (the
 * plug-in of Picheny, Wagner and Ginsbourger, A benchmark of kriging-based infill criteria for noisy optimization, 2013), and the
 * deviation is that of f without noise. */

/* The logarithm of EI, which far from the best is still a number to climb on where EI itself is 0 (Ament et al., Unexpected improvements to
 * expected improvement, 2023). -INFINITY where no improvement is possible: deviation 0 and mean <= best. */
double log_expected_improvement(double mean, double deviation, double best);

#endif
