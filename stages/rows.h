#ifndef STAGES_ROWS_H
#define STAGES_ROWS_H
/* Scores of single images, with `rows: keep` or `spectrum: true`: for every explained image, in the order of study.explained, the moment that the criterion's
 * score adds up: [explained.n, n_components] float32 of one (model, criterion). They come together on rank 0; another rank holds only
 * those that it has computed itself, and only until rank 0 has them. A criterion whose score is no sum over images has no rows. */
#include "stages/stage.h"

bool rows_exist(const study *s, size_t model, size_t criterion);    /* could be kept */
bool rows_are_kept(const study *s, size_t model, size_t criterion); /* ... and the study wants it, for the result or for the spectrum */
bool rows_are_stored(const study *s);                               /* does the result get them? */
size_t rows_scored(const study *s, size_t criterion);               /* the criterion that is explained for the scores of this one */

typedef struct row_keeper {
    bool keep;          /* false: nothing below is used */
    size_t n_samples, n_components, micro_batch, n_batches;
    size_t moment;      /* where in a row it begins */
    float *all;         /* rank 0: [n_samples, n_components]; else NULL */
    float **mine;       /* other ranks: [n_batches] of this rank's own batches, in the arena */
    arena *arena;
    int64_t *owner;     /* [n_batches] of this rank's own batches its rank, else 0 */
    int rank;
} row_keeper;

/* Local; what rank 0 gathers lives in the stage's arena, the rest in `a`. */
MUST_CHECK status rows_open(const stage_ctx *c, arena *a, size_t model, size_t criterion, row_keeper *out);
/* Local. The first n rows [n, n_values] of micro-batch `index`, which this rank has computed. Errors: ST_ENVIRONMENT. */
MUST_CHECK status rows_keep(row_keeper *k, size_t index, size_t n, const float *rows, size_t n_values);
/* Collective. *out: all rows on rank 0, NULL elsewhere and where nothing is kept. */
void rows_gather(const comm *c, row_keeper *k, const float **out);

/* What is kept of a pair, and what a rank needs for it while the stage runs. */
void rows_forecast(const stage_ctx *c, size_t model, size_t criterion, stage_forecast *out);
/* Of all pairs, whether they are kept or not: on rank 0, and in the file before compression. */
size_t rows_bytes(const study *s);
size_t rows_pair_bytes(const study *s, size_t model); /* of one pair */
extern const size_t rows_auto_bytes; /* up to so many `rows: auto` stores them */

#endif
