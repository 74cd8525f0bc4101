#ifndef PIPELINE_SEARCH_PROPOSALS_H
#define PIPELINE_SEARCH_PROPOSALS_H
/* What proposals of a Gaussian process take: memory, and time that every rank spends, since each works all of them out for itself. */
#include "io/config.h"
#include "search/space.h"

/* A batch was proposed after so many trials, and took so long. */
typedef struct tried_proposal {
    size_t n_trials;
    double seconds;
} tried_proposal;

/* Local. Seconds of all proposals of a search of so many trials, from a few that are tried for about `budget` seconds, or from the shortest one.
 * Nothing where the method has no process. `scratch` is reset. Errors: those of search_propose(). */
MUST_CHECK status search_proposals_try(arena *scratch, const space *s, const config_search *o, size_t room, double budget, double *seconds);

/* All batches from the end of the design on, and the fit that says which trial is the best: t [n] ascending in trials, n > 0. Between two sizes a power of
 * the number of trials; beyond the largest its cube, which is what a factor of the covariance takes; below the smallest in proportion. */
double search_proposals_sum(size_t n, const tried_proposal t[], size_t first, size_t room, size_t at_a_time);

/* Bytes of a proposal after so many trials. */
size_t search_proposals_bytes(const space *s, size_t n_trials, size_t at_a_time);

#endif
