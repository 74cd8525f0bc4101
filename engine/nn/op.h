#ifndef NN_OP_H
#define NN_OP_H
/* The layer family: one file each in nn/ops/, listed in nn/ops/ops.def. A layer does not know relevance rules: a convolution or linear
 * layer says which `product` it is, from which the rule driver builds every rule; a layer that has a relevance rule of its own
 * (docs/attribution.md, sections b and d) offers `relevance`. Kernels get arrays as nn/images.h stores them, never allocate and cannot fail. */
#include "backend/backend.h"
#include "nn/graph.h"
#include "nn/images.h"
#include "nn/passes/channel_map.h"
#include "nn/product.h"

/* One call of a layer over a micro-batch: arrays [batch, ...] one sample after the other. */
typedef struct op_call {
    const node *node;
    const backend_def *backend;
    size_t batch, block;   /* block: channels in a block of an image */
    const shape *in_shape; /* [n_in] */
    const float *in[MAX_INPUTS];
    float *out;
    float *saved;           /* [batch, saved()] what the walk needs again (winners, attention); may be NULL, see op_def */
    float *work;            /* what the product's plan asks for */
    const product *product; /* of layers that are one */
    bool relu;              /* sums: max(., 0) at the end */
    const uint8_t *alive;   /* attention: [node->n_components] or NULL = all: what dead heads give is exactly 0 */
} op_call;

/* One step of the relevance walk for layers with a rule of their own. Relevance is kept as a quotient where that spares work: an array t
 * with a factor f stands for the relevance R = t f. What comes in may be either; what goes to an input is the quotient by the
 * input, R_in = r_in[i] in[i], except for RELEVANCE_MOVES. r_in[i] is overwritten; NULL = not wanted, or not reached. */
typedef struct relevance_call {
    const node *node;
    const backend_def *backend;
    size_t batch, block;
    const shape *in_shape;
    const float *in[MAX_INPUTS], *out, *saved;
    const float *r_out, *factor; /* factor NULL: r_out is the relevance itself */
    float *r_in[MAX_INPUTS];     /* distinct from r_out; only r_in[0] for RELEVANCE_SHARED */
    float *
        component; /* relevance at the component, where that is not the output (heads): [batch, tokens, n_components], or NULL */
    const float *component_weight; /* gradient of heads: what it is multiplied with before the sum over keys [batch, heads, tokens, keys];
                                      NULL = 1 */
    float *work;      /* [relevance_workspace()] */
    double epsilon;   /* stabiliser */
    int softmax_rule; /* attention: index into softmax_rule_names */
} relevance_call;

/* What becomes of relevance on its way through a layer with a rule of its own. */
typedef enum relevance_way {
    RELEVANCE_NONE,     /* it cannot go on, or the layer takes a rule */
    RELEVANCE_PASSES,   /* the same array is the relevance at the input: no call */
    RELEVANCE_MOVES,    /* elements change place only: relevance stays relevance; the quotient by `out` becomes the quotient by `in` */
    RELEVANCE_SHARED,   /* one quotient for all inputs */
    RELEVANCE_QUOTIENTS, /* a quotient for each input */
    RELEVANCE_WHOLE      /* the relevance itself for each input: for rules that do not end with the factor x. r_out is the relevance
                            itself too: factor is NULL */
} relevance_way;

enum { READS_EPSILON = 1, READS_SOFTMAX_RULE = 2 };

typedef struct op_cost {
    uint64_t parameters, macs; /* multiply-adds per sample */
} op_cost;

/* An attribute of a layer, for whoever writes the network down: "kernel" = [3, 3], "heads" = 12, "eps" = 1e-6. */
typedef struct op_fact {
    const char *name;
    size_t n;        /* numbers in `count`; 0: `real` */
    size_t count[2];
    double real;
} op_fact;
enum { MAX_OP_FACTS = 6 };

/* A layer of a whole network that is to be compacted. */
typedef struct shrink_call {
    arena *arena;
    const node *node;      /* in the whole network */
    const shape *in_shape; /* [n_in] there */
    const channel_map *in; /* [n_in] what is left of its inputs */
    const uint8_t *kept;   /* [channels] of its output */
    size_t block;          /* of the backend */
} shrink_call;

