#ifndef PIPELINE_RESUME_H
#define PIPELINE_RESUME_H
/* A run's journal: found, compared with the study, shared by the ranks, and removed when the result is there. */
#include "pipeline/cli.h"
#include "pipeline/plan.h"
#include "stages/items.h"

typedef struct resume {
    comm *comm;
    arena *arena;
    arena **index;        /* of items.index alone: the next look at the folder replaces it */
    char *folder;         /* of the journal */
    const char *name;     /* what its files' names begin with: no other run has it */
    const char *identity; /* what has to be the same for its work to be of use: lines of text */
    item_service items;
    stop stop;
} resume;

/* How a run of the study takes part. */
typedef struct resume_options {
    const char *output;   /* of the run; the journal is beside it */
    bool fresh;           /* throw away what is there */
    bool only_join;       /* compute nothing */
    size_t task, n_tasks; /* of an array, counted from 0; n_tasks 0: no array */
    double limit_seconds; /* 0: what the batch system says */
    long stop_after;      /* items of a rank, or < 0 */
} resume_options;

/* "2/5" -> 1, 5 (counted from 0). Errors: ST_USAGE. */
MUST_CHECK status resume_array(const char *text, size_t *task, size_t *n_tasks);

/* Collective. Everything lives in `a`. Errors: those of journal_scan(); ST_CANT_WRITE. */
MUST_CHECK status resume_open(comm *c, arena *a, const plan *p, const resume_options *o, resume *out);
/* Collective: the result is written, the journal is of no more use. That it cannot be removed is a warning. */
MUST_CHECK status resume_done(resume *r);

/* Collective, when the stages have failed. What took less than a minute together is not worth keeping where the study or its inputs are to blame: whoever
 * mends them shall not have to throw it away first. Returns st. */
MUST_CHECK status resume_failed(resume *r, status st);

/* Local, on rank 0: a frame of this run, for who looks on. */
MUST_CHECK status resume_note(resume *r, uint32_t stage, const void *data, size_t size);

#endif
