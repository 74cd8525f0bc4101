#ifndef NN_OP_H
#define NN_OP_H
/* The layer family: one file each in nn/ops/, listed in nn/ops/ops.def. A layer does not know relevance rules: a linear one offers
 * `linear` and `adjoint`, from which the rule driver builds every rule; a layer that has a relevance rule of its own
 * (docs/attribution.md, sections b and d) offers `relevance`. Kernels get plain arrays, never allocate and cannot
 * fail. */
#include "backend/backend.h"
#include "nn/graph.h"

/* One call of a layer over a micro-batch. All arrays are [batch, ...] row-major, contiguous per sample. */
typedef struct op_call {
    const node *node;
    const backend_def *backend;
    size_t batch;
    const shape *in_shape; /* [n_in] */
    const float *in[MAX_INPUTS];
    float *out;
    float *saved;         /* [batch, saved()] what the walk needs again (winners, attention); always there in forward */
    float *work;          /* [workspace()] */
    const uint8_t *alive; /* [node->n_components] or NULL = all: outputs of dead components are exactly 0 */
} op_call;

/* One step of the relevance walk for layers with a rule of their own. r_in[i] is overwritten; NULL = not wanted. */
typedef struct relevance_call {
    const node *node;
    const backend_def *backend;
    size_t batch;
    const shape *in_shape;
    const float *in[MAX_INPUTS], *out, *saved;
    const float *r_out;
    float *r_in[MAX_INPUTS]; /* distinct from r_out */
    float *
        component; /* relevance at the component, where that is not the output (heads): [batch, tokens, n_components], or NULL */
    float *work;      /* [relevance_workspace()] */
    double epsilon;   /* stabiliser */
    int softmax_rule; /* attention: index into softmax_rule_names */
} relevance_call;

enum { READS_EPSILON = 1, READS_SOFTMAX_RULE = 2 };

typedef struct op_cost {
    uint64_t parameters, macs; /* multiply-adds per sample */
} op_cost;

typedef struct op_def {
    const char *name, *help;
    size_t n_in;
    /* Output shape from the input shapes; checks attributes and weight counts. Errors: ST_DATA. */
    status (*infer)(const node *n, const shape in[], shape *out);
    size_t (*saved)(const node *n, const shape in[]);                   /* floats per sample; NULL = 0 */
    size_t (*workspace)(const node *n, const shape in[], size_t batch); /* floats; NULL = 0 */
    void (*forward)(const op_call *c);
    /* Linear layers: z = x*w without bias into `out`, and its transpose: s [batch,out...] -> r [batch,in...], overwriting.
     * `weight` has the layout of node->weight (a rule passes W, W+ ...); layers without parameters ignore it. NULL = not linear. */
    void (*linear)(const op_call *c, const float *weight, const float *x, float *z);
    void (*adjoint)(const op_call *c, const float *weight, const float *s, float *r);
    size_t (*relevance_workspace)(const node *n, const shape in[], size_t batch);
    void (*relevance)(const relevance_call *c);
    const char *relevance_name; /* of its own rule: "pass", "norm", "winner" ...; NULL for layers that take a rule */
    unsigned relevance_reads;   /* what of relevance_call it depends on: READS_... */
    bool in_place;              /* forward may write over its input: out may be the memory of in[0] (add: of in[1]) */

    /* For compaction (docs/attribution.md, section h). A channel is dim[0] of [C,H,W] and an element of the last axis
     * of [T,E] and [F]; it lives (1) unless it is exactly 0 for every sample because components are dead. */
    void (*live)(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live); /* NULL: all live */
    /* Input channels that are read at all with these components; in_needed[i] comes zeroed. NULL: all are. */
    void (*needs)(const node *n, const shape in[], const uint8_t *alive, uint8_t *const in_needed[]);
    /* What the layer costs with these channels of its first input and its output; NULL = all of them. NULL hook: nothing. */
    op_cost (*cost)(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live);
} op_def;

extern const op_def *const op_table[];
extern const size_t op_count;

/* Members that architectures name. */
extern const op_def op_input, op_conv2d, op_linear, op_relu, op_gelu, op_maxpool2d, op_avgpool2d, op_add, op_flatten,
    op_layernorm, op_tokens, op_attention, op_token_row;

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
typedef struct linear_attr {
    size_t out_features; /* acts on the last axis */
} linear_attr;
typedef struct layernorm_attr {
    double eps;
} layernorm_attr;
typedef struct
    attention_attr { /* inputs q, k, v [T,E] after projection; output [T,E] with heads merged; components = heads */
    size_t heads;
} attention_attr;
typedef struct token_row_attr {
    size_t row;
} token_row_attr;

extern const char *const softmax_rule_names[]; /* NULL-terminated; docs/attribution.md, section d, step 7 */

/* Hooks and helpers that several layers share. */
shape op_same_shape(const shape in[]);
void op_live_same(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                  uint8_t *out_live);
void op_pass_relevance(const relevance_call *c);                   /* "pass": r_in = r_out */
size_t op_count_live(const uint8_t *live, size_t from, size_t to); /* in [from, to); NULL = all */
void op_zero_dead_channels(const op_call *c); /* [C,H,W] by the first axis, [T,E] and [F] by the last */

#endif
