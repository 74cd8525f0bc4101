#ifndef STAGES_COUNTERS_H
#define STAGES_COUNTERS_H
/* What is counted of one mask on one evaluation set: integers, so that ranks add up in any order. */
#include "stages/stage.h"

size_t counters_size(const study_evaluation *e); /* of one mask */
/* The samples of a micro-batch, from logits [batch, n_classes of the set], of a network that has n_logits of them. */
void counters_add(const study_evaluation *e, const dataset *d, size_t n_logits, const batch *b, const float *logits, int64_t counter[]);
void counters_add_time(const study_evaluation *e, double seconds, int64_t counter[]);

/* As a point of a curve, for `images` that were run, padding included: all but costs and `removed`. Class counts lie in `a`. */
MUST_CHECK status counters_read(arena *a, const study_evaluation *e, const int64_t counter[], size_t images, evaluate_point *out);

#endif
