#include "attribution/start.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const char *const start_targets[] = {"label", "prediction", NULL};
const char *const start_values[] = {[START_ONE] = "one", [START_LOGIT] = "logit", [START_LOSS] = "loss", NULL};
const char *const start_values_of_rules[] = {[START_ONE] = "one", [START_LOGIT] = "logit", NULL};

static size_t largest(size_t n, const float *y)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = y[i] > y[best] ? i : best;
    }
    return best;
}

void start_choose(const walk_start *s, size_t batch, size_t n_classes, const float *logits, const size_t label[],
                  start_sample out[])
{
    for (size_t b = 0; b < batch; b++) {
        const float *y = logits + b * n_classes;
        assert(label[b] < n_classes);
        out[b].class = s->prediction ? largest(n_classes, y) : label[b];
        out[b].scale = s->value == START_LOGIT ? y[out[b].class] : 1.0f;
    }
}

static void softmax(size_t n, const float *y, float *r)
{
    const double most = (double)y[largest(n, y)];
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)y[i] - most);
    }
    for (size_t i = 0; i < n; i++) {
        r[i] = (float)(exp((double)y[i] - most) / sum);
    }
}

/* softmax(y)_t - 1 as minus the others' share: near 1 nothing is left of a difference of floats. */
static float minus_the_others(size_t n, size_t class, const float *r)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += i == class ? 0.0 : (double)r[i];
    }
    return (float)-sum;
}

void start_fill(const walk_start *s, size_t batch, size_t n_classes, const float *logits, const start_sample sample[],
                float *r)
{
    for (size_t b = 0; b < batch; b++, logits += n_classes, r += n_classes) {
        if (s->value == START_LOSS) {
            softmax(n_classes, logits, r);
            r[sample[b].class] = minus_the_others(n_classes, sample[b].class, r);
        } else {
            memset(r, 0, n_classes * sizeof *r);
            r[sample[b].class] = sample[b].scale;
        }
    }
}