typedef struct op_def {
    const char *name, *help;
    size_t n_in;
    /* Output shape from the input shapes; checks attributes and weight counts. Errors: ST_DATA. */
    status (*infer)(const node *n, const shape in[], shape *out);
    size_t (*saved)(const node *n, const shape in[], size_t block); /* floats per sample; NULL = 0 */
    bool forward_needs_saved; /* else `saved` is NULL where no walk follows */
    void (*forward)(const op_call *c);
    void (*from_saved)(const op_call *c); /* layers whose component is what they save (heads): the output that follows from `saved` */
    /* Convolution and linear layers: the shape of the product of `weight` (as on the node) and the input. NULL = not linear. */
    void (*product)(const node *n, const shape in[], conv_shape *out);
    relevance_way way;
    size_t (*relevance_workspace)(const node *n, const shape in[], size_t batch, size_t block); /* floats; NULL = 0 */
    void (*relevance)(const relevance_call *c);
    const char *relevance_name; /* of its own rule: "pass", "norm", "winner" ...; NULL for layers that take a rule */
    unsigned relevance_reads;   /* what of relevance_call it depends on: READS_... */
    bool (*reaches)(int softmax_rule, size_t input); /* does its own relevance go on to this input? NULL: to all */
    /* The derivative (rule `gradient`): r_out is the derivative of a number by the output, r_in by each input. PASSES and MOVES as above,
     * else WHOLE; NONE: it has none. Convolutions and linear layers leave it to the rule driver. */
    relevance_way gradient_way;
    size_t (*gradient_workspace)(const node *n, const shape in[], size_t batch, size_t block); /* floats; NULL = 0 */
    void (*gradient)(const relevance_call *c);
    bool nonnegative, keeps_nonnegative; /* no output is below 0: of any inputs; where no input is */
    /* Bit i: row t of the output [T,.] is made of row t of input i alone (and of the other inputs as a whole), so that one row can be
     * computed alone (nn/passes/needed_rows.h). */
    unsigned by_row;
    bool takes_relu; /* forward looks at op_call.relu */
    bool in_place;              /* forward may write over an input that nobody reads after it: out may be the memory of any of them */
    bool (*writes_over)(const node *n, size_t input); /* in_place: can this input be the one? NULL: yes */

    /* For compaction (docs/attribution.md, section h). A channel is dim[0] of [C,H,W] and an element of the last axis
     * of [T,E] and [F]; it lives (1) unless it is exactly 0 for every sample because components are dead. */
    void (*live)(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live); /* NULL: all live */
    /* Input channels that are read at all with these components; in_needed[i] comes zeroed. NULL: all are. */
    void (*needs)(const node *n, const shape in[], const uint8_t *alive, uint8_t *const in_needed[]);
    /* The layer with what is left: *out comes as a copy of the node, with its new inputs, and gets what changes of attributes and
     * weights; *map: its output. NULL: it takes its inputs and gives its output whole. */
    status (*shrink)(const shrink_call *c, node *out, channel_map *map);
    bool (*takes_whole)(const node *n); /* shrink() wants all channels of its inputs, each in its place; NULL: never */
    size_t (*facts)(const node *n, op_fact out[MAX_OP_FACTS]); /* its attributes; returns how many. NULL: it has none */
    /* What the layer costs with these channels of its first input and its output; NULL = all of them. NULL hook: nothing. */
    op_cost (*cost)(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live);
} op_def;

extern const op_def *const op_table[];
extern const size_t op_count;

/* Members that architectures name. */
extern const op_def op_input, op_conv2d, op_linear, op_relu, op_gelu, op_maxpool2d, op_avgpool2d, op_subsample, op_add, op_flatten,
    op_layernorm, op_tokens, op_attention, op_token_row;
/* Of compacted networks only, so not in the table: a sum of inputs that have not the same channels; one that has all channels again. */
extern const op_def op_scatter_add, op_widen;

/* Attribute blobs. */
typedef struct conv_attr {
    size_t out_channels, kernel[2], stride[2], padding[2], dilation[2], groups;
} conv_attr;
typedef struct maxpool_attr {
    size_t kernel, stride, padding;
} maxpool_attr;
typedef struct avgpool_attr { /* adaptive */
    size_t output[2];
} avgpool_attr;
typedef struct subsample_attr {
    size_t stride, out_channels, before; /* channels of zeros before those of the input */
} subsample_attr;
typedef struct linear_attr {
    size_t out_features; /* acts on the last axis */
} linear_attr;
typedef struct layernorm_attr {
    double eps;
} layernorm_attr;
typedef struct
    attention_attr { /* inputs q [Tq,E], k, v [T,E] after projection; output [Tq,E] with heads merged; components = heads */
    size_t heads;
} attention_attr;
typedef struct token_row_attr {
    size_t row;
    bool keep_axis; /* [1,E] instead of [E] */
} token_row_attr;

extern const char *const softmax_rule_names[]; /* NULL-terminated; docs/attribution.md, section d, step 7 */
extern const char softmax_rule_help[];         /* which of them does what, for the help of whatever offers the choice */

/* Hooks and helpers that several layers share. */
void op_input_shapes(const node nodes[], const node *n, shape in[]); /* [n->n_in] what its inputs give; `nodes`: of its graph */
/* Appends a node to a graph that a pass makes; its shape follows from its inputs there. */
MUST_CHECK status op_append(node nodes[], size_t *n_nodes, const node *n, node_id *out);
shape op_same_shape(const shape in[]);
void op_live_same(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                  uint8_t *out_live);
status op_shrink_same(const shrink_call *c, node *out, channel_map *map); /* as the (only) input */
/* Attributes of op_scatter_add and op_widen: inputs in[n_in] on a sum of channels `out`, which has all of theirs. */
MUST_CHECK status scatter_attr_make(arena *a, size_t n_in, const channel_map in[], const channel_map *out, const void **attr);
/* Of a convolution or linear layer: the rows of `row` and the columns of the input. Sets weights and cut. */
MUST_CHECK status op_cut_weights(const shrink_call *c, const channel_map *row, const channel_map *column, size_t all_columns, size_t taps, node *out);
size_t op_count_live(const uint8_t *live, size_t from, size_t to); /* in [from, to); NULL = all */

#endif
