#ifndef PIPELINE_INSPECT_H
#define PIPELINE_INSPECT_H
/* `pollard inspect FILE`: what a file is, as a table. */
#include "core/status.h"

/* Recognised by content: a folder is a data set, an HDF5 file a result, anything else a checkpoint. */
MUST_CHECK status inspect_file(const char *path, FILE *to);

#endif
