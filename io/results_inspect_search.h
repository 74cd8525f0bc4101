#ifndef IO_RESULTS_INSPECT_SEARCH_H
#define IO_RESULTS_INSPECT_SEARCH_H
/* Searches as tables: the best settings with what they are worth on images and seeds that the search never saw, and what mattered. */
#include <stdio.h>

#include "io/h5.h"

/* A file without searches prints nothing. Errors: ST_DATA naming the object. */
MUST_CHECK status results_inspect_searches(arena *a, const h5_file *f, FILE *to);

#endif
