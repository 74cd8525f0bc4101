#ifndef PIPELINE_DRY_RUN_H
#define PIPELINE_DRY_RUN_H
/* `pollard plan CONFIG` and `pollard run --dry-run CONFIG`: what a run would do, with memory and time, without doing it. */
#include "parallel/comm.h"
#include "pipeline/cli.h"

/* Collective. Rank 0 prints to stdout; nothing is written to disk. */
MUST_CHECK status dry_run(comm *c, const cli *cl);

#endif
