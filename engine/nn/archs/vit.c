#include "nn/builder.h"
#include "nn/sizes.h"

/* Vision transformer (docs/attribution.md, section a): patches, class token and positional embedding, pre-norm blocks, final norm,
 * class-token row, linear head. The same network has torchvision's names (also the older mlp.linear_1 and mlp.linear_2) or timm's, which
 * the DeiT files have too; q, k and v are rows of one matrix in this order in both. */
typedef struct naming {
    const char *patches, *class_token, *positions, *tokens;
    const char *blocks; /* a number follows */
    const char *norm_1, *in_weight, *in_bias, *q, *k, *v, *softmax, *out, *add_1, *norm_2, *mlp_1, *older_mlp_1, *gelu,
        *mlp_2, *older_mlp_2, *add_2;
    const char *norm, *class_row, *head;
} naming;

static const naming torchvision = {
    .patches = "conv_proj",
    .class_token = "class_token",
    .positions = "encoder.pos_embedding",
    .tokens = "encoder.tokens",
    .blocks = "encoder.layers.encoder_layer_",
    .norm_1 = "ln_1",
    .in_weight = "self_attention.in_proj_weight",
    .in_bias = "self_attention.in_proj_bias",
    .q = "self_attention.q_proj",
    .k = "self_attention.k_proj",
    .v = "self_attention.v_proj",
    .softmax = "self_attention.softmax",
    .out = "self_attention.out_proj",
    .add_1 = "add_1",
    .norm_2 = "ln_2",
    .mlp_1 = "mlp.0",
    .older_mlp_1 = "mlp.linear_1",
    .gelu = "mlp.gelu",
    .mlp_2 = "mlp.3",
    .older_mlp_2 = "mlp.linear_2",
    .add_2 = "add_2",
    .norm = "encoder.ln",
    .class_row = "encoder.class_row",
    .head = "heads.head",
};
static const naming timm = {
    .patches = "patch_embed.proj",
    .class_token = "cls_token",
    .positions = "pos_embed",
    .tokens = "tokens",
    .blocks = "blocks.",
    .norm_1 = "norm1",
    .in_weight = "attn.qkv.weight",
    .in_bias = "attn.qkv.bias",
    .q = "attn.q",
    .k = "attn.k",
    .v = "attn.v",
    .softmax = "attn.softmax",
    .out = "attn.proj",
    .add_1 = "add_1",
    .norm_2 = "norm2",
    .mlp_1 = "mlp.fc1",
    .older_mlp_1 = "mlp.fc1",
    .gelu = "mlp.gelu",
    .mlp_2 = "mlp.fc2",
    .older_mlp_2 = "mlp.fc2",
    .add_2 = "add_2",
    .norm = "norm",
    .class_row = "class_row",
    .head = "head",
};

/* Heads of the published networks (Dosovitskiy et al. 2021, table 1; Touvron et al. 2021, table 1), tiny to huge: all have MLPs of four
 * times the features. Others have to say theirs, also where only some of the numbers are the same. */
static const struct {
    size_t features, blocks, heads;
} published[] = {{192, 12, 3}, {384, 12, 6}, {768, 12, 12}, {1024, 24, 16}, {1280, 32, 16}};

static const naming *find_naming(const tensors *t)
{
    return tensors_find(t, timm.class_token) != NULL ? &timm : &torchvision;
}

static bool recognises(const tensors *t)
{
    return (tensors_find(t, "conv_proj.weight") != NULL && tensors_find(t, torchvision.class_token) != NULL) ||
           (tensors_find(t, "patch_embed.proj.weight") != NULL && tensors_find(t, timm.class_token) != NULL);
}

typedef struct vit {
    const naming *names;
    size_t features, tokens, heads, blocks;
    double ln_eps;
} vit;

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
static void check_grid(builder *b, node_id images, const naming *names, size_t patch, size_t tokens)
{
    const shape s = builder_shape(b, images);
    if (!builder_failed(b) &&
        (s.dim[1] % patch != 0 || s.dim[2] % patch != 0 || (s.dim[1] / patch) * (s.dim[2] / patch) + 1 != tokens)) {
        builder_fail(
            b,
            FAIL(ST_DATA,
                 "%s: image_size: expected %zu patches of %zux%zu pixels, as %s has without the class token, found an "
                 "image of %zux%zu",
                 builder_tensors(b)->source, tokens - 1, patch, patch, names->positions, s.dim[1], s.dim[2]));
    }
}

