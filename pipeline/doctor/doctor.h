#ifndef PIPELINE_DOCTOR_DOCTOR_H
#define PIPELINE_DOCTOR_DOCTOR_H
/* `pollard doctor`: does this set-up do what a study needs? */
#include "parallel/comm.h"

/* Collective; `c` NULL: one process without MPI. Rank 0 prints a line per check (doctor/checks.def) to stdout. `output`: the result that
 * is to be written, or NULL: one in this folder. Errors: what the failed checks stand for, ST_ENVIRONMENT where that is several things. */
MUST_CHECK status doctor_run(comm *c, const char *output);

#endif
