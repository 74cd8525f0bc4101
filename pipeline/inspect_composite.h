#ifndef PIPELINE_INSPECT_COMPOSITE_H
#define PIPELINE_INSPECT_COMPOSITE_H
/* `pollard inspect --composite FILE`: every node of a network with the relevance rule that it gets, none left implicit. */
#include "core/status.h"

/* FILE is a study (all its models under each criterion that has rules) or a checkpoint (under the defaults of each criterion that has
 * rules). `sets` are "key=value": of the study, or for a checkpoint of the criterion ("composite=epsilon-plus"). */
MUST_CHECK status inspect_composite(const char *path, size_t n_sets, const char *const sets[], FILE *to);

#endif
