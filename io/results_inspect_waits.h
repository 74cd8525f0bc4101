#ifndef IO_RESULTS_INSPECT_WAITS_H
#define IO_RESULTS_INSPECT_WAITS_H
/* How long the ranks of a run waited for images, stage by stage. */
#include "io/h5.h"

/* Prints nothing for a file in which it is not recorded. Errors: ST_DATA. */
MUST_CHECK status results_inspect_waits(arena *a, const h5_file *f, FILE *to);

#endif
