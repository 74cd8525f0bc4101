#ifndef SUPPORT_JACOBI_H
#define SUPPORT_JACOBI_H
/* Eigenvalues without LAPACK. */
#include <math.h>
#include <stddef.h>

enum { MOST_IMAGES = 18 }; /* order of a matrix */

/* Jacobi's method: rotations until nothing is left beside the diagonal; then its elements, descending. */
static inline void jacobi(size_t n, double k[MOST_IMAGES][MOST_IMAGES], double values[MOST_IMAGES])
{
    for (size_t sweep = 0; sweep < 30; sweep++) {
        for (size_t p = 0; p + 1 < n; p++) {
            for (size_t q = p + 1; q < n; q++) {
                const double angle = 0.5 * atan2(2.0 * k[p][q], k[q][q] - k[p][p]), c = cos(angle), s = sin(angle);
                for (size_t i = 0; i < n; i++) {
                    const double a = k[i][p], b = k[i][q];
                    k[i][p] = c * a - s * b;
                    k[i][q] = s * a + c * b;
                }
                for (size_t i = 0; i < n; i++) {
                    const double a = k[p][i], b = k[q][i];
                    k[p][i] = c * a - s * b;
                    k[q][i] = s * a + c * b;
                }
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && values[at - 1] < k[i][i]; at--) {
            values[at] = values[at - 1];
        }
        values[at] = k[i][i];
    }
}

#endif
