/* Building graphs from tensors: what is refused and how it is said. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "nn/arch.h"
#include "nn/forward.h"

/* A checkpoint that a case may spoil: a copy of a golden network's. */
typedef struct checkpoint {
    arena *a;
    tensors t;
    tensor *list; /* room for one more */
    fact *facts;  /* room for one more */
} checkpoint;

/* Every golden file is read once: cases change copies. */
static struct {
    const char *name;
    golden *file;
    const tensors *t;
} files[8];

static const tensors *original(const char *name)
{
    size_t i = 0;
    while (files[i].name != NULL && strcmp(files[i].name, name) != 0) {
        i++;
    }
    if (files[i].name == NULL) {
        files[i].name = name;
        files[i].file = golden_open(name);
        files[i].t = golden_tensors(files[i].file);
    }
    return files[i].t;
}

static int close_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        golden_close(&files[i].file);
        files[i].name = NULL;
    }
    return 0;
}

static void open_checkpoint(checkpoint *c, const char *name)
{
    *c = (checkpoint){.t = *original(name)};
    assert_ok(arena_open("test", &c->a));
    c->list = arena_alloc(c->a, c->t.n + 1, sizeof *c->list);
    c->facts = arena_alloc(c->a, c->t.n_facts + 1, sizeof *c->facts);
    memcpy(c->list, c->t.list, c->t.n * sizeof *c->list);
    memcpy(c->facts, c->t.facts, c->t.n_facts * sizeof *c->facts);
    c->t.list = c->list;
    c->t.facts = c->facts;
}

static void close_checkpoint(checkpoint *c)
{
    arena_close(&c->a);
}

static tensor *get(checkpoint *c, const char *name)
{
    for (size_t i = 0; i < c->t.n; i++) {
        if (strcmp(c->list[i].name, name) == 0) {
            return &c->list[i];
        }
    }
    fail_msg("no tensor '%s'", name);
    return NULL;
}

static void remove_tensor(checkpoint *c, const char *name)
{
    *get(c, name) = c->list[--c->t.n];
}

static void add_tensor(checkpoint *c, const char *name, const char *like)
{
    c->list[c->t.n] = *get(c, like);
    c->list[c->t.n++].name = name;
}

static void set_value(checkpoint *c, const char *name, size_t index, float value)
{
    tensor *t = get(c, name);
    size_t count = 1;
    for (size_t i = 0; i < t->rank; i++) {
        count *= t->dim[i];
    }
    float *data = arena_alloc(c->a, count, sizeof *data);
    memcpy(data, t->data, count * sizeof *data);
    data[index] = value;
    t->data = data;
}

/* With data for the new shape, as a reader would give, where it is not absurd: then the shape alone must be refused. */
static void set_dimension(checkpoint *c, const char *name, size_t index, size_t size)
{
    tensor *t = get(c, name);
    double count = 1.0;
    t->dim[index] = size;
    for (size_t i = 0; i < t->rank; i++) {
        count *= (double)t->dim[i];
    }
    t->data = count < 1e6 ? arena_alloc(c->a, (size_t)count, sizeof *t->data) : t->data;
}

static void set_fact(checkpoint *c, const char *name, const char *value)
{
    for (size_t i = 0; i < c->t.n_facts; i++) {
        if (strcmp(c->facts[i].name, name) == 0) {
            c->facts[i].value = value;
            return;
        }
    }
    c->facts[c->t.n_facts++] = (fact){name, value, "config"};
}

static void remove_fact(checkpoint *c, const char *name)
{
    for (size_t i = 0; i < c->t.n_facts; i++) {
        if (strcmp(c->facts[i].name, name) == 0) {
            c->facts[i] = c->facts[--c->t.n_facts];
        }
    }
}

/* What a case does to its checkpoint; `number` and `text` mean what the action says. */
typedef enum action { REMOVE, RENAME, ADD, SHAPE, RANK, TYPE, VALUE, FACT, NO_FACT, NO_TENSORS } action;

typedef struct bad_case {
    const char *network;
    action what;
    const char *name, *text;
    size_t index, size;
    float value;
    const char *parts[4]; /* of the message */
} bad_case;

