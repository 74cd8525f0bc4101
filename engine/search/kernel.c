#include "search/kernel.h"

#include <math.h>

double kernel_matern52(double r2)
{
    const double t = sqrt(5.0 * r2);
    return (1.0 + t + 5.0 / 3.0 * r2) * exp(-t);
}

double kernel_matern52_slope(double r2)
{
    const double t = sqrt(5.0 * r2);
    return 5.0 / 3.0 * (1.0 + t) * exp(-t);
}

void kernel_scaled(size_t n, size_t width, const size_t scale_of[], const double scale[], const double x[], double out[])
{
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < width; c++) {
            out[i * width + c] = x[i * width + c] / scale[scale_of[c]];
        }
    }
}

double kernel_distance2(size_t width, const double a[], const double b[])
{
    double sum = 0.0;
    for (size_t c = 0; c < width; c++) {
        const double d = a[c] - b[c];
        sum += d * d;
    }
    return sum;
}

void kernel_between(size_t width, size_t n, const double x[], size_t m, const double y[], double out[])
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < m; j++) {
            out[i * m + j] = kernel_matern52(kernel_distance2(width, &x[i * width], &y[j * width]));
        }
    }
}

void kernel_among(size_t width, size_t n, const double x[], double out[])
{
    for (size_t i = 0; i < n; i++) {
        kernel_between(width, 1, &x[i * width], i + 1, x, &out[i * n]);
    }
}
