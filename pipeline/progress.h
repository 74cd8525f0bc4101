#ifndef PIPELINE_PROGRESS_H
#define PIPELINE_PROGRESS_H
/* How far a run is. Rank 0 speaks for all: one line that redraws on a terminal, a plain line every few seconds in a batch log. */
#include <stdbool.h>
#include <stddef.h>

typedef struct progress {
    bool speaks, terminal;
    const char *stage;
    int ranks;
    double total, done;      /* of this rank, in images */
    double started, last;    /* seconds of log_seconds() */
} progress;

void progress_start(progress *p, int rank, int ranks);
void progress_stage(progress *p, const char *stage, double total); /* begins a stage of this much work */
void progress_tick(void *p, double images);                        /* stage_ctx.tick */
void progress_skip(void *p, double images);                        /* item_service.skip: so much less is to be done */
void progress_end(progress *p);                                    /* leaves the terminal line clean */

#endif