#define MLP0 "encoder.layers.encoder_layer_1.mlp.0.weight"
static const bad_case bad_cases[] = {
    {"vgg_bn_tiny.h5", REMOVE, "features.4.weight",
     .parts = {"features.3.weight", "'features.4.weight'", "found none"}},
    {"vgg_bn_tiny.h5", REMOVE, "features.4.bias", .parts = {"features.4.bias", "[16]", "found none"}},
    {"vgg_bn_tiny.h5", REMOVE, "features.5.running_var", .parts = {"features.5.running_var", "[16]", "found none"}},
    {"vgg_bn_tiny.h5", REMOVE, "classifier.6.bias", .parts = {"classifier.6.bias", "[10]", "found none"}},
    {"vgg_bn_tiny.h5", RENAME, "features.9.running_mean", "features.9.runing_mean",
     .parts = {"features.9.running_mean", "no"}},
    {"vgg_bn_tiny.h5", RENAME, "classifier.0.bias", "classifier.0.bais",
     .parts = {"classifier.0.bias", "closest free name is 'classifier.0.bais'"}},
    {"vgg_bn_tiny.h5", ADD, "extra.weight", "features.4.weight",
     .parts = {"extra.weight", "[16, 8, 3, 3]", "no place", "vgg"}},
    {"vgg_bn_tiny.h5", ADD, "features.4.weight", "features.4.weight", .parts = {"two tensors", "features.4.weight"}},
    {"vgg_bn_tiny.h5", SHAPE, "features.4.weight", .index = 1, .size = 9,
     .parts = {"features.4.weight", "expected shape [any, 8, 3, 3]", "found [16, 9, 3, 3]"}},
    {"vgg_bn_tiny.h5", SHAPE, "features.4.weight", .index = 2, .size = 5,
     .parts = {"features.4.weight", "found [16, 8, 5, 3]"}},
    {"vgg_bn_tiny.h5", SHAPE, "features.5.running_mean", .index = 0, .size = 15,
     .parts = {"features.5.running_mean", "expected shape [16]", "found [15]"}},
    {"vgg_bn_tiny.h5", SHAPE, "features.0.weight", .index = 0, .size = 0,
     .parts = {"features.0.weight", "elements", "found shape [0, 3, 3, 3]"}},
    {"vgg_bn_tiny.h5", SHAPE, "features.0.weight", .index = 0, .size = SIZE_MAX / 4,
     .parts = {"features.0.weight", "elements"}},
    {"vgg_bn_tiny.h5", SHAPE, "features.0.weight", .index = 1, .size = (size_t)1 << 62,
     .parts = {"image", "too large"}},
    {"vgg_bn_tiny.h5", SHAPE, "classifier.0.weight", .index = 1, .size = 1177,
     .parts = {"classifier.0.weight", "[any, 24 k k]", "[32, 1177]"}},
    {"vgg_bn_tiny.h5", SHAPE, "classifier.0.weight", .index = 1, .size = SIZE_MAX, .parts = {"classifier.0.weight"}},
    {"vgg_bn_tiny.h5", SHAPE, "classifier.3.weight", .index = 1, .size = 31,
     .parts = {"classifier.3.weight", "expected shape [any, 32]"}},
    {"vgg_bn_tiny.h5", RANK, "features.4.weight", .size = 3, .parts = {"features.4.weight", "found [16, 8, 3]"}},
    {"vgg_bn_tiny.h5", RANK, "features.0.weight", .size = 2, .parts = {"features.0.weight", "found [8, 3]"}},
    {"vgg_bn_tiny.h5", RANK, "features.4.weight", .size = 200, .parts = {"features.4.weight", "expected shape"}},
    {"vgg_bn_tiny.h5", TYPE, "features.4.weight", "F16",
     .parts = {"features.4.weight", "expected type F32", "found F16"}},
    {"vgg_bn_tiny.h5", VALUE, "features.4.weight", .index = 16 * 72 - 1, .value = NAN,
     .parts = {"features.4.weight", "nan", "[15, 7, 2, 2]"}},
    {"vgg_bn_tiny.h5", VALUE, "classifier.3.bias", .index = 4, .value = -INFINITY,
     .parts = {"classifier.3.bias", "-inf", "[4]"}},
    {"vgg_bn_tiny.h5", VALUE, "features.5.running_var", .index = 3, .value = -0.5f,
     .parts = {"features.5.running_var", "-0.5", "[3]"}},
    {"vgg_bn_tiny.h5", NO_FACT, "image_size", .parts = {"image size", "metadata", "model.json", "`image_size:`"}},
    {"vgg_bn_tiny.h5", FACT, "image_size", "32x", .parts = {"image_size", "HEIGHTxWIDTH", "'32x'"}},
    {"vgg_bn_tiny.h5", FACT, "image_size", "4", .parts = {"features.11.pool", "window of 2", "[24, 1, 1]"}},
    {"vgg_bn_tiny.h5", FACT, "image_size", "100000x100000", .parts = {"image", "too large"}},
    {"vgg_bn_tiny.h5", FACT, "image_size", "20000x20000", .parts = {"features.0", "too large"}},
    {"vgg_bn_tiny.h5", FACT, "num_classes", "11", .parts = {"num_classes", "expected 11", "10 outputs"}},
    {"vgg_bn_tiny.h5", FACT, "num_classes", "ten", .parts = {"num_classes", "positive integer", "'ten'"}},
    {"vgg_bn_tiny.h5", FACT, "channels", "1", .parts = {"channels", "expect 3", "1"}},
    {"vgg_bn_tiny.h5", FACT, "cfg", "8,M,16,M,24,M,24,M",
     .parts = {"cfg", "'8,M,16,M,24,24,M'", "'8,M,16,M,24,M,24,M'"}},
    {"vgg_bn_tiny.h5", FACT, "bn_eps", "-1", .parts = {"bn_eps", "positive number", "'-1'"}},
    {"vgg_bn_tiny.h5", FACT, "arch", "alexnet", .parts = {"unknown architecture 'alexnet'", "vgg resnet resnet_cifar vit"}},
    {"vgg_bn_tiny.h5", FACT, "arch", "resnet18", .parts = {"conv1.weight", "found none"}},
    {"vgg_bn_tiny.h5", NO_TENSORS, .parts = {"0 tensors", "known families"}},
    {"vgg_bn_tiny.h5", RENAME, "features.0.weight", "body.0.weight", .parts = {"no known architecture"}},
    {"resnet_basic_tiny.h5", REMOVE, "layer2.0.downsample.0.weight",
     .parts = {"layer2.0.downsample.0.weight", "[any, 8, 1, 1]", "found none"}},
    {"resnet_basic_tiny.h5", REMOVE, "layer3.0.conv1.weight",
     .parts = {"layer3.0.conv1.weight", "[any, 12, 3, 3]", "found none"}},
    {"resnet_basic_tiny.h5", REMOVE, "layer1.0.bn2.weight", .parts = {"layer1.0.bn2.weight", "[8]", "found none"}},
    {"resnet_basic_tiny.h5", SHAPE, "conv1.weight", .index = 2, .size = 3,
     .parts = {"conv1.weight", "expected shape [any, 3, 7, 7]"}},
    {"resnet_basic_tiny.h5", ADD, "conv1.bias", "bn1.bias", .parts = {"conv1.bias", "no place"}},
    {"resnet_basic_tiny.h5", FACT, "image_size", "0", .parts = {"image_size", "'0'"}},
    {"resnet_bottleneck_tiny.h5", SHAPE, "layer1.0.conv3.weight", .index = 1, .size = 5,
     .parts = {"layer1.0.conv3.weight", "[any, 4, 1, 1]"}},
    {"resnet_basic_tiny.h5", ADD, "layer5.0.conv9.weight", "conv1.weight",
     .parts = {"layer5.0.conv1.weight", "found none"}},
    {"resnet_basic_tiny.h5", ADD, "layer99999999999999999999.0.weight", "conv1.weight",
     .parts = {"layer9999", "no place"}},
    {"vit_tiny.h5", NO_FACT, "num_heads", .parts = {"heads", "metadata", "model.json", "`heads:`"}},
    {"vit_tiny.h5", FACT, "num_heads", "5", .parts = {"self_attention.softmax", "48 features", "5 heads"}},
    {"vit_tiny.h5", FACT, "num_heads", "0", .parts = {"num_heads", "positive integer"}},
    {"vit_tiny.h5", FACT, "image_size", "40x40", .parts = {"image_size", "16 patches", "8x8", "40x40"}},
    {"vit_tiny.h5", FACT, "image_size", "33x32", .parts = {"image_size", "33x32"}},
    {"vit_tiny.h5", FACT, "patch_size", "16", .parts = {"patch_size", "expected 8", "found 16"}},
    {"vit_tiny.h5", REMOVE, MLP0, .parts = {MLP0, "[any, 48]", "found none"}},
    {"vit_tiny.h5", REMOVE, "encoder.layers.encoder_layer_0.ln_1.weight",
     .parts = {"encoder_layer_0.ln_1.weight", "found none"}},
    {"vit_tiny.h5", REMOVE, "encoder.layers.encoder_layer_1.ln_1.weight",
     .parts = {"encoder_layer_1.ln_1.weight", "[48]", "found none"}},
    {"vit_tiny.h5", SHAPE, "class_token", .index = 2, .size = 47,
     .parts = {"class_token", "expected shape [1, 1, 48]"}},
    {"vit_tiny.h5", SHAPE, "encoder.pos_embedding", .index = 1, .size = 18, .parts = {"image_size", "17 patches"}},
    {"vit_tiny.h5", SHAPE, "encoder.pos_embedding", .index = 1, .size = SIZE_MAX,
     .parts = {"encoder.pos_embedding", "elements"}},
    {"vit_tiny.h5", SHAPE, "conv_proj.weight", .index = 2, .size = 4,
     .parts = {"conv_proj.weight", "found [48, 3, 4, 8]"}},
    {"vit_tiny.h5", SHAPE, "heads.head.weight", .index = 1, .size = 40, .parts = {"heads.head.weight", "[any, 48]"}},
    {"vit_tiny.h5", VALUE, "encoder.pos_embedding", .index = 48 * 2 + 5, .value = INFINITY,
     .parts = {"pos_embedding", "inf", "[0, 2, 5]"}},
    {"vit_tiny.h5", ADD, "heads.pre_logits.weight", "heads.head.weight",
     .parts = {"heads.pre_logits.weight", "no place"}},
};

