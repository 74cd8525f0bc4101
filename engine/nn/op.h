#ifndef NN_OP_H
#define NN_OP_H
/* The layer family: one file each in nn/ops/, listed in nn/ops/ops.def. A layer does not know relevance rules: a linear one offers
 * `linear` and `adjoint`, from which the rule driver builds every rule; a layer that has a relevance rule of its own (attribution.md,
 * sections b and d) offers `relevance`. Kernels get plain arrays, never allocate and cannot fail. */
#include "backend/backend.h"
#include "nn/graph.h"

/* One call of a layer over a micro-batch. All arrays are [batch, ...] row-major, contiguous per sample. */
typedef struct op_call {
    const node *node;
    const backend_def *backend;
    size_t batch;
    const shape *in_shape;         /* [n_in] */
    const float *in[MAX_INPUTS];
    float *out;
    float *saved;                  /* [batch, saved()] what the walk needs again (winners, attention); always there in forward */
    float *work;                   /* [workspace()] */
    const uint8_t *alive;          /* [node->n_components] or NULL = all: outputs of dead components are exactly 0 */
} op_call;

/* One step of the relevance walk for layers with a rule of their own. r_in[i] is overwritten; NULL = not wanted. */
typedef struct relevance_call {
    const node *node;
    const backend_def *backend;
    size_t batch;
    const shape *in_shape;
    const float *in[MAX_INPUTS], *out, *saved;
    const float *r_out;
    float *r_in[MAX_INPUTS];       /* distinct from r_out */
    float *component;              /* relevance at the component, where that is not the output (heads): [batch, tokens, n_components], or NULL */
    float *work;                   /* [relevance_workspace()] */
    double epsilon;                /* stabiliser */
    int softmax_rule;              /* attention: index into softmax_rule_names */
} relevance_call;

typedef struct op_def {
    const char *name, *help;
    size_t n_in;
    /* Output shape from the input shapes; checks attributes and weight counts. Errors: ST_DATA. */
    status (*infer)(const node *n, const shape in[], shape *out);
    size_t (*saved)(const node *n, const shape in[]);                    /* floats per sample; NULL = 0 */
    size_t (*workspace)(const node *n, const shape in[], size_t batch);  /* floats; NULL = 0 */
    void (*forward)(const op_call *c);
    /* Linear layers: z = x*w without bias into `out`, and its transpose: s [batch,out...] -> r [batch,in...], overwriting.
     * `weight` has the layout of node->weight (a rule passes W, W+ ...); layers without parameters ignore it. NULL = not linear. */
    void (*linear)(const op_call *c, const float *weight, const float *x, float *z);
    void (*adjoint)(const op_call *c, const float *weight, const float *s, float *r);
    size_t (*relevance_workspace)(const node *n, const shape in[], size_t batch);
    void (*relevance)(const relevance_call *c);
    const char *relevance_name; /* of its own rule: "pass", "norm", "winner" ...; NULL for layers that take a rule */
    uint64_t (*parameters)(const node *n);
    uint64_t (*macs)(const node *n, const shape in[]); /* multiply-adds per sample; NULL = 0 */
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
typedef struct pool_attr { /* max: kernel, stride, padding; average: output size (adaptive) */
    size_t kernel, stride, padding, output;
} pool_attr;
typedef struct linear_attr {
    size_t out_features; /* acts on the last axis */
} linear_attr;
typedef struct layernorm_attr {
    double eps;
} layernorm_attr;
typedef struct attention_attr { /* inputs q, k, v [T,E] after projection; output [T,E] with heads merged; components = heads */
    size_t heads;
} attention_attr;
typedef struct token_row_attr {
    size_t row;
} token_row_attr;

extern const char *const softmax_rule_names[]; /* NULL-terminated; attribution.md, section d, step 7 */

#endif
