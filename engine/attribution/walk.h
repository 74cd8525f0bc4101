#ifndef ATTRIBUTION_WALK_H
#define ATTRIBUTION_WALK_H
/* The relevance walk, compiled: graph + composite -> a flat list of steps with planned buffers. Goes only where a component is
 * on the way to the input: below the lowest prunable layers nothing is computed. */
#include "attribution/composite.h"
#include "attribution/start.h"
#include "nn/forward.h"

typedef struct walk walk;

/* Per-sample component scores (docs/attribution.md, section f): relevance at the component's output, summed over space
 * or keys with sign, then
 *   WALK_ABSOLUTE  sum over tokens of the absolute value (convolutions have one token)
 *   WALK_SIGNED    sum over tokens */
enum { WALK_ABSOLUTE, WALK_SIGNED, WALK_MOMENTS };

/* Rewrites of the plan that leave work out without changing what is computed, and parts of it for tests that compare. */
enum {
    REWRITE_NONNEGATIVE = 1, /* inputs that cannot be negative have no terms of negative inputs */
    REWRITE_GATED = 2,       /* no terms of outputs that a ReLU sets to 0, where the layer above multiplies by them */
    REWRITE_SIGNS = 4        /* rules of sums by sign share their products (attribution/rule_signed.h) */
};

typedef struct walk_options {
    bool keep;           /* no buffer is used twice, for walk_read_relevance() */
    bool to_input;       /* relevance goes down to the image; else no further than a component is on the way */
    const composite_entry *const *rules; /* [n_nodes] of a graph that a pass has made, as composite_resolve() gives them for the one that the
                                            composite is for; NULL: resolved in the walk's own graph. Borrowed */
    const bool *watched; /* [n_nodes] it also goes to these nodes and shows them to the visitor of walk_backward(); NULL: none. Borrowed */
    unsigned without;    /* rewrites that are not made */
    weight_list *weights; /* where weights in the kernels' order are wanted; NULL: in the walk's arena. Not before they are there may it run */
} walk_options;

/* Graph and composite are borrowed for the life of the walk. Errors: ST_CONFIG (composite_resolve), ST_ENVIRONMENT (memory). */
MUST_CHECK status walk_build(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch,
                             walk **out);
MUST_CHECK status walk_build_with(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch,
                                  const walk_options *options, walk **out);
/* Bytes that a walk will take, activations and relevance together; what it wants of options->weights is counted there. Errors: those of
 * walk_build. */
MUST_CHECK status walk_needs(const graph *g, const composite *c, const backend_def *backend, size_t batch, size_t *bytes);
MUST_CHECK status walk_needs_with(const graph *g, const composite *c, const backend_def *backend, size_t batch,
                                  const walk_options *options, size_t *bytes);

/* What the walk does at a node. */
typedef enum walk_way {
    WALK_ABSENT,  /* no component is here or nearer to the input */
    WALK_ENDS,    /* relevance comes as far as this node's output; nothing below is wanted */
    WALK_PASSES,  /* it is the relevance of the input too, without a computation */
    WALK_COMPUTES /* the node's rule is run */
} walk_way;
MUST_CHECK status walk_ways(arena *a, const graph *g, const composite *c, const walk_way **out); /* [n_nodes] */

/* images [batch, input], target [batch] class whose logit starts with relevance 1 (docs/attribution.md, section e),
 * below n_classes; rows [batch, WALK_MOMENTS, n_components]. */
void walk_run(walk *w, const float *images, const size_t target[], float *rows);
/* The same from another start; rows [batch] are `stride` floats apart and begin with [WALK_MOMENTS, n_components]. */
void walk_run_from(walk *w, const float *images, const walk_start *start, const size_t label[], size_t stride,
                   float *rows);

/* The pieces of a run, for methods that go through the network more often or want something else at the components than those sums:
 * walk_forward(), then the relevance of the logits into walk_initial(), then walk_backward(). */
void walk_forward(walk *w, const float *images);
forward *walk_activations(const walk *w); /* what the forward pass has left, and the walk reads */
float *walk_initial(walk *w);             /* [batch, n_classes]; NULL where the network has no components */

/* What is seen on the way down at a layer with components, and at a node that is watched. Arrays as stored, of the micro-batch. */
typedef struct walk_view {
    node_id id;
    const float *r, *factor; /* relevance at the node's output: R = r factor, or r where factor is NULL */
    const float *component;  /* heads: relevance at the component [batch, tokens, heads]; else NULL */
} walk_view;

typedef struct walk_visitor {
    void *to;
    void (*visit)(void *to, const walk_view *v);
    /* Under the rule gradient: what heads' derivatives are multiplied with before the sum over keys [batch, heads, tokens, keys]; NULL as
     * function or as answer: 1. */
    const float *(*component_weight)(void *to, node_id id);
    node_id last; /* the walk ends when this node has been seen; 0: it goes all the way */
} walk_visitor;
void walk_backward(walk *w, const walk_visitor *v);

/* For tests and audits: relevance at a node's output after walk_run, [batch, out] in plain order; false where the walk does not go. Only
 * when built with walk_build_keeping(): no buffer is used twice. */
MUST_CHECK status walk_build_keeping(arena *a, const graph *g, const composite *c, const backend_def *backend,
                                     size_t batch, walk **out);
bool walk_read_relevance(const walk *w, node_id id, float *out);
/* Relevance of the image after a run of a walk with to_input: [batch, input] in plain order; zeros where none comes there. */
void walk_read_input(const walk *w, float *out);
size_t walk_bytes(const walk *w); /* for tests: what the built walk has taken, which walk_needs() told before */
/* For tests and benchmarks: how often a run computes the product that a convolution or linear layer is, forward or transposed, beyond the
 * forward pass: what its rule costs. */
size_t walk_products(const walk *w, node_id id);

/* From now on runs are audited (attribution/walk_audit.h): walk_read_audit() tells of the last one, [n_nodes, AUDIT_SUMS]. The rows stay
 * the same. */
MUST_CHECK status walk_start_audit(arena *a, walk *w);
void walk_read_audit(const walk *w, size_t sample, float *out);

#endif
