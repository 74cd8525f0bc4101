#ifndef PRUNING_CRITERION_H
#define PRUNING_CRITERION_H
/* The family of criteria: one file each in pruning/criteria/, listed in criteria.def. One contract for all:
 * a criterion of samples gives per sample a row of numbers; rows are summed exactly over the reference samples (engine knows no ranks), and
 * finish() turns the sums into a score per component, higher = keep. A criterion without samples gives the scores at once.
 *
 * A row is [moment, component] and then n_extra() numbers of the criterion's own (norms of inputs, an audit ...). */
#include "core/arena.h"
#include "core/field.h"
#include "core/status.h"
#include "nn/forward.h"
#include "nn/graph.h"

struct composite;  /* attribution/composite.h */
struct audit_step; /* attribution/walk_audit.h */

typedef struct criterion_setup {
    const graph *graph;
    const backend_def *backend;
    size_t batch;             /* micro-batch */
    const double *parameters; /* in the order of the fields */
    const struct composite *composite; /* that the study states for a criterion with takes_composite; NULL: by the parameters */
    size_t n_channels;        /* how the images were normalised, x = (pixel - mean) / std for each channel; 0: not known */
    const float *mean, *std;
    weight_list *weights;     /* where open() wants weights in the kernels' order; NULL: in its arena. rows() may not be called before they
                               * are there. bytes() counts there what is not in its answer */
} criterion_setup;

/* A micro-batch. */
typedef struct criterion_batch {
    const float *images;    /* [batch, input] */
    const size_t *target;   /* [batch] */
    const uint64_t *sample; /* [batch] what identifies the sample, whichever slot it is in: random numbers are keyed by it */
} criterion_batch;

#define NO_MOMENT ((size_t)-1)

typedef struct criterion_def {
    const char *name, *help;
    const field *fields;
    size_t n_fields;
    bool uses_samples;    /* else scores() */
    bool uses_seed;       /* scores depend on the seed (random) */
    bool takes_composite; /* the study may state a list of rules for it */
    bool logits_only;     /* asks only for what the logits depend on (relevance or derivatives of them, not activations): its graph comes
                             without the token rows that they do not depend on (nn/passes/needed_rows.h) */
    size_t n_moments;
    const char *const *moments; /* names, for the results */
    size_t (*n_extra)(const criterion_setup *s);             /* NULL = 0 */
    /* How often a micro-batch goes through the network, forward and where there is a walk back; NULL = 1. For plan and progress. */
    size_t (*passes)(const criterion_setup *s);
    status (*open)(arena *a, const criterion_setup *s, void **state);
    status (*bytes)(const criterion_setup *s, size_t *out);  /* what open() will take; its errors */
    void (*rows)(void *state, const criterion_batch *b, float *rows); /* [batch, criterion_row()] */
    /* sums [criterion_row()] of n_samples rows -> score [n_components] */
    void (*finish)(const criterion_setup *s, size_t n_samples, const double *sums, double *score);
    /* Which moment the score adds up over the samples, so that a sample has a score of its own; NULL or NO_MOMENT: the score is no such sum. */
    size_t (*score_moment)(const criterion_setup *s);
    /* Whether the network has what the criterion looks at, before anything is computed; NULL: every network has. Errors: ST_CONFIG. */
    status (*check)(const criterion_setup *s);
    /* [n_components], of a network that check() lets pass. */
    status (*scores)(const criterion_setup *s, uint64_t seed, double *score);
    /* The relevance rule of every layer, as open() takes it; NULL for criteria without a relevance walk. */
    status (*composite)(arena *a, const criterion_setup *s, const struct composite **out);
    /* The audit of the relevance walk: its [n_nodes, AUDIT_SUMS] are the last numbers of a row. *n = 0 where the parameters switch it
     * off; NULL for criteria without one. */
    status (*audit)(arena *a, const criterion_setup *s, size_t *n, const struct audit_step **out);
} criterion_def;

size_t criterion_row(const criterion_def *c, const criterion_setup *s);    /* numbers of a row */
size_t criterion_score_moment(const criterion_def *c, const criterion_setup *s);
size_t criterion_audit(const criterion_def *c, const criterion_setup *s);  /* where in a row the audit begins, if there is one */
size_t criterion_passes(const criterion_def *c, const criterion_setup *s); /* at least 1 */
status criterion_check(const criterion_def *c, const criterion_setup *s);

extern const criterion_def *const criterion_table[];
extern const size_t criterion_count;
const criterion_def *criterion_find(const char *name); /* NULL if unknown */

enum { MAX_CRITERION_PARAMETERS = 32 };

#endif