static void spoil(checkpoint *c, const bad_case *b)
{
    switch (b->what) {
    case REMOVE:
        remove_tensor(c, b->name);
        break;
    case RENAME:
        get(c, b->name)->name = b->text;
        break;
    case ADD:
        add_tensor(c, b->name, b->text);
        break;
    case SHAPE:
        set_dimension(c, b->name, b->index, b->size);
        break;
    case RANK:
        get(c, b->name)->rank = b->size;
        break;
    case TYPE:
        get(c, b->name)->type = TENSOR_OTHER;
        get(c, b->name)->type_name = b->text;
        break;
    case VALUE:
        set_value(c, b->name, b->index, b->value);
        break;
    case FACT:
        set_fact(c, b->name, b->text);
        break;
    case NO_FACT:
        remove_fact(c, b->name);
        break;
    case NO_TENSORS:
        c->t.n = 0;
        break;
    }
}

static void broken_checkpoints_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_cases); i++) {
        const bad_case *b = &bad_cases[i];
        checkpoint c;
        const graph *g = NULL;
        open_checkpoint(&c, b->network);
        spoil(&c, b);
        const status st = graph_build(c.a, &c.t, &g);
        if (status_ok(st)) {
            fail_msg("case %zu (%s) was accepted", i, b->name);
        }
        assert_fails(st, ST_DATA, b->network, b->parts[0], b->parts[1], b->parts[2], b->parts[3], NULL);
        close_checkpoint(&c);
    }
}

