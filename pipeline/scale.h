#ifndef PIPELINE_SCALE_H
#define PIPELINE_SCALE_H
/* How long a study takes on ranks that are not there: a simulation, event by event, of how its lists of items are dealt out (parallel/claims.c),
 * computed, noted (io/journal.c) and added up. No MPI, no files, no clock: the same numbers in, the same numbers out. */
#include "core/arena.h"
#include "stages/work_list.h"

typedef struct scale_machine {
    size_t ranks, per_node; /* nodes are filled one after the other: the last one may have fewer */
    size_t read_threads;    /* of a rank, which read ahead; 0: it reads by itself, when it needs images */
    double spread;          /* of the seconds of equal items: standard deviation over mean, below 0.5 */
    bool journal;

    double latency;         /* seconds of a small message between nodes */
    double bandwidth;       /* bytes a second between two ranks, while all send */
    double claim, poll;     /* seconds of a claim within a node; between two looks of a rank that waits for an answer */
    double answer;          /* seconds of rank 0 for one question */
    double creates;         /* files that the file system makes in a second, for all ranks together */
    double sync;            /* seconds until what was noted is on the disk, beside its bytes */
    double sync_every;      /* seconds between two of these */
    double writes;          /* bytes a second that the file system takes, of all ranks together */
} scale_machine;

/* A cluster with a common network and file system (docs/scaling.md says where the numbers come from). */
scale_machine scale_common(size_t ranks, size_t per_node);

/* Seconds of ranks are added up over all ranks: busy + reading + starved + ended + joined + noting = ranks x seconds. */
typedef struct scale_result {
    double seconds;             /* from the beginning of the first list to the end of the last */
    const double *list_seconds; /* [n] */
    double busy;                /* computing items, and what every rank does for itself */
    double reading;             /* waiting for images */
    double starved;             /* waiting for an answer of rank 0, or of rank 0 answering */
    double ended;               /* waiting for the last items of the others */
    double joined;              /* in barriers and sums */
    double noting;              /* making journal files and forcing them to the disk */
    size_t journal_files;
    double journal_bytes;
    double messages, bytes;     /* that a rank sends, the mean of all */
    size_t answers;             /* of rank 0 */
} scale_result;

double scale_idle_share(const scale_machine *m, const scale_result *r); /* of the ranks' time, what is not `busy` */
double scale_work(const scale_machine *m, size_t n, const work_list lists[]); /* seconds of all items together */

/* n lists, one after the other. *out lies in `a`. Errors: ST_ENVIRONMENT. */
MUST_CHECK status scale_run(arena *a, const scale_machine *m, size_t n, const work_list lists[], scale_result *out);

/* ---- what its files share ---- */

/* What ranks bring along from list to list. */
typedef struct scale_ranks {
    double *synced;   /* [ranks] when a rank has last forced what it noted to the disk; < 0: it has no file */
    double *unsynced; /* [ranks] bytes since then */
    double makes_at, writes_at; /* when the file system is free again */
} scale_ranks;

/* One list from the moment when all ranks begin; *end: when the last one has nothing left to do. Adds to *out. `a` is used up
 * (pipeline/scale_list.c). */
MUST_CHECK status scale_list(arena *a, const scale_machine *m, const work_list *list, size_t seed, scale_ranks *ranks, double begin, double *end,
                             scale_result *out);

double scale_seconds(const scale_machine *m, const work_part *p, size_t seed, size_t item, size_t within); /* of one item */

#endif
