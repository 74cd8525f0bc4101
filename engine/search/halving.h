#ifndef SEARCH_HALVING_H
#define SEARCH_HALVING_H
/* Cheap first: all settings on few images, rates and seeds, those that are left on more of them (successive halving: Jamieson and Talwalkar
 * 2016; racing: Maron and Moore 1994, Birattari et al. 2002). All settings see the same images, rates and seeds (common random numbers), and a
 * rung's contain those of the rung before, so that nothing is computed twice. */
#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/status.h"
#include "pruning/paired.h"

typedef struct halving_budget {
    size_t images, rates, seeds; /* the first so many of each; work is their product */
} halving_budget;

enum { HALVING_MOST_RUNGS = 16 };

/* From `least` to `full`, the work about `eta` times as much from rung to rung: images grow first, as long as there are more of them, then seeds,
 * then rates. rung [HALVING_MOST_RUNGS]. Errors: ST_CONFIG (eta below 2; a part of `least` that is 0 or above that of `full`; too many
 * rungs). */
MUST_CHECK status halving_plan(halving_budget least, halving_budget full, size_t eta, halving_budget rung[], size_t *n);

/* The order in which rates are taken, so that every prefix is spread over the range: the last, the first, then the middle of the longest gap
 * (the earlier one of equals). order [n] is a permutation of 0..n-1. */
void halving_rate_order(size_t n, size_t order[]);

/* How many settings that differ a rung has at most, if none is clearly worse: of the rung before the share that eta leaves. alive [n_rungs] */
void halving_alive(size_t n_settings, size_t eta, size_t n_rungs, size_t alive[]);

/* Work in units of one image at one rate for one seed, if alive[k] settings were on rung k: each pays what a rung adds to the one before. */
double halving_work(size_t n_rungs, const halving_budget rung[], const size_t alive[]);

typedef struct halving_options {
    double confidence;  /* that the best setting survives all rungs, in [0.5, 1) */
    size_t n_settings;  /* that the race began with */
    size_t n_rungs;     /* after which settings are dropped */
    size_t least_columns; /* with fewer nothing is clearly worse */
    double resolution;    /* observations are multiples of it (one answer more or less): no difference is known better. 0: they are not */
    size_t eta;         /* 0: only what is clearly worse is dropped; else also all but the best ceil(alive / eta), twins counted once */
    const size_t *twin; /* [n_settings] the first alive setting that is the same as this one in all but its name, itself where there is none; twins stay or go
                         * together. NULL: there are none */
} halving_options;

typedef enum halving_fate {
    HALVING_KEPT,
    HALVING_WORSE, /* the interval of its difference to the leader is clear of 0 */
    HALVING_RANK,  /* not clearly worse, but beyond the share that eta leaves */
    HALVING_OUT    /* dropped earlier, not looked at */
} halving_fate;

/* One rung. observed [n_settings, n]: a row per setting, a column per seed (or another unit that is independent of the others and the same for all
 * settings); rows of settings that are out are not read. The leader is the alive setting with the largest mean (the first of equals). Setting s is
 * worse where the interval of mean(leader - s), by Student's t over the columns, lies above 0; a column is paired with itself, so its luck
 * cancels. One comparison errs with probability (1 - confidence) / ((n_settings - 1) n_rungs), so by Bonferroni's inequality the
 * best setting is dropped as HALVING_WORSE in a whole race with probability 1 - confidence at most, for normal differences. With n < 2, or
 * where all differences are 0, nothing is worse.
 *   alive [n_settings] is updated; fate, to_leader [n_settings] (may be NULL): leader - s, NaN where out.
 * Errors: ST_DATA (an observation is not finite, nobody is alive, options out of range). */
MUST_CHECK status halving_step(arena *scratch, const halving_options *o, size_t n, const double observed[], bool alive[], size_t *leader,
                               halving_fate fate[], paired to_leader[]);

#endif
