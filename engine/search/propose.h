#ifndef SEARCH_PROPOSE_H
#define SEARCH_PROPOSE_H
/* What to try next. A proposal is a pure function of the trials so far, in their order, and of the seed: a search that was interrupted
 * proposes what it would have proposed, on any number of ranks. */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"
#include "search/model.h"
#include "search/space.h"

typedef enum search_method {
    SEARCH_RANDOM,
    SEARCH_SOBOL,
    SEARCH_BAYES, /* a Sobol design, then expected improvement by a Gaussian process */
    SEARCH_METHODS
} search_method;

typedef struct search_options {
    search_method method;
    uint64_t seed;
    size_t n_initial;    /* SEARCH_BAYES: trials of the design; 0: search_initial() */
    size_t n_starts;     /* of the fit of the hyperparameters; 0: SEARCH_STARTS */
    size_t n_candidates; /* of the maximisation where a space cannot be gone through; 0: SEARCH_CANDIDATES */
} search_options;
enum { SEARCH_STARTS = 4, SEARCH_CANDIDATES = 1024 };

size_t search_initial(const space *s); /* two for each dimension, and two */

/* The fit that a proposal after these trials goes by: search_fit() with the seed and the number of starts of the options. Who tells how a search
 * ended asks for it too, so that its best and its importances are of the same process. Errors: those of search_fit(). */
MUST_CHECK status search_fit_after(arena *a, const space *s, size_t n_trials, const search_trial trial[], const search_options *options,
                                   search_model *out);

/* What the process was when it proposed; zero where it was not asked. */
typedef struct search_report {
    gp_parameters parameters;
    gp_fit_report fit;
    size_t best;              /* trial with the largest posterior mean, and that mean: the incumbent of expected improvement */
    double incumbent, jitter; /* the largest jitter of the batch */
} search_report;

/* q points [q, s->n], canonical, different from each other and from all trials; *n < q only where a space without continuous dimensions has no
 * more. A batch is made one by one, each point as if its predecessors, and all pending trials, had been observed with the value of the
 * incumbent (the constant liar of Ginsbourger, Le Riche and Carraro, Kriging is well-suited to parallelize optimization, 2010, with
 * the best value as the lie). `scratch` may be reset afterwards. Errors: as search_check(); ST_DATA (more than
 * GP_MOST_OBSERVATIONS; no covariance could be factorised). */
MUST_CHECK status search_propose(arena *scratch, const space *s, size_t n_trials, const search_trial trial[], const search_options *options,
                                 size_t q, double point[], size_t *n, search_report *report);

#endif
