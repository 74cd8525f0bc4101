#ifndef PARALLEL_NODE_H
#define PARALLEL_NODE_H
/* Memory that the ranks of a node share: one copy of what is written once and then read by all. A block is a file in memory, mapped by
 * each rank and without a name as soon as all have it, so that nothing is left behind when they end, however they end. Its pages are
 * taken before anybody touches it: where there is no room, that is an error and no SIGBUS. */
#include "parallel/comm.h"

typedef struct node_block {
    void *data; /* [bytes], zeros, aligned to 64 bytes; the same memory on all ranks of the node */
    size_t bytes;
    bool shared; /* false: the node has one rank, and the block lies in its arena */
} node_block;

/* Bytes free in the folder for such memory, on this rank's host; < 0: not known. */
double node_shared_room(const comm *c);

/* Collective. `what` it is for, in messages ("the weights of ..."); bytes are the same on all ranks of a node. It goes with the arena, without another rank.
 * Errors: ST_ENVIRONMENT where the folder for it has no room or cannot be used. */
MUST_CHECK status node_block_open(comm *c, arena *a, const char *what, size_t bytes, node_block *out);

/* Collective. Each rank brings how its share of the filling went; all leave with the same verdict. From then on all ranks see everything that
 * was written, and nobody can write any more. */
MUST_CHECK status node_block_ready(comm *c, const node_block *b, status local);

#endif
