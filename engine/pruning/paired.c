#include "pruning/paired.h"

#include <math.h>

#include "pruning/curve.h"

/* Continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method; converges fast for x < (a + 1)/(a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    static const double tiny = 1e-300;
    enum { MOST_TERMS = 500 };
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= MOST_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        const double terms[] = {even, odd};
        double step = 1.0;
        for (size_t i = 0; i < 2; i++) {
            d = 1.0 + terms[i] * d;
            c = 1.0 + terms[i] / c;
            d = 1.0 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            f *= step;
        }
        if (fabs(step - 1.0) < 1e-15) {
            break;
        }
    }
    return f;
}

/* I_x(a, b) */
static double incomplete_beta(double x, double a, double b)
{
    if (x <= 0.0 || x >= 1.0) {
        return x <= 0.0 ? 0.0 : 1.0;
    }
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1.0) / (a + b + 2.0) ? front * beta_fraction(x, a, b) / a : 1.0 - front * beta_fraction(1.0 - x, b, a) / b;
}

double student_probability(double t, double freedom)
{
    const double tail = 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    return t > 0.0 ? 1.0 - tail : tail;
}

double student_quantile(double probability, double freedom)
{
    double low = -1.0, high = 1.0;
    while (student_probability(low, freedom) > probability && low > -1e300) {
        low *= 2.0;
    }
    while (student_probability(high, freedom) < probability && high < 1e300) {
        high *= 2.0;
    }
    for (int i = 0; i < 200 && low < high; i++) { /* until two neighbouring doubles are left */
        const double middle = low + (high - low) / 2.0;
        if (middle == low || middle == high) {
            break;
        }
        if (student_probability(middle, freedom) < probability) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

paired paired_difference(size_t n, const double difference[], double confidence)
{
    paired p;
    curve_mean_error(n, difference, &p.mean, &p.error);
    const double half = n < 2 ? NAN : student_quantile(0.5 + confidence / 2.0, (double)(n - 1)) * p.error;
    p.low = p.mean - half;
    p.high = p.mean + half;
    return p;
}
