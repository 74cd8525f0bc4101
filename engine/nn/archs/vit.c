#include "nn/builder.h"
#include "nn/sizes.h"

/* Vision transformer (docs/attribution.md, section a; torchvision's names, also the older mlp.linear_1 and
 * mlp.linear_2): patches, class token and positional embedding, pre-norm blocks, final norm, class-token row, linear
 * head. */
static bool recognises(const tensors *t)
{
    return tensors_find(t, "conv_proj.weight") != NULL && tensors_find(t, "class_token") != NULL;
}

typedef struct vit {
    size_t features, tokens, heads, blocks;
    double ln_eps;
} vit;

/* L blocks: the first quarter low, the last quarter high, rounded so that 3 blocks are one of each
 * (docs/attribution.md, section j). */
static depth_group group_of(size_t block, size_t blocks)
{
    return block < (blocks + 3) / 4 ? GROUP_LOW : block < blocks * 3 / 4 ? GROUP_MID : GROUP_HIGH;
}

/* Side of the square grid of the tokens behind the class token; 0 where it is not square. */
static size_t grid_side(size_t tokens)
{
    size_t side = 1;
    while (tokens <= MAX_COUNT && side * side + 1 < tokens) {
        side++;
    }
    return side * side + 1 == tokens ? side : 0;
}

/* The image is cut into as many patches as there are positional embeddings; without the fact, a square of them. */
static void check_grid(builder *b, node_id images, size_t patch, size_t tokens)
{
    const shape s = builder_shape(b, images);
    if (!builder_failed(b) &&
        (s.dim[1] % patch != 0 || s.dim[2] % patch != 0 || (s.dim[1] / patch) * (s.dim[2] / patch) + 1 != tokens)) {
        builder_fail(b, FAIL(ST_DATA,
                             "%s: image_size: expected %zu patches of %zux%zu pixels, as encoder.pos_embedding has "
                             "without the class "
                             "token, found an image of %zux%zu",
                             builder_tensors(b)->source, tokens - 1, patch, patch, s.dim[1], s.dim[2]));
    }
}

/* Patch size from conv_proj.weight [E,C,p,p], which may contradict the fact. */
static size_t find_patch(builder *b, const tensor *t)
{
    size_t patch = t == NULL || t->rank != 4 || t->dim[3] == 0 || t->dim[3] > MAX_COUNT ? 1 : t->dim[3];
    const size_t found = patch;
    if (builder_count(b, "patch_size", &patch) && patch != found) {
        builder_fail(b, FAIL(ST_DATA, "%s: patch_size: expected %zu, as conv_proj.weight has, found %zu",
                             builder_tensors(b)->source, found, patch));
    }
    return found;
}

static node_id add_tokens(builder *b, vit *v)
{
    const tensor *proj = tensors_find(builder_tensors(b), "conv_proj.weight");
    const size_t patch = find_patch(b, proj);
    size_t dim[3] = {1, 0, 0};
    const float *positions = builder_take(b, "encoder.pos_embedding", 3, dim, dim);
    v->tokens = dim[1];
    v->features = dim[2];
    const size_t side = grid_side(v->tokens), square[2] = {side * patch, side * patch};
    node_id x = builder_images(b, "conv_proj.weight", side == 0 ? NULL : square);
    check_grid(b, x, patch, v->tokens);
    x = builder_conv(b, x, &(conv_layer){.name = "conv_proj", .bias = true, .kernel = patch, .stride = patch});
    const float *class_token = builder_take(b, "class_token", 3, (const size_t[]){1, 1, v->features}, NULL);
    return builder_add(b, &op_tokens, "encoder.tokens", 1, &x, NULL, 0, class_token, v->features, positions,
                       v->tokens * v->features);
}

static node_id add_norm(builder *b, node_id x, const vit *v, const char *name)
{
    const layernorm_attr attr = {.eps = v->ln_eps};
    const float *weight = builder_take(b, builder_text(b, "%s.weight", name), 1, &v->features, NULL);
    const float *bias = builder_take(b, builder_text(b, "%s.bias", name), 1, &v->features, NULL);
    return builder_add(b, &op_layernorm, name, 1, &x, &attr, sizeof attr, weight, v->features, bias, v->features);
}

static node_id add_sum(builder *b, node_id x, node_id branch, const char *name)
{
    return builder_add(b, &op_add, name, 2, (const node_id[]){x, branch}, NULL, 0, NULL, 0, NULL, 0);
}

/* One of q, k and v: its rows of the packed in_proj_weight [3E,E] and in_proj_bias [3E]. */
static node_id add_projection(builder *b, node_id x, const vit *v, const char *name, size_t part, const float *weight,
                              const float *bias)
{
    const size_t e = v->features;
    const linear_attr attr = {.out_features = e};
    if (builder_failed(b)) {
        return 0;
    }
    return builder_add(b, &op_linear, name, 1, &x, &attr, sizeof attr, weight + part * e * e, e * e, bias + part * e,
                       e);
}

