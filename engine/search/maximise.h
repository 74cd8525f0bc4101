#ifndef SEARCH_MAXIMISE_H
#define SEARCH_MAXIMISE_H
/* The point of a search space with the largest expected improvement among those that are not taken. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"
#include "search/gp.h"
#include "search/space.h"

/* Points that are not to be proposed, canonical. */
typedef struct taken {
    size_t n, width;
    double *point;  /* [n, width] */
    uint64_t *hash; /* [n] */
} taken;

MUST_CHECK status taken_alloc(arena *a, size_t most, const space *s, taken *out);
void taken_add(taken *t, const space *s, const double point[]);
bool taken_has(const taken *t, const space *s, const double point[]);

/* A space without continuous dimensions and of at most MAXIMISE_ENUMERATE settings is gone through: the maximum is exact. Else: the best of
 * n_candidates scrambled Sobol points of `seed` and of the n_near given points [n_near, s->n], each followed by steepest ascent: to the best
 * neighbour (one choice replaced, or one continuous parameter a step up or down on its scale) until none is better, then with half the step.
 * Ties go to what comes first. Errors: as arenas. */
enum { MAXIMISE_ENUMERATE = 4096 };
MUST_CHECK status maximise_improvement(arena *scratch, const space *s, const gp *g, double best, const taken *t, uint64_t seed,
                                       size_t n_candidates, size_t n_near, const double near[], double point[], bool *found);

#endif
