#include "nn/builder.h"

/* ResNet with basic or bottleneck blocks, any depth and width (docs/attribution.md, section a; torchvision's names):
 * stem 7x7 stride 2 and max pooling, stages layer1 .. layerN, the first block of every stage but the first with
 * stride 2, which in a bottleneck lies on the 3x3. */
static bool recognises(const tensors *t)
{
    return tensors_find(t, "conv1.weight") != NULL && tensors_find(t, "layer1.0.conv1.weight") != NULL &&
           tensors_find(t, "fc.weight") != NULL;
}

static node_id add_relu(builder *b, node_id x, const char *prefix, const char *name)
{
    return builder_simple(b, &op_relu, builder_text(b, "%s%s", prefix, name), x);
}

static node_id add_branch(builder *b, node_id x, depth_group group, const char *prefix, size_t stride)
{
    if (!builder_has(b, builder_text(b, "%sconv3.weight", prefix))) {
        x = add_relu(b, builder_filters(b, x, group, prefix, "conv1", "bn1", 3, stride), prefix, "relu1");
        return builder_filters(b, x, group, prefix, "conv2", "bn2", 3, 1);
    }
    x = add_relu(b, builder_filters(b, x, group, prefix, "conv1", "bn1", 1, 1), prefix, "relu1");
    x = add_relu(b, builder_filters(b, x, group, prefix, "conv2", "bn2", 3, stride), prefix, "relu2");
    return builder_filters(b, x, group, prefix, "conv3", "bn3", 1, 1);
}

/* out = relu(shortcut + branch); a downsample stands in the shortcut where size or width changes. */
static node_id add_block(builder *b, node_id x, depth_group group, const char *prefix, size_t stride)
{
    const node_id branch = add_branch(b, x, group, prefix, stride);
    node_id shortcut = x;
    const shape in = builder_shape(b, x), out = builder_shape(b, branch);
    if (in.dim[0] != out.dim[0] || stride != 1 || builder_has(b, builder_text(b, "%sdownsample.0.weight", prefix))) {
        shortcut = builder_filters(b, x, group, prefix, "downsample.0", "downsample.1", 1, stride);
    }
    const node_id sum = builder_add(b, &op_add, builder_text(b, "%sadd", prefix), 2,
                                    (const node_id[]){shortcut, branch}, NULL, 0, NULL, 0, NULL, 0);
    return add_relu(b, sum, prefix, "relu");
}

static node_id add_stem(builder *b)
{
    const maxpool_attr attr = {.kernel = 3, .stride = 2, .padding = 1};
    node_id x = builder_images(b, "conv1.weight", builder_published_size(b, "conv1.weight", "fc.weight"));
    x = add_relu(b, builder_filters(b, x, GROUP_LOW, "", "conv1", "bn1", 7, 2), "", "relu");
    return builder_add(b, &op_maxpool2d, "maxpool", 1, &x, &attr, sizeof attr, NULL, 0, NULL, 0);
}

/* Groups (docs/attribution.md, section j): the first stage goes with the stem, the last is high, those between
 * are mid. */
static depth_group group_of(size_t stage, size_t stages)
{
    return stage == 1 ? GROUP_LOW : stage < stages ? GROUP_MID : GROUP_HIGH;
}

static node_id add_stage(builder *b, node_id x, size_t stage, depth_group group)
{
    const size_t blocks = builder_index_end(b, builder_text(b, "layer%zu.", stage), 0);
    for (size_t i = 0; i == 0 || (i < blocks && !builder_failed(b));
         i++) { /* an empty stage: its first tensor is missing */
        x = add_block(b, x, group, builder_text(b, "layer%zu.%zu.", stage, i), stage > 1 && i == 0 ? 2 : 1);
    }
    return x;
}

static void build(builder *b)
{
    node_id x = add_stem(b);
    const size_t end = builder_index_end(b, "layer", 0);
    for (size_t stage = 1; stage < end && !builder_failed(b); stage++) {
        x = add_stage(b, x, stage, group_of(stage, end - 1));
    }
    const avgpool_attr attr = {.output = {1, 1}};
    x = builder_add(b, &op_avgpool2d, "avgpool", 1, &x, &attr, sizeof attr, NULL, 0, NULL, 0);
    x = builder_simple(b, &op_flatten, "flatten", x);
    x = builder_linear(b, x, "fc", "fc");
    builder_group(b, x, GROUP_FC);
}

static const char *const variants[] = {"resnet18",  "resnet34",        "resnet50",         "resnet101",
                                       "resnet152", "wide_resnet50_2", "wide_resnet101_2", NULL};
const arch_def arch_resnet = {
    .name = "resnet",
    .help = "ResNet of any depth and width, basic or bottleneck blocks (torchvision's names)",
    .variants = variants,
    .recognises = recognises,
    .build = build,
};
