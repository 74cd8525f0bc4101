#ifndef PIPELINE_SEARCH_H
#define PIPELINE_SEARCH_H
/* The search for the attribution that prunes best (docs/search.md). Settings are judged by curves of their own: on the tuning part of the
 * evaluation images, for the seeds of the search. The best ones become criteria of the study, whose curves are of the other images and seeds.
 *
 * What is proposed follows from what was found, in order, so the search goes the same way on any number of ranks and after any
 * interruption: its items are in the journal like all others. */
#include "io/results.h"
#include "pipeline/plan.h"
#include "pipeline/progress.h"
#include "pipeline/resume.h"
#include "stages/batch.h"

typedef struct search_outcome {
    size_t n_searches;
    result_search *searches;      /* one for each model and kind of components */
    size_t n_tuned;
    config_criterion *tuned;      /* the best settings, each for its model */
    size_t *tuned_search;         /* [n_tuned] of which search, */
    size_t *tuned_trial;          /* and which of its trials */
    double seconds;               /* that it took */
} search_outcome;

/* Of the files that were read: [n_samples] each. */
typedef struct search_marks {
    file_mark *reference, *evaluation;
} search_marks;

/* Collective. Everything lives in `a`. Errors: those of the stages; ST_CONFIG. */
MUST_CHECK status search_run(comm *c, arena *a, const plan *p, resume *j, progress *bar, const search_marks *marks, search_outcome *out);

/* Local. The best settings become the last criteria of the study, and get cells. */
MUST_CHECK status search_extend(arena *a, const search_outcome *found, study *s);

/* Local, on rank 0: <result>.tuned.yaml, a study like this one with the best settings among its criteria and without the search; what it needs is
 * named by absolute paths. Errors: ST_CANT_WRITE. */
MUST_CHECK status search_write_study(arena *a, const study *s, const search_outcome *found, const char *result);

/* Local, once the study itself has run: what its curves say of the best settings. */
MUST_CHECK status search_held_out(arena *a, const study *s, const results *r, search_outcome *out);

#endif
