#ifndef PRUNING_DERIVED_H
#define PRUNING_DERIVED_H
/* What criteria have in common whose rows are derivatives summed over a path of inputs (attribution/methods/path.h): these parameters come
 * first, and a criterion adds its own and says which path it is. */
#include "attribution/methods/path.h"
#include "pruning/aggregate.h"
#include "pruning/criterion.h"

enum { DERIVED_ABSOLUTE, DERIVED_TARGET, DERIVED_INITIAL, DERIVED_NORMALISE, DERIVED_FIELDS };

#define DERIVED_FIELD_TABLE(absolute_, initial_)                                                                       \
    [DERIVED_ABSOLUTE] = AGGREGATE_FIELD_ABSOLUTE(absolute_), [DERIVED_TARGET] = START_FIELD_TARGET,                   \
    [DERIVED_INITIAL] = START_FIELD_INITIAL(initial_), [DERIVED_NORMALISE] = AGGREGATE_FIELD_NORMALISE

walk_start derived_start(const criterion_setup *s);
aggregate derived_aggregate(const criterion_setup *s);
/* The sample itself, one derivative, m = 1: to be changed where the criterion is more. */
path_setup derived_path(const criterion_setup *s);

/* State of a criterion that is a path. */
MUST_CHECK status derived_open(arena *a, const criterion_setup *s, const path_setup *p, void **state);
void derived_rows(void *state, const criterion_batch *b, float *rows);
size_t derived_score_moment(const criterion_setup *s);
void derived_finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score);

#endif
