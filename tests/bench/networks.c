/* Names and shapes are torchvision's. */
#include "bench/networks.h"

#include <string.h>

#include "core/rng.h"
#include "nn/arch.h"

enum { COLOURS = 3, CLASSES = 1000, VIT_PATCH = 16, VIT_HEADS = 12, VIT_BLOCKS = 12 };

static void add_norm(checkpoint *c, size_t channels, const char *name)
{
    ADD(c, FILL_ONES, channels, 0, 0, 0, "%s.weight", name);
    ADD(c, FILL_SMALL, channels, 0, 0, 0, "%s.bias", name);
}

static void add_batch_norm(checkpoint *c, size_t channels, const char *name)
{
    add_norm(c, channels, name);
    ADD(c, FILL_SMALL, channels, 0, 0, 0, "%s.running_mean", name);
    ADD(c, FILL_ONES, channels, 0, 0, 0, "%s.running_var", name);
}

static void add_linear(checkpoint *c, size_t in, size_t out, const char *name)
{
    ADD(c, FILL_WEIGHTS, out, in, 0, 0, "%s.weight", name);
    ADD(c, FILL_SMALL, out, 0, 0, 0, "%s.bias", name);
}

/* VGG-16: widths of the convolutions, 0 = pool. An index of `features` is a convolution, a norm, a ReLU or a pool. */
static void describe_vgg16_bn(checkpoint *c, size_t size, size_t shrink)
{
    static const size_t plan[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0};
    enum { HIDDEN = 4096, POOLED = 7 * 7 };
    size_t in = COLOURS, index = 0;
    (void)size;
    for (size_t i = 0; i < COUNT(plan); i++) {
        const size_t out = plan[i] / shrink;
        if (out == 0) {
            index++;
            continue;
        }
        char norm[32];
        (void)snprintf(norm, sizeof norm, "features.%zu", index + 1);
        ADD(c, FILL_WEIGHTS, out, in, 3, 3, "features.%zu.weight", index);
        ADD(c, FILL_SMALL, out, 0, 0, 0, "features.%zu.bias", index);
        add_batch_norm(c, out, norm);
        in = out;
        index += 3;
    }
    add_linear(c, in * POOLED, HIDDEN / shrink, "classifier.0");
    add_linear(c, HIDDEN / shrink, HIDDEN / shrink, "classifier.3");
    add_linear(c, HIDDEN / shrink, CLASSES / shrink, "classifier.6");
}

/* A convolution without bias and its batch norm: "<prefix>conv<number>" and "<prefix>bn<number>". */
static void add_conv_bn(checkpoint *c, size_t in, size_t out, size_t kernel, const char *prefix, size_t number)
{
    char norm[64];
    (void)snprintf(norm, sizeof norm, "%sbn%zu", prefix, number);
    ADD(c, FILL_WEIGHTS, out, in, kernel, kernel, "%sconv%zu.weight", prefix, number);
    add_batch_norm(c, out, norm);
}

/* Four stages of blocks. A bottleneck block is 1x1, 3x3, 1x1 and four times as wide as its middle; a basic one is
 * 3x3, 3x3. */
typedef struct resnet {
    size_t blocks[4], expansion;
} resnet;

static void add_block(checkpoint *c, const resnet *r, size_t in, size_t width, size_t stage, size_t block)
{
    const size_t out = width * r->expansion;
    char prefix[32], norm[64];
    (void)snprintf(prefix, sizeof prefix, "layer%zu.%zu.", stage + 1, block);
    if (r->expansion == 1) {
        add_conv_bn(c, in, width, 3, prefix, 1);
        add_conv_bn(c, width, out, 3, prefix, 2);
    } else {
        add_conv_bn(c, in, width, 1, prefix, 1);
        add_conv_bn(c, width, width, 3, prefix, 2);
        add_conv_bn(c, width, out, 1, prefix, 3);
    }
    if (in != out) {
        (void)snprintf(norm, sizeof norm, "%sdownsample.1", prefix);
        ADD(c, FILL_WEIGHTS, out, in, 1, 1, "%sdownsample.0.weight", prefix);
        add_batch_norm(c, out, norm);
    }
}

static void describe_resnet(checkpoint *c, const resnet *r, size_t shrink)
{
    size_t width = 64 / shrink, in = width;
    add_conv_bn(c, COLOURS, width, 7, "", 1);
    for (size_t stage = 0; stage < COUNT(r->blocks); stage++, width *= 2) {
        for (size_t block = 0; block < r->blocks[stage]; block++) {
            add_block(c, r, in, width, stage, block);
            in = width * r->expansion;
        }
    }
    add_linear(c, in, CLASSES / shrink, "fc");
}

