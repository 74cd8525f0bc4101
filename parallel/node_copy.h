#ifndef PARALLEL_NODE_COPY_H
#define PARALLEL_NODE_COPY_H
/* What rank 0 has, once on every node, for all ranks of it to read. */
#include "parallel/node.h"

/* Collective. bytes are the same on all ranks, `mine` counts on rank 0 alone; `what` it is, for messages. *out: `mine` where
 * there is one rank, else in memory that goes with the arena. Errors: those of node_block_open(). */
MUST_CHECK status node_copy(comm *c, arena *a, const char *what, size_t bytes, const void *mine, const void **out);
/* What that takes of the memory that the ranks of this node share, and of this rank's arena. */
size_t node_copy_shared(const comm *c, size_t bytes);
size_t node_copy_bytes(const comm *c, size_t bytes);

#endif
