#ifndef PIPELINE_GATHER_ROWS_H
#define PIPELINE_GATHER_ROWS_H
/* The scores of single images, from the stage `attribute` to the result file. Local; only rank 0 has them. */
#include "io/results.h"
#include "stages/stage.h"

/* Fills `rows` of the results; they point into `a`, the study and the stage's output. */
MUST_CHECK status gather_rows(arena *a, const study *s, const stage_ctx *c, results *out);
size_t gather_rows_bytes(const study *s); /* what that takes; the scores are the stage's */

/* What `rows: keep` costs, whether the study says so or not: scores on rank 0 from `attribute` to the end; in the file, before
 * compression, these and their mean and variance by class. */
size_t gather_rows_kept_bytes(const study *s);
size_t gather_rows_file_bytes(const study *s);

/* The first criterion with the same scores that is for the model too: a group of its name in the file is that of all. */
size_t gather_first_scored(const study *s, size_t model, size_t criterion);
bool gather_rows_stored(const study *s);    /* does the result get them? */
size_t gather_rows_auto_bytes(void);        /* up to how many `rows: auto` stores */

#endif