static node_id add_attention(builder *b, node_id x, const vit *v, const char *prefix, depth_group group)
{
    static const char *const names[3] = {"q_proj", "k_proj", "v_proj"};
    const attention_attr attr = {.heads = v->heads};
    const float *weight = builder_take(b, builder_text(b, "%s.in_proj_weight", prefix), 2,
                                       (const size_t[]){3 * v->features, v->features}, NULL);
    const float *bias =
        builder_take(b, builder_text(b, "%s.in_proj_bias", prefix), 1, (const size_t[]){3 * v->features}, NULL);
    node_id qkv[3];
    for (size_t i = 0; i < 3; i++) {
        qkv[i] = add_projection(b, x, v, builder_text(b, "%s.%s", prefix, names[i]), i, weight, bias);
        builder_group(b, qkv[i], group);
    }
    x = builder_add(b, &op_attention, builder_text(b, "%s.softmax", prefix), 3, qkv, &attr, sizeof attr, NULL, 0, NULL,
                    0);
    builder_prunable(b, x, COMPONENT_HEAD, v->heads);
    builder_group(b, x, group);
    const char *out = builder_text(b, "%s.out_proj", prefix);
    x = builder_linear(b, x, out, out);
    builder_group(b, x, group);
    return x;
}

/* Nodes carry the present names, whichever names the tensors have. */
static node_id add_mlp_layer(builder *b, node_id x, const char *prefix, const char *name, const char *older,
                             depth_group group)
{
    const char *now = builder_text(b, "%s.mlp.%s", prefix, name), *before = builder_text(b, "%s.mlp.%s", prefix, older);
    const bool is_older = builder_has(b, builder_text(b, "%s.weight", before));
    x = builder_linear(b, x, now, is_older ? before : now);
    builder_prunable(b, x, COMPONENT_NEURON, shape_channels(builder_shape(b, x)));
    builder_group(b, x, group);
    return x;
}

/* h1 = h + MHA(ln_1(h)),  h2 = h1 + MLP(ln_2(h1)) */
static node_id add_block(builder *b, node_id h, const vit *v, size_t block)
{
    const char *prefix = builder_text(b, "encoder.layers.encoder_layer_%zu", block);
    const depth_group group = group_of(block, v->blocks);
    node_id x = add_norm(b, h, v, builder_text(b, "%s.ln_1", prefix));
    x = add_attention(b, x, v, builder_text(b, "%s.self_attention", prefix), group);
    h = add_sum(b, h, x, builder_text(b, "%s.add_1", prefix));
    x = add_norm(b, h, v, builder_text(b, "%s.ln_2", prefix));
    x = add_mlp_layer(b, x, prefix, "0", "linear_1", group);
    x = builder_simple(b, &op_gelu, builder_text(b, "%s.mlp.gelu", prefix), x);
    x = add_mlp_layer(b, x, prefix, "3", "linear_2", group);
    return add_sum(b, h, x, builder_text(b, "%s.add_2", prefix));
}

static void find_heads(builder *b, vit *v)
{
    if (!builder_count(b, "num_heads", &v->heads) && !builder_failed(b)) {
        builder_fail(b, FAIL(ST_DATA,
                             "%s: the number of attention heads cannot be seen from the tensors; state num_heads in "
                             "the checkpoint's "
                             "metadata or in a model.json beside it, or `heads:` with the model in the config",
                             builder_tensors(b)->source));
    }
}

static void build(builder *b)
{
    vit v = {.ln_eps = 1e-6, .heads = 1};
    find_heads(b, &v);
    (void)builder_real(b, "ln_eps", &v.ln_eps);
    node_id x = add_tokens(b, &v);
    v.blocks = builder_index_end(b, "encoder.layers.encoder_layer_", 0);
    for (size_t i = 0; i < v.blocks && !builder_failed(b); i++) {
        x = add_block(b, x, &v, i);
    }
    x = add_norm(b, x, &v, "encoder.ln");
    x = builder_add(b, &op_token_row, "encoder.class_row", 1, &x, &(token_row_attr){.row = 0}, sizeof(token_row_attr),
                    NULL, 0, NULL, 0);
    x = builder_linear(b, x, "heads.head", "heads.head");
    builder_group(b, x, GROUP_FC);
}

static const char *const variants[] = {"vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14", NULL};
const arch_def arch_vit = {
    .name = "vit",
    .help = "vision transformer of any depth and width (torchvision's names)",
    .variants = variants,
    .recognises = recognises,
    .build = build,
};
