#ifndef PIPELINE_SEARCH_FORECAST_H
#define PIPELINE_SEARCH_FORECAST_H
/* What a search will do, take and last, told without doing it. */
#include "pipeline/plan.h"
#include "stages/stage.h"

/* A model, or one kind of its components. */
typedef struct search_part {
    size_t model, kind;
    double settings; /* how often the curves of one setting on everything would take as long as those of all rounds */
    double macs;     /* multiply-adds of all explanations */
    double rankings; /* settings that are ranked, in all rounds */
    size_t masks, predictions, sums; /* bytes for masks that are known, for what the unpruned network has said, and for sums of relevance */
} search_part;

typedef struct search_forecast {
    size_t n_parts;               /* 0: the study has no search */
    search_part *part;            /* [n_parts] */
    stage_forecast *stage;        /* [stage_count] memory, items and what is kept of the round that takes most; neither passes nor masks */
    size_t *fewest;               /* [stage_count] items of the round that has least, which no more ranks than that can share */
    double *seconds;              /* [stage_count] of this rank; 0 until it was tried, and of stages that a search does not run */
    size_t known;                 /* bytes for masks and sums that are known, while it runs: of the part that has most */
    size_t lists;                 /* bytes of settings and samples of the round that has most of them */
    size_t drawn;                 /* bytes of tasks and samples of all searches, which stay until the end */
    size_t proposals;             /* bytes of a proposal by a process, between two rounds */
    double proposal_seconds;      /* of each rank, since all of them work out all proposals; 0 until it was tried */
    size_t trials;                /* bytes of what is found, which stay until the end and are in the file */
    size_t n_tuned;               /* criteria that it adds to the study, the last ones of the extended study */
} search_forecast;

/* Local. Counts and memory. *extended: the study with criteria in place of those that the search will find, each some setting of the space.
 * Errors: ST_CONFIG, as the search itself would have them. */
MUST_CHECK status search_forecast_open(comm *c, arena *a, const study *s, search_forecast *out, study *extended);

/* Collective. Tries one setting of each part for about `budget` seconds together; fills seconds. ctx: of a trial; it is as before afterwards. */
MUST_CHECK status search_forecast_try(stage_ctx *ctx, arena *work, arena *images, double budget, search_forecast *f);

#endif
