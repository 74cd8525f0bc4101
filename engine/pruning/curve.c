#include "pruning/curve.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

const char *const curve_prediction_names[CURVE_PREDICTIONS + 1] = {"restricted", "masked", NULL};

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

/* log(sum exp(logit)) - own, shifted by the largest logit so that exp cannot overflow. */
static double cross_entropy(size_t n, const float logits[], float own)
{
    double largest = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, (double)logits[i]);
    }
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)logits[i] - largest);
    }
    return log(sum) + (largest - (double)own);
}

verdict curve_verdict(size_t n_logits, size_t n, const uint32_t classes[], const float logits[], uint32_t label)
{
    size_t slot = 0, before = 0, lower = 0; /* selected classes that come before the label; that have a lower index */
    bool defined = true;
    while (slot < n && classes[slot] != label) {
        slot++;
    }
    assert(slot < n && label < n_logits && n <= n_logits);
    const float own = logits[slot];
    for (size_t i = 0; i < n; i++) {
        const float other = logits[i];
        defined = defined && !isnan(other);
        lower += classes[i] < label;
        before += other > own || (other == own && classes[i] < label);
    }
    if (!defined) {
        return (verdict){.loss = NAN};
    }
    /* Zeros of the classes that are not selected: all of them are larger, or as large and those of lower index come first. */
    const size_t zeros = own < 0.0f ? n_logits - n : own == 0.0f ? label - lower : 0;
    const size_t place[CURVE_PREDICTIONS] = {[PREDICTION_RESTRICTED] = before, [PREDICTION_MASKED] = before + zeros};
    verdict v = {.loss = (float)cross_entropy(n, logits, own)};
    for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
        v.correct[p] = place[p] == 0;
        v.top5[p] = place[p] < 5;
    }
    return v;
}
