#ifndef PIPELINE_WINOGRAD_H
#define PIPELINE_WINOGRAD_H
/* What `convolutions: winograd` comes to with this backend on this processor: which layers `evaluate` runs that way, and the words for it. */
#include "parallel/comm.h"
#include "stages/study.h"

/* Local. Which layers of the model, in micro-batches of the study's size; none where the study wants direct ones. */
MUST_CHECK status winograd_find(arena *a, const config *cfg, const backend_def *backend, study_model *m);
bool winograd_any(const study *s); /* of any model */
/* "net: 13 of 15 convolutions: conv1, conv2 ...", a line for each model, or "none"; NULL: memory is gone. */
const char *winograd_text(arena *a, const study *s);
/* A log line for each model; a warning where the study asks for what is not here. */
void winograd_announce(const study *s);

#endif
