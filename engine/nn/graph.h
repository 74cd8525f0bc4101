#ifndef NN_GRAPH_H
#define NN_GRAPH_H
/* A network as an immutable graph: nodes in topological order, batch norm folded, every prunable layer known.
 * Activations live elsewhere (nn/forward.h). Built by an architecture (nn/archs) from named tensors. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

enum { MAX_INPUTS = 3, MAX_DIMS = 3, MAX_TENSOR_DIMS = 8 };

struct op_def;
struct weight_cut;

/* Shape of one sample: [C,H,W], [T,E] or [F]. */
typedef struct shape {
    size_t rank, dim[MAX_DIMS];
} shape;

size_t shape_count(shape s);    /* product of the dimensions */
size_t shape_channels(shape s); /* C, E or F */
enum { SHAPE_TEXT = 192 };      /* MAX_TENSOR_DIMS numbers of 20 digits */
const char *shape_text(size_t rank, const size_t dim[], char text[SHAPE_TEXT]); /* "[64, 3, 3, 3]" */
const char *shape_pattern_text(size_t rank, const size_t dim[],
                               char text[SHAPE_TEXT]); /* "[any, 3, 3, 3]": 0 matches any */

/* What can be pruned. */
typedef enum component_kind { COMPONENT_NONE, COMPONENT_FILTER, COMPONENT_NEURON, COMPONENT_HEAD } component_kind;
enum { COMPONENT_KINDS = 4 };
const char *component_kind_name(component_kind k); /* "filters", "neurons", "heads" */

/* Depth groups of docs/attribution.md, section j. */
typedef enum depth_group { GROUP_NONE, GROUP_LOW, GROUP_MID, GROUP_HIGH, GROUP_FC } depth_group;
const char *depth_group_name(depth_group g); /* "none", "low", "mid", "high", "fc" */

typedef size_t node_id;

typedef struct node {
    const struct op_def *op;
    const char *
        name; /* the module's name in the state dict where there is one ("features.0"), else derived ("features.0.relu") */
    node_id in[MAX_INPUTS];
    size_t n_in;
    const void *attr;           /* the op's own blob, see its header */
    const float *weight, *bias; /* NULL if none; batch norm already folded in; layout is the op's business */
    size_t n_weight, n_bias;    /* elements */
    const struct weight_cut *cut; /* of a compacted layer: which part of `weight` and `bias` it has (nn/passes/channel_map.h), of n_weight and
                                     n_bias elements; NULL: they are its own */
    const float *norm_scale;    /* [out channels] scale of the batch norm that is folded in, as trained; NULL: there is none */
    shape out;
    component_kind components;            /* COMPONENT_NONE: not prunable */
    size_t n_components, first_component; /* place in the vector of all components of the graph */
    depth_group group;
    bool inserted; /* by a pass, to move numbers: no layer of the architecture, and no entry of a composite is for it */
} node;

/* A tensor of the checkpoint that the network uses. */
typedef struct graph_tensor {
    const char *name;
    size_t rank, dim[MAX_TENSOR_DIMS];
    const float *data; /* the graph's copy, which weight and bias of nodes point into and batch norms were folded from (and into) */
} graph_tensor;

typedef struct graph {
    const char *architecture; /* "vgg", "resnet", "vit" */
    size_t n_nodes;
    const node *nodes; /* nodes[0] is the input, nodes[n_nodes - 1] gives the logits */
    shape input;
    bool blocked_images; /* images are stored in blocks of channels even where only convolutions read them, which else take them as they are:
                            backends have the transpose of those only as a plain loop (nn/forward.c) */
    size_t n_classes;
    size_t n_layers; /* prunable layers in module order (docs/attribution.md, section f) */
    const node_id *layers;
    size_t n_components; /* over all layers and kinds; a component's index is its node's first_component + c */
    size_t n_tensors;
    const graph_tensor *tensors; /* in the order in which the architecture takes them */
} graph;

/* Components of one kind: *out [n] are their indices in the vector of all components, in module order. */
MUST_CHECK status graph_components(arena *a, const graph *g, component_kind kind, size_t *n, const size_t **out);
/* How that list is divided: *size [n_layers] components in each layer that has them. */
MUST_CHECK status graph_layer_sizes(arena *a, const graph *g, component_kind kind, size_t *n_layers,
                                    const size_t **size);

/* Batch norm is folded: a convolution's parameters are its weights and its (folded) bias.
 * Parameters and multiply-adds per sample that the network has and that each component owns: `parameters` and `macs` [n_components] or NULL.
 * A component's own share is what its own output costs (its filter, its row, its head's rows of q, k, v and columns of out_proj). */
void graph_cost(const graph *g, uint64_t *total_parameters, uint64_t *total_macs, uint64_t parameters[],
                uint64_t macs[]);

/* What is left of parameters and multiply-adds when the dead components AND the inputs that only they fed are removed
 * (docs/attribution.md, section h, "Compaction and cost"): their rows, the columns that read them, a dead head's rows
 * of q, k and v. A stream of residual sums keeps the channels that any of its summands has, and what stays alive counts even
 * where all that it feeds is dead (nn/passes/channels.h). `alive` [n_components], 1 = kept. */
MUST_CHECK status graph_cost_left(arena *scratch, const graph *g, const uint8_t alive[], uint64_t *parameters,
                                  uint64_t *macs);

#endif
