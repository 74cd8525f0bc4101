#ifndef ATTRIBUTION_STEP_RUN_H
#define ATTRIBUTION_STEP_RUN_H
/* Makes the steps of a compiled walk ready and runs them one by one: what a single walk (walk.c) and a tree of walks (tree.c) have in common.
 * Internal to them. */
#include "attribution/product_pool.h"
#include "attribution/walk_steps.h"

/* Where steps are run. All arrays are of the micro-batch. */
typedef struct step_place {
    const graph *g;
    const backend_def *backend;
    size_t batch, lanes;
    forward *forward;     /* the activations */
    const block *buffers; /* relevance, placed in `slab` */
    float *slab, *work;   /* work: of one step */
} step_place;

/* The rule of a step, if its layer takes one and it runs: else *out = NULL. `pool` may be NULL, see rule_layer. */
MUST_CHECK status step_build_rule(arena *a, const step_place *at, const walk_step *s, const walk_options *o, product_pool *pool, bool load,
                                  const rule_plan **out);

float *step_buffer(const step_place *at, buffer_id b); /* NULL for NO_BUFFER */
const float *step_factor(const step_place *at, relevance_at r);
size_t step_floats(const step_place *at, node_id id); /* of a node's output as stored */

/* Relevance from the step's output to its inputs. sums: those of the rule, or NULL (rule_call); component_weight: see relevance_call. */
void step_relevance(const step_place *at, const walk_step *s, const rule_plan *rule, const float *sums, const float *component_weight);
/* The forward products of the rule into out [rule_sums()]. */
void step_find_sums(const step_place *at, const walk_step *s, const rule_plan *rule, float *out);
/* Adds input i's share to what other readers of it have left; s->sum[i].to is a buffer. */
void step_add_up(const step_place *at, const walk_step *s, size_t i);

/* What is to be seen at the step's output, for rows and visitors. */
walk_view step_view(const step_place *at, const walk_step *s);
/* The components there, summed: sample b's begin at absolute + b stride and with_sign + b stride, in the layer's order. */
void step_rows(const step_place *at, const walk_view *v, size_t stride, float *absolute, float *with_sign);

#endif
