#ifndef PIPELINE_SEARCH_PARTS_H
#define PIPELINE_SEARCH_PARTS_H
/* What the files of a search share. */
#include "io/config_search.h"
#include "pipeline/search.h"
#include "pipeline/search_study.h"
#include "search/halving.h"
#include "search/propose.h"
#include "stages/mask_cache.h"

/* Columns of a setting: its measures, then the objective's error over the seeds, and its variance by the images alone. By those before COLUMN_BINOMIAL a
 * race tells which settings say the same, so the order matters (find_twins()). */
enum { MEASURES = CONFIG_OBJECTIVES, COLUMN_ERROR = MEASURES, COLUMN_BINOMIAL, COLUMNS };

/* Rounds of all settings, or of those on a rung of a race: one for each choice of the first so many dimensions of the order in which relevance walks. */
typedef struct search_cut {
    size_t n;                                /* rounds */
    size_t n_dimensions, dimension[SEARCH_GROUPS + 1];
} search_cut;

/* One model and kind of components, or in an exhaustive search all kinds of a model together. */
typedef struct target {
    comm *comm;
    arena *a; /* of what lasts */
    const study *study;
    resume *journal;
    progress *bar;
    file_mark *reference_mark, *evaluation_mark;
    size_t model, kind;
    search_study tuning;
    mask_cache cache;
    double most_bytes; /* that a round takes for its settings, if these can be cut so small; 0: what a search takes */
    size_t n, n_rounds, n_masks, n_evaluated;
    uint64_t n_images, n_explained;
    size_t room;
    double *point;    /* [room, dimensions] */
    double *measure;  /* [room, kinds, COLUMNS] means over tasks and seeds, and what is known of the objective's noise */
    double *cost;     /* [room] images x points of curves that the measures rest on */
    double *first;    /* [room] the objective on the first rung of a race, where all settings are; NULL in other searches */
    uint64_t *round;  /* [room] in which they were measured last */
    int64_t *parent;  /* [room] the trial that was taken for the best when this one was proposed; -1: none was */
    result_trial_state *state; /* [room] */
} target;

static inline size_t n_kinds(const target *t)
{
    return t->tuning.model.n_kinds;
}

/* Local (pipeline/search_cut.c). What a round takes for each of its settings: sums of relevance, which some may share, as exact ones while images are
 * explained; then a ranking of each kind of components, and a byte of mask for each component and rate. At most: sums are counted with all moments of a
 * row, of which a tree leaves the square out. */
double search_setting_bytes(const search_study *s);
/* Local. As few rounds as take no more than `most` bytes each for their settings; 0: what a search takes. */
search_cut search_cut_of(const search_study *s, size_t settings, double most);

/* Of an exhaustive search. */
static inline search_cut target_cut(const target *t)
{
    return search_cut_of(&t->tuning, t->room, t->most_bytes);
}

/* Are there other rounds, to which this one's masks may be known? */
static inline bool has_rounds(const target *t)
{
    return t->tuning.space.options->method != SEARCH_EVERYTHING || target_cut(t).n > 1;
}

static inline double *measure_of(const target *t, size_t which, size_t kind)
{
    return t->measure + (which * n_kinds(t) + kind) * COLUMNS;
}

/* Local. t->comm, a, study, model and kind are there: draws the tasks, and takes room for the trials. `scratch` is reset. Errors: ST_CONFIG. */
MUST_CHECK status search_target_open(target *t, arena *scratch);
void search_fill(target *t); /* every setting, in the order of the space */
MUST_CHECK status search_outcome_open(arena *a, const study *s, search_outcome *out); /* without searches and tuned criteria, with room for them */
bool search_runs(const char *stage); /* does a round have this stage? */

/* Some settings, on all or a part of the images, rates and seeds. */
typedef struct search_round {
    search_study *of;    /* its criteria are the settings */
    size_t n;
    const size_t *trial; /* [n] which trials these are */
    size_t n_parts;      /* that its evaluation sets consist of, and are evaluated by; 0: as a whole */
    const study_evaluation *const *part; /* [n_parts] their evaluation sets */
    const double *const *known; /* [n, reference sets of the study] sums that an earlier round has, NULL of those that are explained; NULL: of none */
    const double *const **sums; /* what the sums of this round are, by attribute_index(); may be NULL */
    double *by_seed;     /* [room, seeds of the study] the objective of each trial; may be NULL */
} search_round;

