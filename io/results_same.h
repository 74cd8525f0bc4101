#ifndef IO_RESULTS_SAME_H
#define IO_RESULTS_SAME_H
/* Do two results say the same? Everything counts but /provenance. */
#include <stdbool.h>

#include "core/status.h"

enum { RESULTS_SAME_BYTES = 256 };

/* Both are read as a whole, one variable at a time. what: the first object that differs, and how; "" where *same. Errors: ST_NO_INPUT, ST_DATA,
 * ST_ENVIRONMENT. */
MUST_CHECK status results_same(const char *path, const char *other, bool *same, char what[RESULTS_SAME_BYTES]);

#endif
