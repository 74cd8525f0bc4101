#ifndef IO_RESULTS_INSPECT_SPECTRUM_H
#define IO_RESULTS_INSPECT_SPECTRUM_H
/* How many independent components the networks of a result file amount to, as a table: a line for each model, criterion, kind, number of classes
 * and of references, means over the seeds. */
#include <stdio.h>

#include "io/h5.h"

/* A file without spectra prints nothing. Errors: ST_DATA naming the object. */
MUST_CHECK status results_inspect_spectra(arena *a, const h5_file *f, FILE *to);

#endif
