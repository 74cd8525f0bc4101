#ifndef ATTRIBUTION_WALK_STEPS_H
#define ATTRIBUTION_WALK_STEPS_H
/* What a compiled walk consists of; internal to those that build it (walk_compile.c, tree_grow.c) and run it (step_run.c, walk.c, tree.c). */
#include "attribution/walk.h"
#include "nn/layout.h"

enum { NO_BUFFER = -1 };
typedef ptrdiff_t buffer_id; /* index into the layout, or NO_BUFFER */

/* Relevance at a node's output: R = t f with t in a buffer and f the output of the node `factor`, or R = t (NO_FACTOR). Buffers are not
 * written to once they stand for a relevance, so that several nodes may share one. */
static const node_id NO_FACTOR = (node_id)-1;
typedef struct relevance_at {
    buffer_id buffer; /* NO_BUFFER: the walk does not go there */
    node_id factor;
} relevance_at;

/* A second reader's share: the sum of both takes the place of the first one's. Shares with different factors are multiplied out. */
typedef struct relevance_sum {
    buffer_id to; /* NO_BUFFER: nothing to add; may be the buffer of `mine` */
    relevance_at mine, before;
} relevance_sum;

typedef struct walk_step {
    node_id id;
    const composite *composite;  /* that the step is of */
    const composite_entry *rule; /* NULL: the layer's own relevance */
    relevance_way way;           /* of the rule at this layer */
    bool nonnegative, gated;   /* of a rule's layer: no input is below 0; the relevance is 0 wherever the output is not above it */
    bool spread_bias;            /* rule_layer */
    bool runs;                   /* false: nothing below is wanted, or the relevance passes as it is */
    relevance_at r_out;
    buffer_id plain;            /* where R is multiplied out first, for layers that only move it; NO_BUFFER = not needed */
    buffer_id r_in[MAX_INPUTS]; /* where the layer writes; NO_BUFFER = not wanted, or written for another input */
    relevance_at share[MAX_INPUTS]; /* what the layer hands on to each input, before `sum`; NO_BUFFER = nothing */
    relevance_sum sum[MAX_INPUTS];
    buffer_id component; /* heads: relevance at the component */
    shape in_shape[MAX_INPUTS];
} walk_step;

static inline bool step_is_gradient(const walk_step *s)
{
    return s->rule != NULL && s->rule->rule->kind == RULE_GRADIENT;
}

typedef struct walk_program {
    size_t n_steps;
    const walk_step *steps; /* from the logits towards the input */
    size_t n_buffers;
    block *buffers;
    size_t slab_floats, work_floats; /* work: of layers with a rule of their own */
    const relevance_at *relevance;   /* [n_nodes] */
    const bool *relu_allowed;        /* [n_nodes] where the relevance is 0 wherever the ReLU's output is */
} walk_program;

/* lanes: channels in a block of an image. */
MUST_CHECK status walk_compile(arena *a, const graph *g, const composite *c, size_t lanes, size_t batch,
                               const walk_options *options, walk_program *out);
/* The same before the buffers have a place: slab_floats is not known. */
MUST_CHECK status walk_compile_steps(arena *a, const graph *g, const composite *c, size_t lanes, size_t batch,
                                     const walk_options *options, walk_program *out);

#endif
