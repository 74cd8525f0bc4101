#ifndef PIPELINE_RUN_H
#define PIPELINE_RUN_H
/* `pollard run`: plan, stages, results. */
#include "parallel/comm.h"
#include "pipeline/cli.h"

/* Collective. */
MUST_CHECK status run_study(comm *c, const cli *cl, int argc, char *const argv[]);

#endif
