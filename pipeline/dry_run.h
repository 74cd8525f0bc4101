#ifndef PIPELINE_DRY_RUN_H
#define PIPELINE_DRY_RUN_H
/* `pollard plan CONFIG` and `pollard run --dry-run CONFIG`: what a run would do, with memory and time, without doing it. */
#include "parallel/comm.h"
#include "pipeline/cli.h"
#include "pipeline/plan.h"
#include "pipeline/search_forecast.h"
#include "stages/stage.h"

/* Memory of one rank, in bytes; its own, where nothing else is said. */
typedef struct rank_memory {
    size_t ranks; /* of its node */
    double program;      /* the program and its libraries */
    double study;        /* networks and lists of images */
    double networks;     /* that the ranks of the node share */
    double start;        /* the most until these are there */
    double image;        /* image files on their way to the network: one a thread that decodes */
    double rows;         /* scores of single images in the file, before compression */
    double found;        /* by a search, from its end on */
    double tables, file; /* at the end: what goes into the result; the file, of rank 0 */
    double now;          /* taken at this moment, shared memory in equal parts */
    double most, shared; /* where it is most at once: its own, and what the ranks of the node share beside it */
    double lacks;        /* room in the folder for shared memory that there ought to be; 0: it suffices */
    const char *when;    /* name of the stage of `most`, "start", "search" or "result" */
} rank_memory;

/* The node where memory is tightest. */
typedef struct node_memory {
    const char *host;
    size_t n_nodes, ranks;
    double needed, available; /* available < 0: unknown */
    double lacks;             /* of rank_memory */
    const char *from;         /* who says so, on this rank's node */
    bool fits;                /* also within each rank's own limit */
} node_memory;

typedef struct dry_run_report {
    const plan *plan; /* with criteria in place of those that a search will find: the last search.n_tuned ones */
    int ranks;
    const stage_forecast *stage; /* [stage_count] */
    rank_memory memory;          /* of this rank */
    rank_memory others;          /* as it would be without what rank 0 alone has */
    node_memory node;
    double start_seconds, trial_seconds;
    bool tried;            /* false: memory does not suffice for a trial */
    const double *seconds; /* [stage_count] of the rank that takes longest */
    search_forecast search; /* its seconds too are those of the rank that takes longest */
    const struct work_notes *lists; /* of items, with what they take of a processor here; empty where nothing was tried */
} dry_run_report;

/* Collective. Rank 0 prints to stdout; nothing is written to disk. */
MUST_CHECK status dry_run(comm *c, const cli *cl);

/* Collective. Counts, and tries a little of each stage for about `budget` seconds. `planned` is the arena of the plan, nothing
 * else; *out points into `a`. */
MUST_CHECK status dry_run_forecast(comm *c, const arena *planned, arena *a, const plan *p, double budget,
                                   dry_run_report *out);

#endif
