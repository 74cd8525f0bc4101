/* Depth groups of the architectures that the paper prunes (docs/attribution.md, section j), and of the golden networks. Only names and depth
 * matter, so the networks here are as narrow as can be: one feature, one channel. */
#include "support/golden.h"

#include <stdlib.h>
#include <string.h>

#include "nn/arch.h"
#include "nn/op.h"

enum { MOST_TENSORS = 1000 };

typedef struct narrow {
    arena *a;
    size_t n;
    tensor *list;
} narrow;

static const float ones[3 * 7 * 7] = {1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f};

static void add(narrow *w, const char *prefix, const char *name, size_t rank, size_t d0, size_t d1, size_t d2, size_t d3)
{
    assert_true(w->n < MOST_TENSORS);
    w->list[w->n++] = (tensor){.name = arena_text(w->a, "%s%s", prefix, name), .rank = rank, .dim = {d0, d1, d2, d3}, .data = ones};
}

static void add_vector(narrow *w, const char *prefix, const char *name, size_t n)
{
    add(w, prefix, name, 1, n, 0, 0, 0);
}

static void add_linear(narrow *w, const char *prefix, size_t in, size_t out)
{
    add(w, prefix, ".weight", 2, out, in, 0, 0);
    add_vector(w, prefix, ".bias", out);
}

static void add_batch_norm(narrow *w, const char *prefix, size_t n)
{
    static const char *const parts[] = {".weight", ".bias", ".running_mean", ".running_var"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        add_vector(w, prefix, parts[i], n);
    }
}

static narrow opened(void)
{
    narrow w = {0};
    assert_ok(arena_open("test", &w.a));
    w.list = arena_alloc(w.a, MOST_TENSORS, sizeof *w.list);
    assert_non_null(w.list);
    return w;
}

static const graph *built(const narrow *w, const char *arch, const char *size)
{
    const fact facts[] = {{"image_size", size, "config"}, {"num_heads", "1", "config"}, {"arch", arch, "config"}};
    const tensors t = {.source = arch, .n = w->n, .list = w->list, .n_facts = COUNT(facts), .facts = facts};
    const graph *g = NULL;
    assert_ok(graph_build(w->a, &t, &g));
    return g;
}

static const node *named(const graph *g, const char *name)
{
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (strcmp(g->nodes[id].name, name) == 0) {
            return &g->nodes[id];
        }
    }
    fail_msg("no node '%s'", name);
    return NULL;
}

/* Counts what it has looked at, so that a layer that nobody expects is noticed. */
static void expect(const graph *g, depth_group group, const char *name, size_t *seen)
{
    if (named(g, name)->group != group) {
        fail_msg("%s: expected the group %s, found %s", name, depth_group_name(group), depth_group_name(named(g, name)->group));
    }
    ++*seen;
}

/* Layers that take a rule; all but `without` of them are in a group, and beside them only the softmax of attention is. */
static void expect_all(const graph *g, size_t seen, const char *without)
{
    size_t n = 0;
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *x = &g->nodes[id];
        n += x->op->product != NULL && strcmp(x->name, without) != 0;
        assert_int_equal(x->group != GROUP_NONE, (x->op->product != NULL && strcmp(x->name, without) != 0) || x->op == &op_attention);
    }
    assert_int_equal(n, seen);
}

static void check_vgg16(const char *arch, const size_t index[13], bool norm)
{
    narrow w = opened();
    size_t seen = 0;
    for (size_t i = 0; i < 13; i++) {
        const char *name = arena_text(w.a, "features.%zu", index[i]);
        add(&w, name, ".weight", 4, 1, 1, 3, 3);
        add_vector(&w, name, ".bias", 1);
        if (norm) {
            add_batch_norm(&w, arena_text(w.a, "features.%zu", index[i] + 1), 1);
        }
    }
    add_linear(&w, "classifier.0", 49, 1);
    add_linear(&w, "classifier.3", 1, 1);
    add_linear(&w, "classifier.6", 1, 1);
    const graph *g = built(&w, arch, "32");
    for (size_t i = 0; i < 13; i++) { /* no. 1-4, 5-9, 10-13 */
        const depth_group group = i < 4 ? GROUP_LOW : i < 9 ? GROUP_MID : GROUP_HIGH;
        expect(g, group, arena_text(w.a, "features.%zu", index[i]), &seen);
    }
    expect(g, GROUP_FC, "classifier.0", &seen);
    expect(g, GROUP_FC, "classifier.3", &seen);
    expect(g, GROUP_FC, "classifier.6", &seen);
    expect_all(g, seen, "");
    arena_close(&w.a);
}

