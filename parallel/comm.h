#ifndef PARALLEL_COMM_H
#define PARALLEL_COMM_H
/* Ranks: start, agreement, and the few collectives that the stages need. MPI-3.1 calls, one thread. Everything here is collective.
 * A function that can fail on one rank agrees before it returns: all ranks leave with OK or none does. What MPI itself cannot do any
 * more ends the job (MPI_Abort): no message could reach the other ranks. */
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

typedef struct comm {
    MPI_Comm mpi; /* our own duplicate, MPI_ERRORS_RETURN */
    int rank, size;
    bool raised; /* this rank has rung the alarm since the last agreement */
    MPI_Comm node; /* ranks that share memory; the first of them in the order of `mpi` is their leader, rank 0 */
    int node_rank, node_size;
    bool shares; /* some node has several ranks: the same on all */
    int node_most; /* ranks of a host that count as a node */
    char shared_folder[256]; /* where blocks of memory that they share are made (parallel/node.h) */
} comm;

/* Of the environment counts what rank 0 has of it:
 *   POLLARD_SHARED_MEMORY    the folder for memory that ranks of a node share (/dev/shm), or `off`: every rank has its own copy
 *   POLLARD_RANKS_PER_NODE   so many ranks of a host count as a node of their own (for tests; all)
 * Errors: ST_ENVIRONMENT, on every rank. comm_finish() is safe after a failure too. */
MUST_CHECK status comm_start(int *argc, char ***argv, comm *out);
void comm_finish(comm *c);

/* Collective: the first n ranks of c as ranks of their own; on the others out->mpi is MPI_COMM_NULL. Ended by comm_part_end() on all. */
MUST_CHECK status comm_part(comm *c, int n, comm *out);
void comm_part_end(comm *part);

/* Each rank brings its own verdict; all leave with the same one. A rank that was fine while another failed gets ST_PEER. */
MUST_CHECK status comm_agree(comm *c, status local);

/* For loops of rank-local work between two agreements; not collective, never waits. A rank whose `local` is a failure tells the others;
 * true means: somebody failed, leave the loop and go to comm_agree(). So one bad file does not cost the hours of all the others. */
bool comm_alarm(comm *c, status local);

/* Rank 0's bytes for everybody: in: rank 0's *data [*size]; out: every rank's own copy in `a`, with a zero byte behind it. */
MUST_CHECK status comm_share_bytes(comm *c, arena *a, const void **data, size_t *size);

/* The same within each node: the leader's bytes for its ranks, the leader's own included. The verdict is one of all ranks. */
MUST_CHECK status comm_share_in_node(comm *c, arena *a, const void **data, size_t *size);

void comm_bcast_in_node(const comm *c, size_t n, void *value); /* n bytes of the leader, in place */

/* Whether all ranks of a node bring the same number, which stands for something that they must have made alike; `what` that is, for the
 * message. Errors, on every rank of all nodes: ST_BUG. */
MUST_CHECK status comm_same_in_node(comm *c, const char *what, uint64_t mine);

/* The one caller of MPI_Abort: for when the ranks can no longer agree on anything, so that no message can reach all of them. */
void comm_fatal(const comm *c, const char *what);

/* Adds n integers over all ranks, in place. */
void comm_sum_i64(const comm *c, size_t n, int64_t value[]);
/* Bitwise or over all ranks, in place: gathers what each rank knows where the others have zeros. */
void comm_or_bytes(const comm *c, size_t n, void *value);
/* What the MPI library takes beside so many bytes that are added or put together over all ranks: those of a piece. */
size_t comm_reduce_bytes(const comm *c, size_t bytes);

/* n bytes of rank `from` at rank 0, in place there; the other ranks do nothing. All ranks call it for the same arrays in the same order. */
void comm_fetch(const comm *c, int from, size_t n, void *value);

/* One value of every rank, on every rank: *out [c->size]. Texts are cut at 255 bytes. */
MUST_CHECK status comm_gather_f64(comm *c, arena *a, double mine, const double **out);
MUST_CHECK status comm_gather_text(comm *c, arena *a, const char *mine, const char *const **out);

/* The exit code all ranks leave with. The lowest rank that knows a cause prints it to stderr, once; `verbose` adds the trace. */
int comm_report(const comm *c, status local, bool verbose);

#endif
