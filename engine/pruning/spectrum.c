#include "pruning/spectrum.h"

#include <math.h>

const double spectrum_shares[SPECTRUM_SHARES] = {0.90, 0.95, 0.99};

static double count_modes(size_t n, const double p[], double largest, double sum, double share)
{
    double held = 0.0;
    size_t k = 0;
    while (k < n && held < share * sum) {
        held += p[k++] / largest;
    }
    return (double)k;
}

/* s1 = tr S, s2 = tr S^2, both in units of the largest eigenvalue and its square. */
static double adjust(double s1, double s2, double m)
{
    if (m < 2.0) {
        return NAN;
    }
    const double c2 = m * m / ((m - 1.0) * (m + 2.0)) * (s2 - s1 * s1 / m); /* estimates tr C^2 */
    const double c1 = s1 * s1 - 2.0 * c2 / m;                               /* ... (tr C)^2 */
    return c2 > 0.0 ? c1 / c2 : NAN;
}

spectrum spectrum_of(size_t n_samples, size_t n, const double values[])
{
    spectrum out = {.adjusted = NAN};
    if (n_samples < 2) {
        return (spectrum){NAN, NAN, NAN, NAN, {NAN, NAN, NAN}};
    }
    const double largest = n == 0 ? 0.0 : values[0];
    if (!(largest > 0.0)) {
        return out;
    }
    double s1 = 0.0, s2 = 0.0, entropy = 0.0; /* in units of the largest: squares neither overflow nor vanish */
    for (size_t i = 0; i < n; i++) {
        s1 += values[i] / largest;
        s2 += values[i] / largest * (values[i] / largest);
    }
    for (size_t i = 0; i < n; i++) {
        const double p = values[i] / largest / s1;
        entropy -= p > 0.0 ? p * log(p) : 0.0;
    }
    out.trace = s1 * largest;
    out.participation = s1 * s1 / s2;
    out.adjusted = adjust(s1, s2, (double)(n_samples - 1));
    out.effective_rank = exp(entropy);
    for (size_t i = 0; i < SPECTRUM_SHARES; i++) {
        out.modes[i] = count_modes(n, values, largest, s1, spectrum_shares[i]);
    }
    return out;
}
