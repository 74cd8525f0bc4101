#ifndef ATTRIBUTION_TREE_GROW_H
#define ATTRIBUTION_TREE_GROW_H
/* What a compiled tree of walks consists of, and how it grows out of the composites' own walks; internal to tree*.c. */
#include "attribution/rule_driver.h"
#include "attribution/tree.h"
#include "attribution/walk_steps.h"

#define NO_SUMS ((size_t)-1)

typedef struct tree_step {
    walk_step step;        /* its buffers are the tree's */
    const rule_plan *rule; /* NULL: the layer's own, or none */
    size_t sums;           /* index of what it needs of forward products; NO_SUMS: nothing, or found on the way */
    bool shows;            /* its layer's components are shown behind it */
} tree_step;

typedef struct tree_part { /* of a node */
    size_t first_step, n_steps;
    size_t n_ahead; /* layers whose components are shown behind the last step: steps below, of all branches, that start from the same relevance */
    walk_step *ahead;
} tree_part;

typedef struct tree_program {
    size_t n_steps;
    tree_step *steps; /* depth first: a node's steps one behind the other, its children's after them */
    size_t n_nodes, n_values, most_values;
    tree_node *nodes;
    tree_part *parts;   /* [n_nodes] */
    size_t *leaf;       /* [n composites] */
    size_t n_buffers;   /* the first one is where the logits' relevance starts */
    block *buffers;     /* lives in terms of steps; not placed yet */
    size_t work_floats; /* of layers with a rule of their own */
    bool *relu_allowed; /* [n_nodes of the graph] by every composite */
} tree_program;

MUST_CHECK status tree_grow(arena *a, const graph *g, size_t n, const composite *const composites[], size_t lanes, size_t batch,
                            const walk_options *options, tree_program *out);

/* Whether both steps, of the same layer, compute the same from the same relevance: rules and parameters, and what else they depend on. */
bool tree_same_step(const graph *g, const walk_step *a, const walk_step *b);

#endif
