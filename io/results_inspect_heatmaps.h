#ifndef IO_RESULTS_INSPECT_HEATMAPS_H
#define IO_RESULTS_INSPECT_HEATMAPS_H
/* How explanations change under pruning, as a table: a few rates of every curve, means over the seeds. */
#include <stdio.h>

#include "io/h5.h"

/* A file without explanations prints nothing. Errors: ST_DATA naming the object. */
MUST_CHECK status results_inspect_heatmaps(arena *a, const h5_file *f, FILE *to);

#endif
