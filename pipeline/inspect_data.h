#ifndef PIPELINE_INSPECT_DATA_H
#define PIPELINE_INSPECT_DATA_H
/* `pollard inspect` of images: a folder of class folders, tar shards, a pack. */
#include <stdbool.h>
#include <stdio.h>

#include "core/status.h"

/* Classes with their images and bytes, sizes, formats, what is odd, five examples. Looks at the beginning of every image. */
MUST_CHECK status inspect_data(const char *path, FILE *to);

#endif
