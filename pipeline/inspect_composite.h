#ifndef PIPELINE_INSPECT_COMPOSITE_H
#define PIPELINE_INSPECT_COMPOSITE_H
/* `pollard inspect --composite FILE`: every node of a network with the relevance rule that it gets, none left implicit. */
#include "core/status.h"

/* FILE is a study (all its models under each criterion that uses a composite) or a checkpoint (under the criterion's defaults). */
MUST_CHECK status inspect_composite(const char *path, FILE *to);

#endif