/* Collective. `round`: memory of the round. */
MUST_CHECK status search_round_run(target *t, arena *round, const search_round *r);
/* Local. Says what a round is; the settings become those of the study that it has. `which`: what the planner is asked for. */
typedef status search_planner(arena *round, target *t, size_t which, search_round *out);
/* Collective. Plans a round and runs it, in memory of its own. */
MUST_CHECK status search_round_of(target *t, search_planner *planner, size_t which);
/* The objectives of one cell, in the order of config_search_objective; c: its rates, prediction and search. NaN: accuracy_at of no rates. */
void search_measure(const config *c, const result_cell *r, double out[MEASURES]);
/* Local. Variance of the objective of one cell since its images are a sample of all that there are: answers are binomial at each rate, and as at all
 * rates the same images answer, their deviations are taken to add up in full, which is the most that they can. `scratch` is written. */
MUST_CHECK status search_binomial(arena *scratch, const config *c, const result_cell *r, double *out);

/* Sums of relevance that the settings of a race take along from rung to rung (pipeline/search_sums.c), so that a reference set is explained once under a
 * setting. The same on all ranks. */
typedef struct known_sums {
    arena *arena;              /* of the numbers */
    size_t n_seeds;            /* the reference sets of the first so many seeds are known */
    const double *const *sums; /* [trials, reference sets of the whole search]; NULL: none are known */
} known_sums;

/* Local. Of a round whose study has these settings: the reference sets that are not known are to be explained, the others' sums are round->known. */
MUST_CHECK status search_sums_recall(arena *a, const target *t, const known_sums *k, search_round *round);
/* Local. Those of the round's settings that are alive [room], in place of what was known; where it is of all seeds of the round, it stays as it is. sums: of the round. */
MUST_CHECK status search_sums_keep(const target *t, const search_round *round, const double *const *sums, const bool alive[], known_sums *k);
/* Bytes that keeping takes, of so many settings of the rung with scores of their own. */
size_t search_sums_bytes(const target *t, const study *rung, size_t settings);

/* Local (pipeline/search_cut.c). Round `number` of the settings that are alive [room] (NULL: of all), which become those of out->of; out->n may be 0. */
MUST_CHECK status search_cut_take(arena *a, const target *t, const search_cut *cut, size_t number, const bool alive[], search_round *out);
/* Local, a search_planner: round `number` of target_cut(). */
MUST_CHECK status search_cut_round(arena *a, target *t, size_t number, search_round *out);
/* Collective: every setting, in the rounds of target_cut(). */
MUST_CHECK status search_exhaust(target *t);

/* Collective (pipeline/search_race.c): every setting, by successive halving. */
MUST_CHECK status search_race(target *t);
/* Local. Its rungs, rung [HALVING_MOST_RUNGS]: seeds, rates without the first one, which is 0, and shares of each class's images of which there are *of.
 * s->config: of the whole search. Errors: ST_CONFIG (no rates; too many rungs). */
MUST_CHECK status search_race_rungs(const search_study *s, size_t *of, halving_budget rung[], size_t *n);

/* A rung before the race. */
typedef struct foreseen_rung {
    size_t k;
    size_t n;          /* settings, evenly spread over the space */
    size_t n_known;    /* seeds whose reference sets an earlier rung has explained */
    size_t number;     /* the round of it that is asked for */
} foreseen_rung;

/* Local. A round of a rung, as it would be: *of, the rung's study with the settings of the round, *out, and how many rounds the rung has. Errors: those of
 * search_race_rungs(). */
MUST_CHECK status search_race_foresee(target *t, arena *a, arena *scratch, const foreseen_rung *r, search_study *of, search_round *out, size_t *n_rounds);

/* tuned-<model>-<kind>-<place> */
MUST_CHECK status search_tuned_name(arena *a, const target *t, component_kind kind, size_t place, const char **out);
/* Local (pipeline/search_found.c): places, importance, Pareto fronts; the best as criteria of the study. */
MUST_CHECK status search_conclude(arena *a, const target *t, search_outcome *out);

/* Trials as the engine sees them, of the target's one kind. */
MUST_CHECK status search_as_trials(arena *a, const target *t, const search_trial **out);
search_options search_engine_options(const config_search *o);

#endif
