#ifndef SEARCH_MODEL_H
#define SEARCH_MODEL_H
/* The trials of a search, and what a Gaussian process makes of them. Values are maximised. */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"
#include "search/gp.h"
#include "search/space.h"

typedef enum trial_state {
    TRIAL_PENDING, /* proposed and not finished */
    TRIAL_DONE,
    TRIAL_FAILED   /* never to be proposed again, and nothing is known of it */
} trial_state;

typedef struct search_trial {
    const double *point; /* of the space; canonical or not */
    trial_state state;
    double value, variance; /* TRIAL_DONE: the observed value and the known variance of its noise */
} search_trial;

/* Errors: ST_DATA (a trial's point is none of the space; one that is done has a value that is no finite number, or a negative variance). */
MUST_CHECK status search_check(const space *s, size_t n_trials, const search_trial trial[]);

typedef struct search_model {
    gp_parameters parameters;
    gp_fit_report fit;
    gp process;              /* through the trials that are done, in their order */
    const size_t *done;      /* [process.data.n] which trials these are */
    const double *mean;      /* [process.data.n] posterior mean at each */
    size_t best;             /* the trial with the largest one (the first of equals): what a search reports as its best */
    double best_mean;
} search_model;

/* A pure function of the trials, their order, the seed of the fit and its n_starts > 0. Lives in `a`, which also takes the fit's memory (4 n^2
 * doubles). Errors: as search_check(); ST_DATA where no trial is done. */
MUST_CHECK status search_fit(arena *a, const space *s, size_t n_trials, const search_trial trial[], uint64_t seed, size_t n_starts,
                             search_model *out);

#endif
