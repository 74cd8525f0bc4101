#ifndef PIPELINE_GATHER_HEATMAPS_H
#define PIPELINE_GATHER_HEATMAPS_H
/* From explanations before and after pruning to /heatmaps. */
#include "io/results.h"
#include "stages/stage.h"

/* Local; on rank 0, which has the answers. Leaves out->heatmaps NULL elsewhere and where the study asks for none. */
MUST_CHECK status gather_heatmaps(arena *a, const study *s, const stage_ctx *c, results *out);
size_t gather_heatmaps_bytes(const study *s); /* what that takes */

#endif
