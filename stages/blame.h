#ifndef STAGES_BLAME_H
#define STAGES_BLAME_H
/* Scores that are not numbers: which layer they come from. */
#include "stages/stage.h"

/* score [graph->n_components] of the cell's model, at least one of them NaN. Always fails: ST_DATA with criterion, model and layer, or
 * ST_ENVIRONMENT (memory). */
MUST_CHECK status blame_layer(const stage_ctx *c, const study_cell *cell, arena *scratch, const double *score);

#endif
