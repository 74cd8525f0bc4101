#ifndef PIPELINE_EXPORT_CHOOSE_H
#define PIPELINE_EXPORT_CHOOSE_H
/* Which cell and rate of a result the options mean. */
#include "io/results_read.h"
#include "pipeline/cli.h"

/* *cell, *rate: places in `cells`. Errors: ST_USAGE naming the option, and what there is to choose from. */
MUST_CHECK status export_choose(arena *a, const cli *cl, const results_cells *cells, size_t *cell, size_t *rate);

#endif
