#ifndef PIPELINE_SEARCH_FORECAST_H
#define PIPELINE_SEARCH_FORECAST_H
/* What a search will do, take and last, told without doing it. */
#include "pipeline/plan.h"
#include "stages/stage.h"

struct search_part; /* a model, or one kind of its components (pipeline/search_forecast.c) */

typedef struct search_forecast {
    size_t n_parts;               /* 0: the study has no search */
    struct search_part *part;
    stage_forecast *stage;        /* [stage_count] memory, items and what is kept of the round that takes most; passes of all rounds at most */
    double *seconds;              /* [stage_count] of this rank; 0 until it was tried, and of stages that a search does not run */
    size_t masks;                 /* bytes for masks that are known, while it runs */
    size_t trials;                /* bytes of what is found, which stay until the end and are in the file */
    size_t n_tuned;               /* criteria that it adds to the study, the last ones of the extended study */
} search_forecast;

/* Local. Counts and memory. *extended: the study with criteria in place of those that the search will find, each like some setting of the space.
 * Errors: ST_CONFIG, as the search itself would have them. */
MUST_CHECK status search_forecast_open(comm *c, arena *a, const study *s, search_forecast *out, study *extended);

/* Collective. Tries one setting of each part for about `budget` seconds together; fills seconds. ctx: of a trial; it is as before afterwards. */
MUST_CHECK status search_forecast_try(stage_ctx *ctx, arena *work, arena *images, double budget, search_forecast *f);

#endif
