#ifndef PIPELINE_COUNT_H
#define PIPELINE_COUNT_H
/* Numbers in words of the command line: "20", "64,256", "2/5". */
#include <stdbool.h>

#include "core/status.h"

/* The number from 1 to `most` that `text` begins with, and what stands behind it; false: there is none, and nothing is written. */
bool count_at(const char *text, size_t most, size_t *out, const char **behind);

/* `text` as a number from 1 to `most`; `option` is what the message is about. Errors: ST_USAGE. */
MUST_CHECK status count_read(const char *option, const char *text, size_t most, size_t *out);

#endif
