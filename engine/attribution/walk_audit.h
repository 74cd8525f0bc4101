#ifndef ATTRIBUTION_WALK_AUDIT_H
#define ATTRIBUTION_WALK_AUDIT_H
/* The audit of a walk: for every step that runs a rule, per sample, how much relevance comes in at the layer's output and how much the
 * layer hands on to its inputs, each summed with sign and as absolute values over the elements. It is the layer's own share that counts,
 * before those of several readers of an array are added up. What conserving means for which rule: docs/audit.md. */
#include "attribution/composite.h"

/* A sample's audit is [n_nodes, AUDIT_SUMS]; zeros where no rule is run. The sums are double and rounded once, to float32. */
enum { AUDIT_OUT, AUDIT_ABS_OUT, AUDIT_IN, AUDIT_ABS_IN, AUDIT_SUMS };

/* A step that is audited. */
typedef struct audit_step {
    node_id id;
    const composite_entry *rule; /* NULL: the layer's own */
    bool complete;               /* false: the walk does not go to all inputs, so that their shares are missing in AUDIT_IN */
} audit_step;

/* In the order of the walk, from the logits towards the input. *out [*n] lives in `a`. Errors: those of walk_build (attribution/walk.h). */
MUST_CHECK status walk_audit_steps(arena *a, const graph *g, const composite *c, size_t *n, const audit_step **out);

/* ---- what the sums say ---- */

/* The audited steps' own out of `audit` [n_nodes, AUDIT_SUMS], of one sample or added up over samples: sums [n, AUDIT_SUMS]. */
void audit_select(size_t n, const audit_step steps[], const double *audit, double *sums);

double audit_residual(const double sums[AUDIT_SUMS]); /* (in - out) / abs out: what is gained or lost; NaN where nothing comes in */
double audit_gain(const double sums[AUDIT_SUMS]);     /* abs in / abs out */

/* Relevance explodes in the layer that hands on more than comes in, and more than AUDIT_GROWTH times what the walk started with, both as
 * sums of absolute values. Rules that keep relevance in bounds stay far below (docs/audit.md has measurements); and
 * beyond it float32 rounds what cancels to about 1e4 x 6e-8 = 6e-4 of the start. */
#define AUDIT_GROWTH 1e4

typedef enum audit_finding { AUDIT_FINE, AUDIT_EXPLODES, AUDIT_NOT_FINITE } audit_finding;
typedef struct audit_verdict {
    audit_finding finding;
    size_t step;         /* the first that explodes; or, AUDIT_NOT_FINITE, the first that hands on what is not finite */
    double gain, growth; /* of that step */
} audit_verdict;
audit_verdict audit_judge(size_t n, const double *sums); /* [n, AUDIT_SUMS] in the order of the walk */

/* ---- inside a walk (attribution/walk.c) ---- */

struct walk_program;
typedef struct walk_audit walk_audit;

/* Over the elements of a sample: with sign, absolute. */
typedef double audit_total[2];

/* One array whose totals are wanted. */
typedef struct audit_reading {
    ptrdiff_t buffer; /* as attribution/walk_steps.h has them: R = t f with t in a buffer and f the output of a node */
    node_id factor, at;
    audit_total *total; /* [batch] */
} audit_reading;

/* Where a layer's share t f of an input has to be added to what others have left there, t += before: both are read on the way. */
typedef struct audit_sum {
    const audit_reading *share, *after;
} audit_sum;

MUST_CHECK status walk_audit_build(arena *a, const graph *g, const struct walk_program *p, size_t batch, walk_audit **out);
/* What has to be read when a step has run its rule and before anything is added up; arrays that are known already are not listed. */
size_t walk_audit_readings(const walk_audit *w, size_t step, const audit_reading **out);
/* NULL where nothing is added to the input, or not in this way. */
const audit_sum *walk_audit_sum(const walk_audit *w, size_t step, size_t input);

/* Kernels, n elements a sample. Lanes beyond the channels of an image are 0 and count nothing. */
void walk_audit_total(size_t batch, size_t n, const float *t, const float *f, audit_total *total); /* t f, or t where f is NULL */
void walk_audit_totals(size_t batch, size_t n, const float *t, const float *f, const float *g, audit_total *of_f,
                       audit_total *of_g); /* t f and t g */
/* t f, then t += before, then t f again; f NULL = 1 */
void walk_audit_add(size_t batch, size_t n, const float *before, const float *f, float *t, audit_total *share,
                    audit_total *after);
void walk_audit_row(const walk_audit *w, size_t sample, float *row); /* [n_nodes, AUDIT_SUMS] of the last run */

#endif
