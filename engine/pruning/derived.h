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

/* What every criterion_def of a path says, beside its name, help and fields. */
#define DERIVED_MEMBERS                                                                                                \
    .uses_samples = true, .logits_only = true, .n_moments = AGGREGATE_MOMENTS, .moments = aggregate_moments,           \
    .finish = derived_finish, .score_moment = derived_score_moment

/* Of a criterion that is one path: its hooks. They have to know which path, and a hook is told of the setup alone, so that each criterion
 * has its own three, made here:  DERIVED_HOOKS(path_of);  behind  static path_setup path_of(const criterion_setup *s). */
#define DERIVED_HOOKS(path_of_)                                                                                        \
    static status open_path(arena *a, const criterion_setup *s, void **state)                                          \
    {                                                                                                                  \
        const path_setup p = path_of_(s);                                                                              \
        return derived_open(a, s, &p, state);                                                                          \
    }                                                                                                                  \
    static status path_bytes(const criterion_setup *s, size_t *out)                                                    \
    {                                                                                                                  \
        const path_setup p = path_of_(s);                                                                              \
        return path_needs(&p, out);                                                                                    \
    }                                                                                                                  \
    static size_t passes(const criterion_setup *s)                                                                     \
    {                                                                                                                  \
        const path_setup p = path_of_(s);                                                                              \
        return path_passes(&p);                                                                                        \
    }                                                                                                                  \
    struct derived_hooks_end /* takes the semicolon */
#define DERIVED_PATH_MEMBERS                                                                                           \
    DERIVED_MEMBERS, .open = open_path, .bytes = path_bytes, .passes = passes, .rows = derived_rows

#endif
