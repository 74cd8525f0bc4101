#include "pruning/curve.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

double curve_mean(size_t n, const double accuracy[])
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += accuracy[i];
    }
    return n == 0 ? 0.0 : sum / (double)n;
}

double curve_trapezoid(size_t n, const double rate[], const double accuracy[])
{
    double area = 0.0;
    for (size_t i = 1; i < n; i++) {
        area += (rate[i] - rate[i - 1]) * (accuracy[i - 1] + accuracy[i]) / 2.0;
    }
    return area;
}

double curve_highest_rate(size_t n, const double rate[], const double accuracy[], double share)
{
    /* Quotients of counts and their means are rounded: 19/53 is 0.95 x 20/53. */
    const double least = share * accuracy[0] * (1.0 - 1e-12);
    double highest = 0.0;
    for (size_t i = 0; i < n && accuracy[0] > 0.0 && accuracy[i] >= least; i++) {
        highest = rate[i];
    }
    return highest;
}

void curve_mean_error(size_t n, const double value[], double *mean, double *standard_error)
{
    *mean = curve_mean(n, value);
    *standard_error = NAN;
    if (n < 2) { /* one value says nothing about its spread */
        return;
    }
    double squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        squares += (value[i] - *mean) * (value[i] - *mean);
    }
    *standard_error = sqrt(squares / (double)(n - 1) / (double)n);
}

/* log(sum exp(logit)) - logit[label], shifted by the largest logit so that exp cannot overflow. */
static double cross_entropy(const float logits[], size_t n, const uint32_t classes[], uint32_t label)
{
    double largest = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, (double)logits[classes[i]]);
    }
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)logits[classes[i]] - largest);
    }
    return log(sum) + (largest - (double)logits[label]);
}

verdict curve_verdict(const float logits[], size_t n, const uint32_t classes[], uint32_t label)
{
    const float own = logits[label];
    size_t before = 0;
    bool defined = true, selected = false;
    for (size_t i = 0; i < n; i++) {
        const float other = logits[classes[i]];
        defined = defined && !isnan(other);
        selected = selected || classes[i] == label;
        before += other > own || (other == own && classes[i] < label);
    }
    assert(selected);
    (void)selected;
    if (!defined) {
        return (verdict){.correct = 0, .top5 = 0, .loss = NAN};
    }
    return (verdict){
        .correct = before == 0, .top5 = before < 5, .loss = (float)cross_entropy(logits, n, classes, label)};
}
