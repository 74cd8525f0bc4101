#ifndef SEARCH_KERNEL_H
#define SEARCH_KERNEL_H
/* The Matern kernel of smoothness 5/2 with automatic relevance determination (Rasmussen and Williams, Gaussian Processes for Machine
 * Learning, 2006, eq. 4.17 and section 5.1):
 *   k(r) = (1 + sqrt(5) r + 5/3 r^2) exp(-sqrt(5) r),   r^2 = sum over coordinates c of (x_c - x'_c)^2 / l_s(c)^2.
 * Coordinates may share a length scale: the coordinates of one choice do. */
#include <stddef.h>

double kernel_matern52(double r2);
/* -2 r^2 dk/d(r^2) = 5/3 r^2 (1 + sqrt(5) r) exp(-sqrt(5) r), divided by r^2: what a squared distance in one coordinate, in length scales,
 * is multiplied by to give dk/d(log l). Finite at r = 0. */
double kernel_matern52_slope(double r2);

/* out [n, width] = x [n, width] in length scales: x_c / scale[scale_of[c]]. */
void kernel_scaled(size_t n, size_t width, const size_t scale_of[], const double scale[], const double x[], double out[]);
double kernel_distance2(size_t width, const double a[], const double b[]);

/* out [n, m] = k between the rows of x [n, width] and of y [m, width], both in length scales. */
void kernel_between(size_t width, size_t n, const double x[], size_t m, const double y[], double out[]);
/* out [n, n]: the lower triangle among the rows of x. */
void kernel_among(size_t width, size_t n, const double x[], double out[]);

#endif