static void folding_stays_in_range(void **state)
{
    (void)state;
    checkpoint c;
    const graph *g = NULL;
    open_checkpoint(&c, "vgg_bn_tiny.h5");
    set_value(&c, "features.5.weight", 2, 3e38f);
    set_value(&c, "features.5.running_var", 2, 0.0f);
    assert_fails(graph_build(c.a, &c.t, &g), ST_DATA, "folding", "features.4", "channel 2", NULL);
    close_checkpoint(&c);
}

/* What a checkpoint may be and still be understood. */
static void harmless_differences_are_accepted(void **state)
{
    (void)state;
    static const bad_case cases[] = {
        {"vgg_bn_tiny.h5", REMOVE, .name = "features.5.num_batches_tracked"},
        {"vgg_bn_tiny.h5", FACT, .name = "arch", .text = "vgg_bn"},
        {"vgg_bn_tiny.h5", FACT, .name = "arch", .text = "vgg"},
        {"vgg_bn_tiny.h5", FACT, .name = "cfg", .text = "8,M,16,M,24,24,M"},
        {"vgg_bn_tiny.h5", FACT, .name = "cfg", .text = "D"},
        {"vgg_bn_tiny.h5", FACT, .name = "image_size", .text = "32"},
        {"vgg_bn_tiny.h5", FACT, .name = "image_size", .text = "48x32"},
        {"vgg_bn_tiny.h5", NO_FACT, .name = "num_classes"},
        {"vgg_bn_tiny.h5", VALUE, "features.5.running_var", .index = 3, .value = 0.0f},
        {"resnet_bottleneck_tiny.h5", FACT, .name = "arch", .text = "resnet50"},
        {"vit_tiny.h5", NO_FACT, .name = "image_size"},
        {"vit_tiny.h5", FACT, .name = "image_size", .text = "16x64"},
        {"vit_tiny.h5", FACT, .name = "patch_size", .text = "8"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        checkpoint c;
        const graph *g = NULL;
        open_checkpoint(&c, cases[i].network);
        spoil(&c, &cases[i]);
        assert_ok(graph_build(c.a, &c.t, &g));
        assert_int_equal(g->n_classes, 10);
        close_checkpoint(&c);
    }
}

/* mlp.linear_1 and mlp.linear_2 are the older names; the nodes get the present ones. */
static void older_transformer_names_are_understood(void **state)
{
    (void)state;
    checkpoint c;
    const graph *g = NULL, *older = NULL;
    open_checkpoint(&c, "vit_tiny.h5");
    assert_ok(graph_build(c.a, &c.t, &g));
    for (size_t i = 0; i < c.t.n; i++) {
        const char *mlp = strstr(c.list[i].name, "mlp.");
        if (mlp != NULL) {
            const int before = (int)(mlp - c.list[i].name);
            c.list[i].name =
                arena_text(c.a, "%.*smlp.linear_%c%s", before, c.list[i].name, mlp[4] == '0' ? '1' : '2', mlp + 5);
        }
    }
    assert_ok(graph_build(c.a, &c.t, &older));
    assert_int_equal(g->n_nodes, older->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        assert_string_equal(g->nodes[i].name, older->nodes[i].name);
        assert_int_equal(g->nodes[i].n_weight, older->nodes[i].n_weight);
        if (g->nodes[i].weight != NULL) {
            assert_memory_equal(g->nodes[i].weight, older->nodes[i].weight, g->nodes[i].n_weight * sizeof(float));
        }
    }
    close_checkpoint(&c);
}

static void graphs_are_well_formed(void **state)
{
    (void)state;
    static const char *const networks[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5",
                                           "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};
    for (size_t k = 0; k < COUNT(networks); k++) {
        checkpoint c;
        const graph *g = NULL;
        size_t n = 0, sum = 0;
        const size_t *list = NULL;
        open_checkpoint(&c, networks[k]);
        assert_ok(graph_build(c.a, &c.t, &g));
        for (size_t i = 0; i < g->n_nodes; i++) {
            assert_int_equal(g->nodes[i].n_in, g->nodes[i].op->n_in);
            for (size_t j = 0; j < g->nodes[i].n_in; j++) {
                assert_true(g->nodes[i].in[j] < i);
            }
        }
        for (component_kind kind = COMPONENT_FILTER; kind <= COMPONENT_HEAD; kind++) {
            assert_ok(graph_components(c.a, g, kind, &n, &list));
            for (size_t i = 1; i < n; i++) {
                assert_true(list[i - 1] < list[i]);
            }
            sum += n;
        }
        assert_int_equal(sum, g->n_components);
        close_checkpoint(&c);
    }
}

static void absurd_batches_are_refused(void **state)
{
    (void)state;
    checkpoint c;
    const graph *g = NULL;
    forward *f = NULL;
    open_checkpoint(&c, "vgg_bn_tiny.h5");
    assert_ok(graph_build(c.a, &c.t, &g));
    assert_fails(forward_build(c.a, g, test_backend(), 0, KEEP_ALL, &f), ST_CONFIG, "micro_batch", "found 0", NULL);
    assert_fails(forward_build(c.a, g, test_backend(), SIZE_MAX, KEEP_ALL, &f), ST_CONFIG, "micro_batch", NULL);
    close_checkpoint(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_checkpoints_are_explained),
        cmocka_unit_test(folding_stays_in_range),
        cmocka_unit_test(harmless_differences_are_accepted),
        cmocka_unit_test(older_transformer_names_are_understood),
        cmocka_unit_test(graphs_are_well_formed),
        cmocka_unit_test(absurd_batches_are_refused),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, close_files);
}
