#ifndef IO_RESULTS_INSPECT_CURVES_H
#define IO_RESULTS_INSPECT_CURVES_H
/* The curves of a result file as tables: accuracy, the worst class, agreement with the unpruned network, loss. */
#include <stdio.h>

#include "io/h5.h"

/* Errors: ST_DATA naming the object. */
MUST_CHECK status results_inspect_curves(arena *a, const h5_file *f, FILE *to);

#endif
