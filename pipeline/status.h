#ifndef PIPELINE_STATUS_H
#define PIPELINE_STATUS_H
/* `pollard status RESULT.h5`: how far a study is, from its journal alone, while it runs or after it was stopped. */
#include "io/journal.h"
#include "pipeline/watch.h"

enum { STATUS_ROWS, STATUS_WHOLE, STATUS_PRUNED, STATUS_KINDS };

/* Items of a kind. */
typedef struct status_kind {
    size_t done, of;  /* of: at most, where `at_most` */
    bool at_most;
    double seconds;   /* that the finished ones took together */
    double slowest;
} status_kind;

/* Some points of a curve, the mean over the seeds whose points are complete. */
typedef struct status_curve {
    const char *const *field; /* [RUN_NOTE_FIELDS] */
    size_t n_seeds;
    double *sum;              /* [n_rates] of accuracies */
    size_t *complete;         /* [n_rates] seeds */
} status_curve;

typedef struct status_report {
    run_note last;       /* the run that began last */
    const double *rates; /* [last.n_rates] */
    size_t n_runs;
    double changed;      /* when something was noted last, seconds of the epoch */
    size_t active;       /* ranks that have noted something lately */
    bool running;
    status_kind kind[STATUS_KINDS];
    status_kind search, heatmaps; /* items of a search, of any kind, and of heatmaps; `of` is not known */
    size_t n_curves;
    status_curve *curve;
} status_report;

/* Local, no MPI. The folder is not changed, and may be written to meanwhile. now: seconds of the epoch. Errors: ST_DATA where the journal is of
 * a program that this one does not understand; ST_NO_INPUT where no run has said anything yet. */
MUST_CHECK status status_read(arena *a, const journal_index *index, double now, status_report *out);
bool status_shares_done(const status_report *r); /* an array that waits for `pollard merge` alone */
void status_print(FILE *to, const char *result, const status_report *r, double now);

/* The command: ST_STOPPED where the result is not there yet. */
MUST_CHECK status status_show(const char *result, FILE *to);

#endif
