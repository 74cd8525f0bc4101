#ifndef PIPELINE_VERIFY_H
#define PIPELINE_VERIFY_H
/* `pollard verify CONFIG`: the promise of the same bits, tried on the machine at hand. */
#include "parallel/comm.h"
#include "pipeline/cli.h"

/* Collective. Runs the study straight on all ranks of the job; on fewer ranks where there are several; and interrupted, then resumed on
 * another number of ranks; and compares the results. Errors: those of a run; ST_BUG where two results differ, naming the first object that
 * does, with both files left for a closer look. */
MUST_CHECK status verify_study(comm *c, const cli *cl, int argc, char *const argv[]);

#endif