static void vgg16_is_four_five_four(void **state)
{
    (void)state;
    static const size_t plain[] = {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
    static const size_t norm[] = {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40};
    check_vgg16("vgg16", plain, false);
    check_vgg16("vgg16_bn", norm, true);
}

static void add_conv_norm(narrow *w, const char *prefix, const char *conv, const char *bn, size_t in, size_t out, size_t kernel)
{
    add(w, prefix, arena_text(w->a, "%s.weight", conv), 4, out, in, kernel, kernel);
    add_batch_norm(w, arena_text(w->a, "%s%s", prefix, bn), out);
}

/* Blocks of one channel, bottlenecks of one inside and four outside. */
static void check_resnet(const char *arch, const size_t blocks[4], bool bottleneck)
{
    narrow w = opened();
    size_t seen = 0, in = 1;
    const size_t out = bottleneck ? 4 : 1;
    add_conv_norm(&w, "", "conv1", "bn1", 3, 1, 7);
    for (size_t stage = 1; stage <= 4; stage++) {
        for (size_t i = 0; i < blocks[stage - 1]; i++) {
            const char *prefix = arena_text(w.a, "layer%zu.%zu.", stage, i);
            add_conv_norm(&w, prefix, "conv1", "bn1", in, 1, bottleneck ? 1 : 3);
            add_conv_norm(&w, prefix, "conv2", "bn2", 1, 1, 3);
            if (bottleneck) {
                add_conv_norm(&w, prefix, "conv3", "bn3", 1, out, 1);
            }
            if (i == 0 && (stage > 1 || in != out)) {
                add_conv_norm(&w, prefix, "downsample.0", "downsample.1", in, out, 1);
            }
            in = out;
        }
    }
    add_linear(&w, "fc", out, 1);
    const graph *g = built(&w, arch, "64");
    expect(g, GROUP_LOW, "conv1", &seen);
    for (size_t stage = 1; stage <= 4; stage++) {
        const depth_group group = stage == 1 ? GROUP_LOW : stage < 4 ? GROUP_MID : GROUP_HIGH;
        for (size_t i = 0; i < blocks[stage - 1]; i++) {
            for (size_t k = 1; k <= (bottleneck ? 3 : 2); k++) {
                expect(g, group, arena_text(w.a, "layer%zu.%zu.conv%zu", stage, i, k), &seen);
            }
        }
        if (stage > 1 || bottleneck) {
            expect(g, group, arena_text(w.a, "layer%zu.0.downsample.0", stage), &seen);
        }
    }
    expect(g, GROUP_FC, "fc", &seen);
    expect_all(g, seen, "");
    arena_close(&w.a);
}

static void resnets_follow_their_stages(void **state)
{
    (void)state;
    check_resnet("resnet18", (const size_t[]){2, 2, 2, 2}, false);
    check_resnet("resnet50", (const size_t[]){3, 4, 6, 3}, true);
}

/* ResNets for small images count blocks, not stages: `low` of them and `high` of them at the ends. */
static void check_resnet_cifar(const char *arch, size_t per_stage, size_t low, size_t high)
{
    narrow w = opened();
    size_t seen = 0, block = 0;
    add_conv_norm(&w, "", "conv1", "bn1", 3, 1, 3);
    for (size_t stage = 1; stage <= 3; stage++) {
        for (size_t i = 0; i < per_stage; i++) {
            const char *prefix = arena_text(w.a, "layer%zu.%zu.", stage, i);
            add_conv_norm(&w, prefix, "conv1", "bn1", 1, 1, 3);
            add_conv_norm(&w, prefix, "conv2", "bn2", 1, 1, 3);
        }
    }
    add_linear(&w, "linear", 1, 1);
    const graph *g = built(&w, arch, "32");
    expect(g, GROUP_LOW, "conv1", &seen);
    for (size_t stage = 1; stage <= 3; stage++) {
        for (size_t i = 0; i < per_stage; i++, block++) {
            const depth_group group = block < low ? GROUP_LOW : block < 3 * per_stage - high ? GROUP_MID : GROUP_HIGH;
            expect(g, group, arena_text(w.a, "layer%zu.%zu.conv1", stage, i), &seen);
            expect(g, group, arena_text(w.a, "layer%zu.%zu.conv2", stage, i), &seen);
        }
    }
    expect(g, GROUP_FC, "linear", &seen);
    expect_all(g, seen, "");
    arena_close(&w.a);
}

static void small_resnets_are_quarters(void **state)
{
    (void)state;
    check_resnet_cifar("resnet20", 3, 3, 3);
    check_resnet_cifar("resnet56", 9, 7, 7);
    check_resnet_cifar("resnet110", 18, 14, 14);
}

static void add_encoder_block(narrow *w, const char *prefix)
{
    add_linear(w, arena_text(w->a, "%s.mlp.0", prefix), 1, 1);
    add_linear(w, arena_text(w->a, "%s.mlp.3", prefix), 1, 1);
    add_linear(w, arena_text(w->a, "%s.self_attention.out_proj", prefix), 1, 1);
    add(w, prefix, ".self_attention.in_proj_weight", 2, 3, 1, 0, 0);
    add_vector(w, prefix, ".self_attention.in_proj_bias", 3);
    add_vector(w, prefix, ".ln_1.weight", 1);
    add_vector(w, prefix, ".ln_1.bias", 1);
    add_vector(w, prefix, ".ln_2.weight", 1);
    add_vector(w, prefix, ".ln_2.bias", 1);
}

/* Blocks [0, low) are low, [low, high) mid. */
static void check_vit(const char *arch, size_t blocks, size_t low, size_t high)
{
    static const char *const layers[] = {"mlp.0", "mlp.3", "self_attention.q_proj", "self_attention.k_proj", "self_attention.v_proj",
                                         "self_attention.out_proj"};
    narrow w = opened();
    size_t seen = 0, softmax = 0;
    add(&w, "", "class_token", 3, 1, 1, 1, 0);
    add(&w, "", "conv_proj.weight", 4, 1, 3, 2, 2);
    add_vector(&w, "", "conv_proj.bias", 1);
    add(&w, "", "encoder.pos_embedding", 3, 1, 5, 1, 0);
    for (size_t i = 0; i < blocks; i++) {
        add_encoder_block(&w, arena_text(w.a, "encoder.layers.encoder_layer_%zu", i));
    }
    add_vector(&w, "", "encoder.ln.weight", 1);
    add_vector(&w, "", "encoder.ln.bias", 1);
    add_linear(&w, "heads.head", 1, 1);
    const graph *g = built(&w, arch, "4");
    for (size_t i = 0; i < blocks; i++) {
        const depth_group group = i < low ? GROUP_LOW : i < high ? GROUP_MID : GROUP_HIGH;
        const char *prefix = arena_text(w.a, "encoder.layers.encoder_layer_%zu.", i);
        for (size_t k = 0; k < COUNT(layers); k++) {
            expect(g, group, arena_text(w.a, "%s%s", prefix, layers[k]), &seen);
        }
        expect(g, group, arena_text(w.a, "%sself_attention.softmax", prefix), &softmax);
    }
    expect(g, GROUP_FC, "heads.head", &seen);
    expect_all(g, seen, "conv_proj");
    arena_close(&w.a);
}

/* The first quarter, the middle half, the last quarter; few blocks so that each group has one as long as there are three. */
static void transformers_are_quarters(void **state)
{
    (void)state;
    check_vit("vit_b_16", 12, 3, 9);
    check_vit("vit_l_16", 24, 6, 18);
    check_vit("vit_h_14", 32, 8, 24);
    check_vit("vit", 4, 1, 3);
    check_vit("vit", 3, 1, 2);
}

static void golden_networks_agree(void **state)
{
    (void)state;
    static const char *const files[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};
    for (size_t f = 0; f < COUNT(files); f++) {
        golden *file = golden_open(files[f]);
        const char *const *lines;
        const graph *g;
        arena *a;
        size_t seen = 0;
        assert_ok(arena_open("test", &a));
        assert_ok(graph_build(a, golden_tensors(file), &g));
        const size_t n = golden_lines(file, "/", "groups_txt", &lines);
        for (size_t i = 0; i < n; i++) {
            const char *layer = strchr(lines[i], '=') + 1;
            const depth_group group = lines[i][0] == 'l'   ? GROUP_LOW
                                      : lines[i][0] == 'm' ? GROUP_MID
                                      : lines[i][0] == 'h' ? GROUP_HIGH
                                                           : GROUP_FC;
            expect(g, group, layer, &seen);
        }
        expect_all(g, seen, "conv_proj");
        arena_close(&a);
        golden_close(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vgg16_is_four_five_four),
        cmocka_unit_test(resnets_follow_their_stages),
        cmocka_unit_test(small_resnets_are_quarters),
        cmocka_unit_test(transformers_are_quarters),
        cmocka_unit_test(golden_networks_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
