#ifndef STAGES_COUNTERS_H
#define STAGES_COUNTERS_H
/* What is counted of one mask on one evaluation set: integers, so that ranks add up in any order. */
#include "stages/stage.h"

size_t counters_size(const study_evaluation *e); /* of one mask */
size_t counters_predictions(size_t samples);     /* counters that predictions of so many samples take, where they are noted behind them */
/* Which class of the set each sample of a micro-batch is taken for, as its place in the set: the largest of its logits [batch, n_classes of
 * the set], of equal ones the first; NO_PREDICTION where one is not a number. */
#define NO_PREDICTION UINT32_MAX
void counters_predict(const study_evaluation *e, const batch *b, const float *logits, uint32_t prediction[]);
/* The samples of a micro-batch, of a network that has n_logits logits. unpruned [batch]: what counters_predict() says of the whole network. */
void counters_add(const study_evaluation *e, const dataset *d, size_t n_logits, const batch *b, const float *logits,
                  const uint32_t unpruned[], int64_t counter[]);
void counters_add_time(const study_evaluation *e, double seconds, int64_t counter[]);

/* Of one mask on a set of so many classes: images that are right by a prediction. */
uint64_t counters_correct(size_t n_classes, size_t prediction, const int64_t counter[]);

/* As a point of a curve, for `images` that were run, padding included: all but costs and `removed`. Class counts lie in `a`. */
MUST_CHECK status counters_read(arena *a, const study_evaluation *e, const int64_t counter[], size_t images, evaluate_point *out);

#endif
