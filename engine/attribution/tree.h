#ifndef ATTRIBUTION_TREE_H
#define ATTRIBUTION_TREE_H
/* Many composites explained in one run. Relevance at a layer depends on the rules above it alone, so walks are the same as far as their
 * composites agree, from the logits down: put together they are a tree, and each part of it is computed once. So are the forward pass, and
 * the forward products of the rules of each layer, for all walks together.
 *
 *   four rules for each of the depth groups fc, high, mid, low: 256 composites, 4 + 16 + 64 + 256 nodes
 *
 * A node is a piece of the walk without a branch. What it shows are the component relevances of the layers that relevance reaches in it, so
 * sums over samples are kept per node, and what a composite gives is put together from the nodes on its path (tree_assemble). Every row is
 * bit for bit that of the composite's own walk (attribution/walk.h) with the same backend and micro-batch.
 *
 * The tree is compiled as a whole, depth first, into one list of steps. A relevance buffer lives from the step that writes it to the last
 * one that reads it in any branch: at a branch exactly the relevances live on that cross it, whatever residual connections there are, and
 * nothing is copied. */
#include "attribution/walk.h"

typedef struct tree tree;

#define TREE_SUMS_ALL SIZE_MAX
/* Room for all of VGG-16-BN's or ResNet-50's with micro-batches of 12 at 224 x 224 (39.4 MiB an image), of ResNet-18's with 79. Without them
 * the grid of 256 composites costs half as much again (docs/benchmarks.md). */
#define TREE_SUMS_DEFAULT ((size_t)512 << 20)
#define TREE_NO_NODE ((size_t)-1)

typedef struct tree_options {
    /* The most memory, in bytes, for forward products that more than one branch needs; what finds no room there is computed again each
     * time, with the same bits. Those that save the most multiply-adds per byte come first. TREE_SUMS_ALL: room for all of them. */
    size_t sums_bytes;
    unsigned without;     /* rewrites that are not made (walk_options) */
    weight_list *weights; /* as in walk_options */
} tree_options;

/* Graph and composites are borrowed for the life of the tree; a composite may be given more than once. n >= 1. Errors: those of
 * walk_build for any of the composites. */
MUST_CHECK status tree_build(arena *a, const graph *g, size_t n, const composite *const composites[], const backend_def *backend,
                             size_t batch, const tree_options *options, tree **out);
/* For tests, benchmarks and forecasts: multiply-adds per image, of convolutions, linear layers and the products of attention; single sums that are
 * computed again (rule_signed.h) do not count. */
typedef struct tree_cost {
    uint64_t forward; /* the pass that all walks share */
    uint64_t sums;    /* forward products of the rules */
    uint64_t back;    /* relevance from layer to layer */
    uint64_t apart;   /* the same results by one walk after the other, each with its forward pass */
} tree_cost;

/* What a tree will take. */
typedef struct tree_need {
    size_t bytes;    /* activations, weights of the rules unless options->weights counts them, relevance, sums, a node's rows, the list of steps */
    size_t n_values; /* tree_values() */
    tree_cost cost;  /* tree_costs() */
} tree_need;
MUST_CHECK status tree_needs(const graph *g, size_t n, const composite *const composites[], const backend_def *backend, size_t batch,
                             const tree_options *options, tree_need *out);
size_t tree_bytes(const tree *t); /* what was taken, which tree_needs() told before */
/* For tests and benchmarks: bytes of the forward products that are kept, did they all live at the same time: what sums_bytes bounds. */
size_t tree_sums_bytes(const tree *t);

/* A layer with components that a node shows. */
typedef struct tree_layer {
    node_id id;
    size_t at; /* its first component's value among the node's */
} tree_layer;

typedef struct tree_node {
    size_t parent; /* TREE_NO_NODE: it starts at the logits. Parents come before their children */
    size_t n_values, first_value; /* components of its layers; where they begin when the values of all nodes stand one behind the other */
    size_t n_layers;
    const tree_layer *layers; /* [n_layers] */
} tree_node;

size_t tree_nodes(const tree *t);
const tree_node *tree_node_at(const tree *t, size_t k);
size_t tree_values(const tree *t); /* of all nodes */
/* The node at which the composite's walk ends; its ancestors are the rest of it. Composites whose differences are nowhere on the way to a
 * component have the same one. TREE_NO_NODE: the network has no components. */
size_t tree_leaf(const tree *t, size_t which);

/* Pieces of work in a run. */
typedef enum tree_work {
    TREE_FORWARD, /* the network, once */
    TREE_SUMS,    /* forward products that are kept */
    TREE_RULE,    /* the rule of a convolution or linear layer */
    TREE_OWN,     /* a layer with a rule of its own */
    TREE_ADD,     /* relevance of several readers is added up */
    TREE_ROWS,    /* components are summed */
    TREE_WORKS
} tree_work;

typedef struct tree_sink {
    void *to;
    /* rows [batch, WALK_MOMENTS, n_values] of a node, both moments of WALK_MOMENTS, valid during the call. Every node with values once
     * in a run, in their order. */
    void (*take)(void *to, size_t node, const float *rows);
    /* Behind each piece of work at a layer: a run takes as long as many walks, and whoever runs it may have to see to something else, or to
     * a clock. NULL: not called. */
    void (*tick)(void *to, tree_work done, node_id layer);
} tree_sink;

/* images [batch, input]; start and label [batch] as for walk_run_from(). */
void tree_run(tree *t, const float *images, const walk_start *start, const size_t label[], const tree_sink *sink);

/* values [tree_values()], one moment of all nodes, of one sample or added up over samples -> out [n_components] of one composite. */
void tree_assemble(const tree *t, size_t which, const double *values, double *out);

tree_cost tree_costs(const tree *t);
static inline uint64_t tree_cost_total(const tree_cost *c)
{
    return c->forward + c->sums + c->back;
}

#endif
