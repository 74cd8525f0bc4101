#include "stages/counters.h"

#include <math.h>
#include <string.h>

/* For either prediction correct, top5 and one per class; the words of the exact loss sum; nanoseconds; agreement with the whole network. */
enum { COUNT_CORRECT, COUNT_TOP5, COUNT_CLASSES };
static size_t prediction_size(const study_evaluation *e)
{
    return COUNT_CLASSES + e->n_classes;
}

static size_t loss_at(const study_evaluation *e)
{
    return CURVE_PREDICTIONS * prediction_size(e);
}

static size_t time_at(const study_evaluation *e)
{
    return loss_at(e) + EXACT_WORDS;
}

static size_t agree_at(const study_evaluation *e)
{
    return time_at(e) + 1;
}

size_t counters_size(const study_evaluation *e)
{
    return agree_at(e) + 1;
}

size_t counters_predictions(size_t samples)
{
    return (samples * sizeof(uint32_t) + sizeof(int64_t) - 1) / sizeof(int64_t);
}

static uint32_t predict(const study_evaluation *e, const float *logits)
{
    uint32_t best = 0;
    for (uint32_t k = 0; k < e->n_classes; k++) {
        if (isnan(logits[k])) {
            return NO_PREDICTION;
        }
        best = logits[k] > logits[best] ? k : best;
    }
    return best;
}

void counters_predict(const study_evaluation *e, const batch *b, const float *logits, uint32_t prediction[])
{
    for (size_t i = 0; i < b->n; i++) {
        prediction[i] = predict(e, logits + i * e->n_classes);
    }
}

void counters_add(const study_evaluation *e, const dataset *d, size_t n_logits, const batch *b, const float *logits,
                  const uint32_t unpruned[], int64_t counter[])
{
    exact_sum loss;
    memcpy(&loss, counter + loss_at(e), sizeof loss);
    for (size_t i = 0; i < b->n; i++) {
        const uint32_t label = d->label[b->sample[i]];
        const verdict v = curve_verdict(n_logits, e->n_classes, e->classes, logits + i * e->n_classes, label);
        size_t slot = 0;
        while (e->classes[slot] != label) {
            slot++;
        }
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            int64_t *to = counter + p * prediction_size(e);
            to[COUNT_CORRECT] += v.correct[p];
            to[COUNT_TOP5] += v.top5[p];
            to[COUNT_CLASSES + slot] += v.correct[p];
        }
        exact_sum_add(&loss, v.loss);
        const uint32_t prediction = predict(e, logits + i * e->n_classes);
        counter[agree_at(e)] += prediction != NO_PREDICTION && prediction == unpruned[i];
    }
    exact_sum_carry(&loss);
    memcpy(counter + loss_at(e), &loss, sizeof loss);
}

void counters_add_time(const study_evaluation *e, double seconds, int64_t counter[])
{
    counter[time_at(e)] += (int64_t)(1e9 * seconds);
}

uint64_t counters_correct(size_t n_classes, size_t prediction, const int64_t counter[])
{
    const study_evaluation e = {.n_classes = n_classes};
    return (uint64_t)counter[prediction * prediction_size(&e) + COUNT_CORRECT];
}

status counters_read(arena *a, const study_evaluation *e, const int64_t counter[], size_t images, evaluate_point *out)
{
    exact_sum loss;
    uint64_t *class_correct;
    memcpy(&loss, counter + loss_at(e), sizeof loss);
    *out = (evaluate_point){.loss_sum = exact_sum_value(&loss), .agree = (uint64_t)counter[agree_at(e)], .seconds_per_image = 1e-9 * (double)counter[time_at(e)] / (double)images};
    TRY_ALLOC(class_correct, a, CURVE_PREDICTIONS * e->n_classes);
    for (size_t p = 0; p < CURVE_PREDICTIONS; p++, counter += prediction_size(e), class_correct += e->n_classes) {
        for (size_t k = 0; k < e->n_classes; k++) {
            class_correct[k] = (uint64_t)counter[COUNT_CLASSES + k];
        }
        out->correct[p] = (uint64_t)counter[COUNT_CORRECT];
        out->top5[p] = (uint64_t)counter[COUNT_TOP5];
        out->class_correct[p] = class_correct;
    }
    return STATUS_OK;
}
