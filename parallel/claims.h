#ifndef PARALLEL_CLAIMS_H
#define PARALLEL_CLAIMS_H
/* Units of work, numbered from 0, dealt out to the ranks as they come for them: each unit to one rank, in ascending order within a node.
 *
 * Ranks of rank 0's node share one counter in memory. Another node holds a stock of its own, in memory that its ranks share; the rank that
 * finds it low asks rank 0 for more and goes on with what there is. Rank 0 answers between its own pieces of work (claims_tick), hands
 * out less at a time as less is left (guided self-scheduling: Polychronopoulos and Kuck, IEEE Transactions on Computers C-36, 1987), and
 * stays until all nodes have heard that nothing is left. So nobody waits for a busy rank, unless what is in stock at its node takes
 * less time than one piece of rank 0's. */
#include "parallel/comm.h"

typedef struct claims claims;

/* Collective; once for any number of rounds. Errors: ST_ENVIRONMENT. */
MUST_CHECK status claims_open(comm *c, arena *a, claims **out);

/* Collective: a round of n units, the same n on all ranks. */
void claims_begin(claims *k, size_t n);
/* Local. The next unit of this round; false: none is left, or a rank, this one or another, has rung the alarm (comm_alarm). Waits for nothing
 * but an answer of rank 0. */
bool claims_next(claims *k, size_t *unit);
/* Local: between pieces of work, the shorter the better. */
void claims_tick(claims *k);
/* Local, after the last claims_next(), before the agreement that ends the round; a rank whose work has failed says so first with
 * comm_alarm(). Waits on rank 0 until the other nodes know that nothing is left. */
void claims_end(claims *k);

#endif
