#ifndef PIPELINE_ALIKE_H
#define PIPELINE_ALIKE_H
/* Nodes that are unlike each other: a sample's bits must not depend on the node that happens to compute it. */
#include "backend/backend.h"
#include "parallel/comm.h"

/* Collective. Program, libraries and the kernels that they have chosen for the processor must be the same on all ranks. Errors, on every
 * rank: ST_ENVIRONMENT with what differs, where, and what makes it equal. */
MUST_CHECK status alike_check(comm *c, arena *a, const backend_def *backend);

/* Advice for ranks with these backend versions [n]: the variables that bring all of them to the lowest instruction set. NULL: no memory. */
const char *alike_advice(arena *a, size_t n, const char *const version[]);

#endif
