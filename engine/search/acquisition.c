#include "search/acquisition.h"

#include <math.h>

/* log(phi(z)) */
static double log_density(double z)
{
    return -0.5 * z * z - 0.5 * log(2.0 * acos(-1.0));
}

/* h(z) / phi(z) for t = -z > 0. With Mills' ratio M(t) = 1/(t + 1/(t + 2/(t + 3/(t + ...)))) (Abramowitz and Stegun 26.2.14) it is
 * 1 - t M(t), a difference of two numbers that are nearly equal; with c = 1/(t + 2/(t + 3/...)), M = 1/(t + c), it is c / (t + c). */
static double tail_ratio(double t)
{
    /* N terms leave an error of about exp(-2 t sqrt(2 N)), so these leave 1e-20; t >= 1 here. */
    double c = 0.0;
    for (int k = 20 + (int)(300.0 / (t * t)); k >= 1; k--) {
        c = k / (t + c);
    }
    return c / (t + c);
}

static double log_h(double z)
{
    if (z > -1.0) {
        return log(z * 0.5 * erfc(-z / sqrt(2.0)) + exp(log_density(z)));
    }
    return log_density(z) + log(tail_ratio(-z));
}

double log_expected_improvement(double mean, double deviation, double best)
{
    if (!(deviation > 0.0)) {
        return mean > best ? log(mean - best) : -INFINITY;
    }
    return log(deviation) + log_h((mean - best) / deviation);
}
