#ifndef PIPELINE_SUBMIT_H
#define PIPELINE_SUBMIT_H
/* `pollard submit CONFIG`: a study as jobs for Slurm, with what the plan says that they need. */
#include "core/arena.h"
#include "pipeline/cli.h"

struct comm;

/* For a login node: starts MPI by itself, for this process alone, and ends it before other programs are started. `c` is the caller's MPI,
 * which must be none. Prints the scripts to stdout, or writes them; with --go hands them to sbatch. Errors: those of a plan; ST_USAGE;
 * ST_CANT_WRITE; ST_ENVIRONMENT where sbatch is missing or refuses. */
MUST_CHECK status submit_study(struct comm *c, const cli *cl);

#endif
