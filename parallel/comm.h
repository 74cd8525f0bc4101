#ifndef PARALLEL_COMM_H
#define PARALLEL_COMM_H
/* Ranks: start, agreement, and the few collectives that the stages need. MPI-3.1 calls, one thread. Every function here is collective
 * unless it says "Local". A function that can fail for one rank agrees before it returns: all ranks leave with OK or none. */
#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

typedef struct comm {
    MPI_Comm mpi;
    int rank, size;
} comm;

MUST_CHECK status comm_start(int *argc, char ***argv, comm *out); /* MPI_Init and a private duplicate */
void comm_finish(comm *c);

/* Each rank brings its own verdict; all leave with the same one. A rank that was fine while another failed gets ST_PEER. */
MUST_CHECK status comm_agree(const comm *c, status local);

/* Rank 0's bytes for everybody: others get their copy in `a`. A terminating zero follows. */
MUST_CHECK status comm_share_bytes(const comm *c, arena *a, const void **data, size_t *size);

/* Adds n 64-bit integers over all ranks, in place, in pieces that MPI's int counts can hold. */
MUST_CHECK status comm_sum_i64(const comm *c, size_t n, int64_t value[]);

/* Every rank's text to rank 0: *out [c->size] on rank 0, NULL elsewhere. */
MUST_CHECK status comm_gather_text(const comm *c, arena *a, const char *mine, const char *const **out);

/* Is the same on all ranks? For configs and other things that must agree. Errors: ST_ENVIRONMENT naming `what`. */
MUST_CHECK status comm_same(const comm *c, const char *what, const void *data, size_t size);

/* The exit code all ranks leave with; prints the failing rank's message (lowest rank) to stderr, once. */
int comm_report(const comm *c, status local, int verbose);

#endif
