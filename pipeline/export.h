#ifndef PIPELINE_EXPORT_H
#define PIPELINE_EXPORT_H
/* `pollard export`: a pruned network of a finished result as files (docs/export.md). One process, without MPI. */
#include <stdio.h>

#include "pipeline/cli.h"

/* Errors: ST_USAGE (options leave no cell, or several), ST_NO_INPUT, ST_DATA (result damaged, or not of this checkpoint), ST_CANT_WRITE. */
MUST_CHECK status export_run(const cli *cl, FILE *to);

#endif
