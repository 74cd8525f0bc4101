#ifndef PIPELINE_GATHER_DIFFERENCES_H
#define PIPELINE_GATHER_DIFFERENCES_H
/* How much better one criterion is than another, over the seeds that both have. */
#include "stages/study.h"
#include "io/results.h"

/* Out of out->cells, which are there. */
MUST_CHECK status gather_differences(arena *a, const study *s, results *out);
size_t gather_differences_bytes(const study *s);

#endif
