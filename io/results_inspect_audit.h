#ifndef IO_RESULTS_INSPECT_AUDIT_H
#define IO_RESULTS_INSPECT_AUDIT_H
/* Of every audit in a result file the worst layers, as a table. */
#include <stdio.h>

#include "io/h5.h"

/* A file without audits prints nothing. Errors: ST_DATA naming the object. */
MUST_CHECK status results_inspect_audits(arena *a, const h5_file *f, FILE *to);

#endif
