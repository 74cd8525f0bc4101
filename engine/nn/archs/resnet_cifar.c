#include "nn/builder.h"

/* ResNet for small images (He et al. 2015, section 4.2; ResNet-20 is 3 stages of 3 basic blocks): stem 3x3 without pooling, stages of
 * which every one but the first halves the image, global average, a last layer called `linear`. Where size or width changes the shortcut
 * has no parameters (option A): every second pixel, with as many channels of zeros before as behind; files with `shortcut.0` and
 * `shortcut.1` have a convolution and a norm there (option B). */
static bool recognises(const tensors *t)
{
    return tensors_find(t, "conv1.weight") != NULL && tensors_find(t, "layer1.0.conv1.weight") != NULL &&
           tensors_find(t, "linear.weight") != NULL;
}

/* Option A. The channels follow from the first convolution of the block; what does not fit is found by the sum. */
static node_id add_subsampling(builder *b, node_id x, const char *prefix, size_t stride)
{
    const tensor *first = tensors_find(builder_tensors(b), builder_text(b, "%sconv1.weight", prefix));
    const size_t in = builder_shape(b, x).dim[0],
                 out = first == NULL || first->rank != 4 || first->dim[0] < in ? in : first->dim[0];
    const subsample_attr attr = {.stride = stride, .out_channels = out, .before = (out - in) / 2};
    return builder_add(b, &op_subsample, builder_text(b, "%sshortcut", prefix), 1, &x, &attr, sizeof attr, NULL, 0,
                       NULL, 0);
}

static node_id add_shortcut(builder *b, node_id x, depth_group group, const char *prefix, size_t stride)
{
    if (builder_has(b, builder_text(b, "%sshortcut.0.weight", prefix))) {
        return builder_filters(b, x, group, prefix, "shortcut.0", "shortcut.1", 1, stride);
    }
    const tensor *first = tensors_find(builder_tensors(b), builder_text(b, "%sconv1.weight", prefix));
    const bool same = stride == 1 && (first == NULL || first->rank != 4 || first->dim[0] == builder_shape(b, x).dim[0]);
    return same ? x : add_subsampling(b, x, prefix, stride);
}

/* out = relu(shortcut + branch). Module order has the branch first where the shortcut has components. */
static node_id add_block(builder *b, node_id x, depth_group group, const char *prefix, size_t stride)
{
    const bool option_b = builder_has(b, builder_text(b, "%sshortcut.0.weight", prefix));
    node_id shortcut = option_b ? 0 : add_shortcut(b, x, group, prefix, stride);
    node_id branch = builder_filters(b, x, group, prefix, "conv1", "bn1", 3, stride);
    branch = builder_simple(b, &op_relu, builder_text(b, "%srelu1", prefix), branch);
    branch = builder_filters(b, branch, group, prefix, "conv2", "bn2", 3, 1);
    if (option_b) {
        shortcut = add_shortcut(b, x, group, prefix, stride);
    }
    x = builder_add(b, &op_add, builder_text(b, "%sadd", prefix), 2, (const node_id[]){shortcut, branch}, NULL, 0, NULL,
                    0, NULL, 0);
    return builder_simple(b, &op_relu, builder_text(b, "%srelu", prefix), x);
}

static size_t count_blocks(builder *b, size_t stage)
{
    const size_t n = builder_index_end(b, builder_text(b, "layer%zu.", stage), 0);
    return n == 0 ? 1 : n; /* an empty stage: its first tensor is missing */
}

static void build(builder *b)
{
    const size_t end = builder_index_end(b, "layer", 0), small[2] = {32, 32};
    size_t blocks = 0, block = 0;
    for (size_t stage = 1; stage < end && !builder_failed(b); stage++) {
        blocks += count_blocks(b, stage);
    }
    node_id x = builder_images(b, "conv1.weight", small);
    x = builder_filters(b, x, GROUP_LOW, "", "conv1", "bn1", 3, 1);
    x = builder_simple(b, &op_relu, "relu", x);
    for (size_t stage = 1; stage < end && !builder_failed(b); stage++) {
        const size_t n = count_blocks(b, stage);
        for (size_t i = 0; i < n && !builder_failed(b); i++, block++) {
            const char *prefix = builder_text(b, "layer%zu.%zu.", stage, i);
            x = add_block(b, x, builder_block_group(block, blocks), prefix, stage > 1 && i == 0 ? 2 : 1);
        }
    }
    const avgpool_attr attr = {.output = {1, 1}};
    x = builder_add(b, &op_avgpool2d, "avgpool", 1, &x, &attr, sizeof attr, NULL, 0, NULL, 0);
    x = builder_simple(b, &op_flatten, "flatten", x);
    x = builder_linear(b, x, "linear", "linear");
    builder_group(b, x, GROUP_FC);
}

static const char *const variants[] = {"resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202", NULL};
const arch_def arch_resnet_cifar = {
    .name = "resnet_cifar",
    .help = "ResNet for small images, shortcuts without parameters (ResNet-20, 32, 44, 56, 110)",
    .variants = variants,
    .recognises = recognises,
    .build = build,
};