/* Patch size from the weights [E,C,p,p] of the patches, which may contradict the fact. */
static size_t find_patch(builder *b, const tensor *t)
{
    size_t patch = t == NULL || t->rank != 4 || t->dim[3] == 0 || t->dim[3] > MAX_COUNT ? 1 : t->dim[3];
    const size_t found = patch;
    if (t != NULL && builder_count(b, "patch_size", &patch) && patch != found) {
        builder_fail(b, FAIL(ST_DATA, "%s: patch_size: expected %zu, as %s has, found %zu", builder_tensors(b)->source,
                             found, t->name, patch));
    }
    return found;
}

static node_id add_tokens(builder *b, vit *v)
{
    const naming *names = v->names;
    const char *weight = builder_text(b, "%s.weight", names->patches);
    const size_t patch = find_patch(b, tensors_find(builder_tensors(b), weight));
    size_t dim[3] = {1, 0, 0};
    const float *positions = builder_take(b, names->positions, 3, dim, dim);
    v->tokens = dim[1];
    v->features = dim[2];
    const size_t side = grid_side(v->tokens), square[2] = {side * patch, side * patch};
    node_id x = builder_images(b, weight, side == 0 ? NULL : square);
    check_grid(b, x, names, patch, v->tokens);
    x = builder_conv(b, x, &(conv_layer){.name = names->patches, .bias = true, .kernel = patch, .stride = patch});
    const float *class_token = builder_take(b, names->class_token, 3, (const size_t[]){1, 1, v->features}, NULL);
    return builder_add(b, &op_tokens, names->tokens, 1, &x, NULL, 0, class_token, v->features, positions,
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

/* `prefix` is the block's, with its point. */
static node_id add_attention(builder *b, node_id x, const vit *v, const char *prefix, depth_group group)
{
    const naming *names = v->names;
    const char *const projection[3] = {names->q, names->k, names->v};
    const attention_attr attr = {.heads = v->heads};
    const float *weight = builder_take(b, builder_text(b, "%s%s", prefix, names->in_weight), 2,
                                       (const size_t[]){3 * v->features, v->features}, NULL);
    const float *bias =
        builder_take(b, builder_text(b, "%s%s", prefix, names->in_bias), 1, (const size_t[]){3 * v->features}, NULL);
    node_id qkv[3];
    for (size_t i = 0; i < 3; i++) {
        qkv[i] = add_projection(b, x, v, builder_text(b, "%s%s", prefix, projection[i]), i, weight, bias);
        builder_group(b, qkv[i], group);
    }
    x = builder_add(b, &op_attention, builder_text(b, "%s%s", prefix, names->softmax), 3, qkv, &attr, sizeof attr, NULL,
                    0, NULL, 0);
    builder_prunable(b, x, COMPONENT_HEAD, v->heads);
    builder_group(b, x, group);
    const char *out = builder_text(b, "%s%s", prefix, names->out);
    x = builder_linear(b, x, out, out);
    builder_group(b, x, group);
    return x;
}

/* Nodes carry the present names, whichever names the tensors have. */
static node_id add_mlp_layer(builder *b, node_id x, const char *prefix, const char *name, const char *older,
                             depth_group group)
{
    const char *now = builder_text(b, "%s%s", prefix, name), *before = builder_text(b, "%s%s", prefix, older);
    const bool is_older = builder_has(b, builder_text(b, "%s.weight", before));
    x = builder_linear(b, x, now, is_older ? before : now);
    builder_prunable(b, x, COMPONENT_NEURON, shape_channels(builder_shape(b, x)));
    builder_group(b, x, group);
    return x;
}

/* h1 = h + MHA(ln_1(h)),  h2 = h1 + MLP(ln_2(h1)) */
static node_id add_block(builder *b, node_id h, const vit *v, size_t block)
{
    const naming *names = v->names;
    const char *prefix = builder_text(b, "%s%zu.", names->blocks, block);
    const depth_group group = builder_block_group(block, v->blocks);
    node_id x = add_norm(b, h, v, builder_text(b, "%s%s", prefix, names->norm_1));
    x = add_attention(b, x, v, prefix, group);
    h = add_sum(b, h, x, builder_text(b, "%s%s", prefix, names->add_1));
    x = add_norm(b, h, v, builder_text(b, "%s%s", prefix, names->norm_2));
    x = add_mlp_layer(b, x, prefix, names->mlp_1, names->older_mlp_1, group);
    x = builder_simple(b, &op_gelu, builder_text(b, "%s%s", prefix, names->gelu), x);
    x = add_mlp_layer(b, x, prefix, names->mlp_2, names->older_mlp_2, group);
    return add_sum(b, h, x, builder_text(b, "%s%s", prefix, names->add_2));
}

/* What is said counts more than what is known. */
static void find_heads(builder *b, vit *v)
{
    const naming *names = v->names;
    const char *older = builder_text(b, "%s0.%s.bias", names->blocks, names->older_mlp_1);
    const char *mlp = builder_has(b, older) ? older : builder_text(b, "%s0.%s.bias", names->blocks, names->mlp_1);
    const tensor *positions = tensors_find(builder_tensors(b), names->positions),
                 *hidden = tensors_find(builder_tensors(b), mlp);
    const size_t features = positions == NULL || positions->rank != 3 ? 0 : positions->dim[2];
    if (builder_count(b, "num_heads", &v->heads)) {
        return;
    }
    for (size_t i = 0; i < COUNT(published) && hidden != NULL; i++) {
        if (features == published[i].features && v->blocks == published[i].blocks && hidden->rank == 1 &&
            hidden->dim[0] == 4 * features) {
            v->heads = published[i].heads;
            return;
        }
    }
    if (!builder_failed(b)) {
        builder_fail(b, FAIL(ST_DATA,
                             "%s: the number of attention heads cannot be seen from the tensors; state num_heads in "
                             "the checkpoint's "
                             "metadata or in a model.json beside it, or `heads:` with the model in the config",
                             builder_tensors(b)->source));
    }
}

static void build(builder *b)
{
    vit v = {.names = find_naming(builder_tensors(b)), .ln_eps = 1e-6, .heads = 1};
    v.blocks = builder_index_end(b, v.names->blocks, 0);
    find_heads(b, &v);
    (void)builder_real(b, "ln_eps", &v.ln_eps);
    node_id x = add_tokens(b, &v);
    for (size_t i = 0; i < v.blocks && !builder_failed(b); i++) {
        x = add_block(b, x, &v, i);
    }
    x = add_norm(b, x, &v, v.names->norm);
    x = builder_add(b, &op_token_row, v.names->class_row, 1, &x, &(token_row_attr){.row = 0}, sizeof(token_row_attr),
                    NULL, 0, NULL, 0);
    x = builder_linear(b, x, v.names->head, v.names->head);
    builder_group(b, x, GROUP_FC);
}

static const char *const variants[] = {"vit_b_16",
                                       "vit_b_32",
                                       "vit_l_16",
                                       "vit_l_32",
                                       "vit_h_14",
                                       "vit_tiny_patch16_224",
                                       "vit_small_patch16_224",
                                       "vit_small_patch32_224",
                                       "vit_base_patch16_224",
                                       "vit_base_patch32_224",
                                       "vit_large_patch16_224",
                                       "vit_large_patch32_224",
                                       "deit_tiny_patch16_224",
                                       "deit_small_patch16_224",
                                       "deit_base_patch16_224",
                                       NULL};
const arch_def arch_vit = {
    .name = "vit",
    .help = "vision transformer (ViT, DeiT) of any depth and width (torchvision's or timm's names)",
    .variants = variants,
    .recognises = recognises,
    .build = build,
};
