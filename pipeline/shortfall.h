#ifndef PIPELINE_SHORTFALL_H
#define PIPELINE_SHORTFALL_H
/* What the jobs of an array have not computed, for who merges them or ends one: every kind of items with its number. */
#include <stdio.h>

#include "stages/stage.h"

/* The same on all ranks: ST_NO_INPUT where something is missing. */
MUST_CHECK status shortfall_check(arena *a, const stage_ctx *s);
/* Whether the next stages would follow from what is not there. */
bool shortfall_ends(const stage_ctx *s);
/* At the end of a job of an array. */
MUST_CHECK status shortfall_print(arena *a, FILE *to, const item_service *i);

#endif
