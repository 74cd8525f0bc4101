#ifndef PIPELINE_GATHER_AUDIT_H
#define PIPELINE_GATHER_AUDIT_H
/* The audits of the relevance walks: from the sums of the stage `attribute` to the result file, and to a warning. Local. */
#include "io/results.h"
#include "stages/stage.h"

/* Fills `audits` of the results, one for each model and criterion that has one; they point into `a` and the stage's output. */
MUST_CHECK status gather_audits(arena *a, const study *s, const stage_ctx *c, results *out);
/* What identifies the reference sets: *out [s->n_references]. */
MUST_CHECK status gather_sets(arena *a, const study *s, const result_set **out);
size_t gather_audits_bytes(const study *s); /* what that takes */

/* The first layer where relevance explodes, with what to do, as one line of warning for each audit that has such a layer. */
void gather_audits_warn(const results *r);

#endif
