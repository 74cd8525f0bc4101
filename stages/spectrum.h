#ifndef STAGES_SPECTRUM_H
#define STAGES_SPECTRUM_H
/* Eigenvalues of the covariance of scores over the images of each reference set, for every part of a network, and what they amount to
 * (pruning/spectrum.h). The work is a list of matrices: those up to `spectrum_lapack` are dealt out, each to one rank, so that their bits do not
 * depend on the number of ranks; larger ones lie over all ranks, one after the other. */
#include "pruning/gram.h"
#include "pruning/spectrum.h"
#include "stages/stage.h"

typedef enum spectrum_level { SPECTRUM_LAYER, SPECTRUM_KIND, SPECTRUM_NETWORK, SPECTRUM_LEVELS } spectrum_level;
extern const char *const spectrum_level_names[SPECTRUM_LEVELS + 1];

/* Components that are looked at together: each layer of the kinds that are pruned, then each kind, then all of them. */
typedef struct spectrum_part {
    const char *name; /* of the layer, the kind, or "network" */
    spectrum_level level;
    component_kind kind; /* COMPONENT_NONE: of several kinds */
    size_t n;
    const size_t *component; /* [n] in the graph's vector */
    size_t same_as;          /* an earlier part with the same components, or itself */
} spectrum_part;

/* One (model, criterion). Index of part p under reference set r: r * n_parts + p. */
typedef struct spectrum_pair {
    size_t n_parts;
    const spectrum_part *parts;
    const size_t *order;         /* how many eigenvalues */
    const double *const *values; /* descending */
    const uint8_t *over_ranks;   /* found by ScaLAPACK */
    const spectrum *measures;
} spectrum_pair;

bool spectrum_exists(const study *s, size_t model, size_t criterion); /* has the pair one of its own? */
const spectrum_pair *spectrum_of_pair(const stage_ctx *c, size_t model, size_t criterion); /* that of the same scores; NULL: there is none */

/* Local. Whether the study can have what it asks for on so many ranks, before anything is computed. Errors: ST_CONFIG where no criterion has scores of
 * single images, ST_ENVIRONMENT where a matrix is too large for one rank and there is no ScaLAPACK. */
MUST_CHECK status spectrum_check(const study *s, int ranks);

/* ---- what the files of the stage share ---- */

size_t spectrum_components(const study_model *m); /* of all kinds that are pruned */
MUST_CHECK status spectrum_parts(arena *a, const study_model *m, size_t *n, const spectrum_part **out);

/* A matrix to be solved. */
typedef struct spectrum_task {
    size_t reference, part, order, length; /* length: of the sums that make an element */
    size_t index;                          /* of spectrum_pair */
    int rank;                              /* that solves it; -1: all do */
} spectrum_task;

/* Those of a model's parts under all reference sets, those of all ranks last, with their ranks: the dearest first, each to the rank that has least
 * to do. */
MUST_CHECK status spectrum_tasks(arena *a, const study *s, int ranks, size_t n_parts, const spectrum_part parts[], size_t *n, spectrum_task **out);
double spectrum_cost(const spectrum_task *t); /* multiply-adds, roughly */

/* Where the images of a reference set are among the explained ones. */
MUST_CHECK status spectrum_samples(arena *a, const study *s, size_t reference, const size_t **out);

MUST_CHECK status spectrum_forecast(stage_ctx *c, arena *scratch, stage_forecast *out);
MUST_CHECK status spectrum_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds);

#endif