static void describe_resnet18(checkpoint *c, size_t size, size_t shrink)
{
    (void)size;
    describe_resnet(c, &(resnet){.blocks = {2, 2, 2, 2}, .expansion = 1}, shrink);
}

static void describe_resnet50(checkpoint *c, size_t size, size_t shrink)
{
    (void)size;
    describe_resnet(c, &(resnet){.blocks = {3, 4, 6, 3}, .expansion = 4}, shrink);
}

static void add_encoder_block(checkpoint *c, size_t features, size_t block)
{
    char prefix[64], name[128];
    (void)snprintf(prefix, sizeof prefix, "encoder.layers.encoder_layer_%zu", block);
    (void)snprintf(name, sizeof name, "%s.ln_1", prefix);
    add_norm(c, features, name);
    ADD(c, FILL_WEIGHTS, 3 * features, features, 0, 0, "%s.self_attention.in_proj_weight", prefix);
    ADD(c, FILL_SMALL, 3 * features, 0, 0, 0, "%s.self_attention.in_proj_bias", prefix);
    (void)snprintf(name, sizeof name, "%s.self_attention.out_proj", prefix);
    add_linear(c, features, features, name);
    (void)snprintf(name, sizeof name, "%s.ln_2", prefix);
    add_norm(c, features, name);
    (void)snprintf(name, sizeof name, "%s.mlp.0", prefix);
    add_linear(c, features, 4 * features, name);
    (void)snprintf(name, sizeof name, "%s.mlp.3", prefix);
    add_linear(c, 4 * features, features, name);
}

static void describe_vit_b_16(checkpoint *c, size_t size, size_t shrink)
{
    const size_t features = 768 / shrink, side = size / VIT_PATCH;
    ADD(c, FILL_WEIGHTS, features, COLOURS, VIT_PATCH, VIT_PATCH, "conv_proj.weight");
    ADD(c, FILL_SMALL, features, 0, 0, 0, "conv_proj.bias");
    ADD(c, FILL_SMALL, 1, 1, features, 0, "class_token");
    ADD(c, FILL_SMALL, 1, side * side + 1, features, 0, "encoder.pos_embedding");
    for (size_t block = 0; block < VIT_BLOCKS; block++) {
        add_encoder_block(c, features, block);
    }
    add_norm(c, features, "encoder.ln");
    add_linear(c, features, CLASSES / shrink, "heads.head");
}

const network_def network_table[] = {
    {"vgg16_bn", describe_vgg16_bn},
    {"resnet18", describe_resnet18},
    {"resnet50", describe_resnet50},
    {"vit_b_16", describe_vit_b_16},
};
const size_t network_count = COUNT(network_table);

static status build(arena *a, arena *scratch, const network_def *d, size_t size, size_t shrink, const graph **out)
{
    checkpoint c = {.a = scratch, .st = STATUS_OK};
    const char *image_size, *heads;
    d->describe(&c, size, shrink);
    TRY(c.st);
    TRY_TEXT(image_size, scratch, "%zu", size);
    TRY_TEXT(heads, scratch, "%d", VIT_HEADS);
    const fact facts[] = {
        {.name = "arch", .value = d->name, .source = "bench"},
        {.name = "image_size", .value = image_size, .source = "bench"},
        {.name = "num_heads", .value = heads, .source = "bench"},
    };
    const tensors t = {.source = d->name, .n = c.n, .list = c.list, .n_facts = COUNT(facts), .facts = facts};
    return graph_build(a, &t, out);
}

status network_build(arena *a, const network_def *d, size_t size, size_t shrink, const graph **out)
{
    arena *scratch = NULL;
    status st = arena_open("random checkpoint", &scratch);
    if (status_ok(st)) {
        st = build(a, scratch, d, size, shrink, out);
    }
    arena_close(&scratch);
    return st;
}

const network_def *network_find(const char *name)
{
    for (size_t i = 0; i < network_count; i++) {
        if (strcmp(network_table[i].name, name) == 0) {
            return &network_table[i];
        }
    }
    return NULL;
}

status network_each(int n, char *names[], status (*measure)(void *context, const network_def *d), void *context)
{
    for (int i = 0; i < n; i++) {
        const network_def *d = network_find(names[i]);
        TRY(d == NULL ? FAIL(ST_USAGE, "no network '%s'", names[i]) : measure(context, d));
    }
    return STATUS_OK;
}

status network_images(arena *a, const graph *g, size_t batch, float **out)
{
    const size_t n = batch * shape_count(g->input);
    TRY_ALLOC(*out, a, n);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = (float)(4.0 * rng_uniform(2, RNG_TEST, 0, (uint32_t)i) - 2.0);
    }
    return STATUS_OK;
}
