/* Architectures that have no golden file: CIFAR ResNets, timm's names, and what is known of published networks. */
#include "support/backends.h"
#include "support/made.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attribution/walk.h"
#include "core/rng.h"
#include "io/checkpoint.h"
#include "nn/arch.h"
#include "nn/forward.h"

static arena *a;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &a)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&a);
    return 0;
}

static float *random_images(const graph *g, size_t batch)
{
    const size_t n = batch * shape_count(g->input);
    float *x = arena_alloc(a, n, sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(2.0 * rng_uniform(7, RNG_TEST, 1, (uint32_t)i) - 1.0);
    }
    return x;
}

enum { BATCH = 3 };

typedef struct answer {
    const float *logits, *rows;
} answer;

static answer explain(const graph *g)
{
    static const size_t target[BATCH] = {1, 4, 0};
    const composite *c = NULL;
    walk *w = NULL;
    forward *f = NULL;
    float *rows = arena_alloc(a, BATCH * WALK_MOMENTS * g->n_components, sizeof *rows);
    const float *x = random_images(g, BATCH);
    assert_ok(composite_epsilon(a, 1e-6, &c));
    assert_ok(walk_build(a, g, c, test_backend(), BATCH, &w));
    walk_run(w, x, target, rows);
    assert_ok(forward_build(a, g, test_backend(), BATCH, KEEP_LOGITS, &f));
    forward_run(f, x, NULL);
    return (answer){forward_logits(f), rows};
}

/* Subsampling is the convolution that it stands for, forward and for relevance (up to the epsilon of that convolution's rule). */
static void subsampling_is_the_convolution_it_stands_for(void **state)
{
    (void)state;
    const graph *g = made_build(made_cifar_net(a, 1, 20, false)), *h = made_build(made_cifar_net(a, 1, 20, true));
    const answer x = explain(g), y = explain(h);
    assert_string_equal(g->architecture, "resnet_cifar");
    assert_int_equal(g->input.dim[1], 32);
    assert_int_equal(h->n_layers, g->n_layers + 2);
    for (size_t i = 0; i < BATCH * 10; i++) {
        assert_true(fabs((double)x.logits[i] - (double)y.logits[i]) < 2e-5);
    }
    for (size_t b = 0; b < BATCH; b++) {
        const float *r = x.rows + b * WALK_MOMENTS * g->n_components, *s = y.rows + b * WALK_MOMENTS * h->n_components;
        double largest = 0.0, worst = 0.0;
        for (size_t l = 0, k = 0; l < g->n_layers; l++, k++) {
            const node *n = &g->nodes[g->layers[l]];
            while (strcmp(h->nodes[h->layers[k]].name, n->name) != 0) {
                k++;
            }
            const size_t other = h->nodes[h->layers[k]].first_component;
            for (size_t c = 0; c < n->n_components; c++) {
                const double u = (double)r[WALK_SIGNED * g->n_components + n->first_component + c];
                const double v = (double)s[WALK_SIGNED * h->n_components + other + c];
                largest = fmax(largest, fabs(u));
                const double off = fabs(u - v);
                worst = worst_of(worst, off);
            }
        }
        assert_true(largest > 0.01 && worst < 1e-3 * largest);
    }
    arena_reset(a);
}

