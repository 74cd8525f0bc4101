#ifndef ATTRIBUTION_WALK_AUDIT_H
#define ATTRIBUTION_WALK_AUDIT_H
/* The audit of a walk: for every step that runs a rule, per sample, how much relevance comes in at the layer's output and how much the
 * layer hands on to its inputs, each summed with sign and as absolute values over the elements. It is the layer's own share that counts,
 * before those of several readers of an array are added up. What conserving means for which rule: docs/attribution.md, section k. */
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

/* A layer explodes when what it hands on is more than AUDIT_GAIN times what came in and more than AUDIT_GROWTH times what the walk
 * started with, both as sums of absolute values, or is not finite. docs/attribution.md, section k, has the measurements behind them. */
#define AUDIT_GAIN 10.0
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

/* One array whose totals are wanted. */
typedef struct audit_reading {
    ptrdiff_t buffer; /* as attribution/walk_steps.h has them: R = t f with t in a buffer and f the output of a node */
    node_id factor, at;
    double (*total)[2]; /* [batch] with sign, absolute */
} audit_reading;

MUST_CHECK status walk_audit_build(arena *a, const graph *g, const struct walk_program *p, size_t batch, walk_audit **out);
/* What has to be read when step i has run its rule: arrays that an earlier step has handed on unchanged are known already. */
size_t walk_audit_readings(const walk_audit *w, size_t step, const audit_reading **out);
/* Totals over t or t f, n elements a sample. f may be NULL. Lanes beyond the channels of an image are 0 and count nothing. */
void walk_audit_total(size_t batch, size_t n, const float *t, const float *f, double (*total)[2]);
void walk_audit_row(const walk_audit *w, size_t sample, float *row); /* [n_nodes, AUDIT_SUMS] of the last run */

#endif