/* Nine blocks: three of each group, whatever their stage (docs/attribution.md, section j). */
static void blocks_decide_the_groups(void **state)
{
    (void)state;
    static const struct {
        size_t blocks;
        const char *groups; /* a letter a block */
    } cases[] = {{3, "lllmmmhhh"}, {1, "lmh"}, {5, "llllmmmmmmmhhhh"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const graph *g = made_build(made_cifar_net(a, cases[i].blocks, 4, false));
        size_t block = 0;
        for (size_t l = 0; l < g->n_layers; l++) {
            const node *n = &g->nodes[g->layers[l]];
            const bool stem = strcmp(n->name, "conv1") == 0;
            assert_int_equal(depth_group_name(n->group)[0], stem ? 'l' : cases[i].groups[block]);
            block += strstr(n->name, ".conv2") != NULL;
        }
        assert_int_equal(block, 3 * cases[i].blocks);
    }
    arena_reset(a);
}

/* A block whose branch is narrower than its input. */
static void narrowing_is_refused(void **state)
{
    (void)state;
    const graph *g = NULL;
    made *m = made_cifar_net(a, 1, 4, false);
    for (size_t i = 0; i < m->t.n; i++) {
        if (strcmp(m->list[i].name, "layer2.0.conv1.weight") == 0) {
            m->list[i].dim[0] = 2;
        }
    }
    assert_fails(graph_build(a, &m->t, &g), ST_DATA, "made: ", NULL);
    arena_reset(a);
}

/* torchvision's name -> timm's. */
static const char *timm_name(const char *name)
{
    static const char *const whole[][2] = {{"class_token", "cls_token"}, {"encoder.pos_embedding", "pos_embed"}};
    static const char *const start[][2] = {
        {"conv_proj.", "patch_embed.proj."}, {"encoder.ln.", "norm."}, {"heads.head.", "head."}};
    static const char *const part[][2] = {{"ln_1.", "norm1."},
                                          {"ln_2.", "norm2."},
                                          {"self_attention.in_proj_", "attn.qkv."},
                                          {"self_attention.out_proj.", "attn.proj."},
                                          {"mlp.0.", "mlp.fc1."},
                                          {"mlp.3.", "mlp.fc2."}};
    size_t block = 0;
    int used = 0;
    for (size_t i = 0; i < COUNT(whole); i++) {
        if (strcmp(name, whole[i][0]) == 0) {
            return whole[i][1];
        }
    }
    for (size_t i = 0; i < COUNT(start); i++) {
        if (strncmp(name, start[i][0], strlen(start[i][0])) == 0) {
            return arena_text(a, "%s%s", start[i][1], name + strlen(start[i][0]));
        }
    }
    assert_int_equal(sscanf(name, "encoder.layers.encoder_layer_%zu.%n", &block, &used), 1);
    for (size_t i = 0; i < COUNT(part); i++) {
        if (strncmp(name + used, part[i][0], strlen(part[i][0])) == 0) {
            return arena_text(a, "blocks.%zu.%s%s", block, part[i][1], name + used + strlen(part[i][0]));
        }
    }
    fail_msg("no other name for %s", name);
    return NULL;
}

static void names_of_timm_make_the_same_network(void **state)
{
    (void)state;
    file_bytes bytes;
    tensors *t = NULL;
    const graph *g = NULL, *h = NULL;
    assert_ok(file_read(a, source_path("examples/digits/models/digits_vit/model.safetensors"), SIZE_MAX, &bytes));
    assert_ok(checkpoint_parse(a, "vit", bytes, &t));
    assert_ok(facts_merge(a, 0, NULL, 0, NULL, t));
    assert_ok(graph_build(a, t, &g));
    tensor *renamed = arena_alloc(a, t->n, sizeof *renamed);
    for (size_t i = 0; i < t->n; i++) {
        renamed[i] = t->list[i];
        renamed[i].name = timm_name(t->list[i].name);
    }
    t->list = renamed;
    assert_ok(graph_build(a, t, &h));
    assert_int_equal(h->n_nodes, g->n_nodes);
    assert_int_equal(h->n_components, g->n_components);
    const answer x = explain(g), y = explain(h);
    assert_memory_equal(x.logits, y.logits, BATCH * g->n_classes * sizeof(float));
    assert_memory_equal(x.rows, y.rows, BATCH * WALK_MOMENTS * g->n_components * sizeof(float));
    assert_string_equal(h->nodes[h->layers[0]].name, "blocks.0.attn.softmax");
    assert_string_equal(h->nodes[h->layers[1]].name, "blocks.0.mlp.fc1");
    arena_reset(a);
}

static made *timm_vit(size_t features, size_t blocks, size_t hidden, size_t tokens)
{
    made *m = made_open(a);
    char name[160];
    const size_t e = features;
    made_put(m, "cls_token", 3, (const size_t[]){1, 1, e}, 0, 1, NULL);
    made_put(m, "pos_embed", 3, (const size_t[]){1, tokens, e}, 0, 1, NULL);
    made_put(m, "patch_embed.proj.weight", 4, (const size_t[]){e, 3, 16, 16}, 0, 1, NULL);
    made_put(m, "patch_embed.proj.bias", 1, &e, 0, 1, NULL);
    for (size_t i = 0; i < blocks; i++) {
        const struct {
            const char *name;
            size_t rank, dim[2];
        } parts[] = {{"norm1.weight", 1, {e}},           {"norm1.bias", 1, {e}},
                     {"attn.qkv.weight", 2, {3 * e, e}}, {"attn.qkv.bias", 1, {3 * e}},
                     {"attn.proj.weight", 2, {e, e}},    {"attn.proj.bias", 1, {e}},
                     {"norm2.weight", 1, {e}},           {"norm2.bias", 1, {e}},
                     {"mlp.fc1.weight", 2, {hidden, e}}, {"mlp.fc1.bias", 1, {hidden}},
                     {"mlp.fc2.weight", 2, {e, hidden}}, {"mlp.fc2.bias", 1, {e}}};
        for (size_t k = 0; k < COUNT(parts); k++) {
            (void)snprintf(name, sizeof name, "blocks.%zu.%s", i, parts[k].name);
            made_put(m, name, parts[k].rank, parts[k].dim, 0, 1, NULL);
        }
    }
    made_put(m, "norm.weight", 1, &e, 0, 1, NULL);
    made_put(m, "norm.bias", 1, &e, 0, 1, NULL);
    made_put(m, "head.weight", 2, (const size_t[]){10, e}, 0, 1, NULL);
    made_put(m, "head.bias", 1, (const size_t[]){10}, 0, 1, NULL);
    return m;
}

/* DeiT-tiny's shape has three heads; a network that shares only some of its numbers has to say how many. */
static void heads_of_published_networks_are_known(void **state)
{
    (void)state;
    const graph *g = made_build(timm_vit(192, 12, 768, 197));
    assert_int_equal(g->input.dim[1], 224);
    assert_int_equal(g->nodes[g->layers[0]].n_components, 3);
    const made *others[] = {timm_vit(192, 12, 384, 65), timm_vit(192, 6, 768, 65), timm_vit(96, 12, 384, 65)};
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_fails(graph_build(a, &others[i]->t, &g), ST_DATA, "the number of attention heads cannot be seen", NULL);
    }
    made *stated = timm_vit(192, 12, 768, 65);
    const fact six = {"num_heads", "6", "config"};
    stated->t.facts = &six;
    stated->t.n_facts = 1;
    assert_int_equal(made_build(stated)->nodes[made_build(stated)->layers[0]].n_components, 6);
    arena_reset(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subsampling_is_the_convolution_it_stands_for),
        cmocka_unit_test(blocks_decide_the_groups),
        cmocka_unit_test(narrowing_is_refused),
        cmocka_unit_test(names_of_timm_make_the_same_network),
        cmocka_unit_test(heads_of_published_networks_are_known),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, set_up, tear_down);
}
