/* Relevance of the image in pruned networks: through the small network as through the whole one with zeros, in float32 and by the float64 twin. */
#include "support/backends.h"
#include "support/golden.h"
#include "support/made.h"
#include "support/naive_walk.h"

#include <math.h>
#include <string.h>

#include "attribution/walk_pruned.h"
#include "core/rng.h"
#include "io/config.h"
#include "nn/arch.h"
#include "nn/passes/compact.h"
#include "nn/passes/needed_rows.h"
#include "nn/passes/own_weights.h"

enum { BATCH = 3 };

typedef struct subject {
    arena *a;
    golden *file;
    const char *name;
    const graph *g;
    const float *images;
    size_t target[BATCH];
    uint8_t *alive;
} subject;

static const char *const networks[] = {"vgg_tiny.h5", "vgg_bn_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5",
                                       "CIFAR ResNet", "vit_tiny.h5", "vit_tiny.h5, needed rows"};
enum { CNNS = 4 }; /* the first of them: whose layers the twin knows */

static void open_subject(size_t which, subject *s)
{
    char file[64];
    *s = (subject){.name = networks[which], .target = {3, 0, 5}};
    assert_ok(arena_open("test", &s->a));
    if (strncmp(s->name, "CIFAR", 5) == 0) {
        s->g = made_build(made_cifar_net(s->a, 2, 12, false));
        float *images = arena_alloc(s->a, BATCH * shape_count(s->g->input), sizeof *images);
        for (size_t i = 0; i < BATCH * shape_count(s->g->input); i++) {
            images[i] = (float)(2.0 * rng_uniform(7, RNG_TEST, 1, (uint32_t)i) - 1.0);
        }
        s->images = images;
    } else {
        (void)snprintf(file, sizeof file, "%.*s", (int)strcspn(s->name, ","), s->name);
        s->file = golden_open(file);
        assert_ok(graph_build(s->a, golden_tensors(s->file), &s->g));
        s->images = golden_read(s->file, "inputs").f32;
        if (strchr(s->name, ',') != NULL) {
            assert_ok(graph_needed_rows(s->a, s->g, &s->g));
        }
    }
    s->alive = arena_alloc(s->a, s->g->n_components, 1);
    assert_non_null(s->alive);
}

static void close_subject(subject *s)
{
    if (s->file != NULL) {
        golden_close(&s->file);
    }
    arena_close(&s->a);
}

static void kill(const subject *s, double rate, uint64_t seed)
{
    for (size_t i = 0; i < s->g->n_components; i++) {
        s->alive[i] = rng_uniform(seed, RNG_TEST, 2, (uint32_t)i) >= rate;
    }
}

/* ---- the whole network with zeros ---- */

static float *copied(const subject *s, size_t n, const float *from)
{
    float *to = arena_alloc(s->a, n, sizeof *to);
    assert_non_null(to);
    memcpy(to, from, n * sizeof *to);
    return to;
}

/* A dead row of weights and its bias. */
static void zero_row(const node *n, float *weight, float *bias, size_t row)
{
    const size_t columns = n->n_weight / n->n_components;
    memset(weight + row * columns, 0, columns * sizeof *weight);
    if (bias != NULL) {
        bias[row] = 0.0f;
    }
}

/* The columns of a dead head in the linear layer that reads it. */
static void zero_head(const subject *s, node *nodes, node_id attention, size_t head)
{
    const size_t features = shape_channels(s->g->nodes[attention].out), d = features / s->g->nodes[attention].n_components;
    node_id reader = attention + 1;
    while (nodes[reader].op != &op_linear || nodes[reader].in[0] != attention) {
        reader++;
    }
    float *weight = copied(s, nodes[reader].n_weight, nodes[reader].weight);
    for (size_t row = 0; row < nodes[reader].n_weight / features; row++) {
        memset(weight + row * features + head * d, 0, d * sizeof *weight);
    }
    nodes[reader].weight = weight;
}

static const graph *masked(const subject *s)
{
    graph *g = arena_alloc(s->a, 1, sizeof *g);
    node *nodes = arena_alloc(s->a, s->g->n_nodes, sizeof *nodes);
    assert_true(g != NULL && nodes != NULL);
    memcpy(nodes, s->g->nodes, s->g->n_nodes * sizeof *nodes);
    for (node_id id = 0; id < s->g->n_nodes; id++) {
        node *n = &nodes[id];
        const bool rows = n->components == COMPONENT_FILTER || n->components == COMPONENT_NEURON;
        float *weight = rows ? copied(s, n->n_weight, n->weight) : NULL, *bias = rows && n->bias != NULL ? copied(s, n->n_bias, n->bias) : NULL;
        for (size_t c = 0; c < n->n_components; c++) {
            if (!s->alive[n->first_component + c] && rows) {
                zero_row(n, weight, bias, c);
            } else if (!s->alive[n->first_component + c]) {
                zero_head(s, nodes, id, c);
            }
        }
        n->weight = rows ? weight : n->weight;
        n->bias = rows && bias != NULL ? bias : n->bias;
    }
    *g = *s->g;
    g->nodes = nodes;
    return g;
}

/* ---- composites, as a study states them ---- */

typedef struct choice {
    const char *sets[4]; /* "key=value"; NULL behind the last */
} choice;
static const choice choices[] = {
    {{"composite=epsilon-plus"}},
    {{"composite=epsilon-gamma-box"}},
    {{"composite=epsilon", "epsilon=0.01"}},
    {{"composite={preset: four-groups, low: alpha-beta, mid: gamma, high: z-plus, fc: epsilon}", "softmax=z-plus"}},
    {{"composite=[{type: add, rule: gradient}, {place: first, rule: w-square}, {place: last, rule: epsilon}, {rule: z-plus}]", "softmax=cp"}},
};

/* Relative to the largest relevance of the sample. A float32 walk may be 2e-4 off the truth (ten times what the reference's own float32
 * runs are, tests/golden/README.md), so two of them, which add in different orders, twice as much. */
static const double tolerance = 2e-4, between_two = 4e-4;

static const composite *stated(arena *a, const choice *c)
{
    static const float mean[] = {0.5f, 0.5f, 0.5f}, std[] = {0.25f, 0.25f, 0.25f};
    config_criterion *criterion = arena_alloc(a, 1, sizeof *criterion);
    const composite *out;
    size_t n = 0;
    while (n < COUNT(c->sets) && c->sets[n] != NULL) {
        n++;
    }
    assert_non_null(criterion);
    assert_ok(config_criterion_parse(a, "lrp", n, c->sets, criterion));
    const criterion_setup setup = {
        .parameters = criterion->parameters, .composite = criterion->composite, .n_channels = 3, .mean = mean, .std = std};
    assert_ok(criterion->method->composite(a, &setup, &out));
    return out;
}

/* ---- comparing ---- */

static float *input_relevance(const subject *s, walk *w, float *logits)
{
    float *r = arena_alloc(s->a, BATCH * shape_count(s->g->input), sizeof *r);
    float *rows = arena_alloc(s->a, BATCH * WALK_MOMENTS * s->g->n_components, sizeof *rows);
    assert_true(r != NULL && rows != NULL);
    walk_run(w, s->images, s->target, rows);
    walk_read_input(w, r);
    memcpy(logits, forward_logits(walk_activations(w)), BATCH * s->g->n_classes * sizeof *logits);
    return r;
}

static float *of_pruned(const subject *s, const composite *c, float *logits)
{
    walk *w = NULL;
    assert_ok(walk_pruned_build(s->a, s->g, s->alive, c, test_backend(), BATCH, NULL, &w));
    return input_relevance(s, w, logits);
}

static float *of_masked(const subject *s, const graph *g, const composite *c, float *logits)
{
    walk *w = NULL;
    assert_ok(walk_build_with(s->a, g, c, test_backend(), BATCH, &(walk_options){.to_input = true}, &w));
    return input_relevance(s, w, logits);
}

static double largest_deviation(size_t n, const float *got, const float *expected, double *largest)
{
    double worst = 0.0;
    *largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        *largest = fmax(*largest, fabs((double)expected[i]));
        worst = worst_of(worst, fabs((double)got[i] - (double)expected[i]));
    }
    return worst;
}

/* Sample by sample: one with little relevance must not hide behind another. */
static void compare(const subject *s, const char *what, const float *got, const float *expected, double allowed)
{
    const size_t n = shape_count(s->g->input);
    for (size_t b = 0; b < BATCH; b++) {
        double largest;
        const double worst = largest_deviation(n, got + b * n, expected + b * n, &largest);
        if (!(worst <= allowed * largest)) {
            fail_msg("%s, %s, sample %zu: input relevance off by %.3g of the largest, %.3g", s->name, what, b, worst / largest, largest);
        }
    }
}

static void pruned_networks_are_explained_like_masked_ones(void **state)
{
    (void)state;
    static const double rates[] = {0.1, 0.4, 0.7};
    for (size_t i = 0; i < COUNT(networks); i++) {
        for (size_t k = 0; k < COUNT(choices); k++) {
            subject s;
            open_subject(i, &s);
            for (size_t r = 0; r < COUNT(rates); r++) {
                char what[192];
                float logits[2][BATCH * 1024];
                const composite *c = stated(s.a, &choices[k]);
                (void)snprintf(what, sizeof what, "%s, rate %g", choices[k].sets[0], rates[r]);
                kill(&s, rates[r], 10 * k + r);
                compare(&s, what, of_pruned(&s, c, logits[0]), of_masked(&s, masked(&s), c, logits[1]), between_two);
            }
            close_subject(&s);
        }
    }
}

/* Everything in double, from the pixels on: what the masked network is by its formulas. */
static float *of_twin(const subject *s, const graph *g, const composite *c)
{
    const size_t n = shape_count(g->input);
    const naive_weights w = naive_weights_of(s->a, g);
    float *r = arena_alloc(s->a, BATCH * n, sizeof *r);
    assert_non_null(r);
    for (size_t b = 0; b < BATCH; b++) {
        naive_walk twin;
        naive_walk_run(s->a, g, c, &w, s->images + b * n, NULL, s->target[b], &twin);
        for (size_t i = 0; i < n; i++) {
            r[b * n + i] = (float)twin.relevance[0][i];
        }
    }
    return r;
}

static void pruned_networks_are_explained_as_the_twin_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < CNNS; i++) {
        for (size_t k = 0; k < COUNT(choices) - 1; k++) { /* the last one has a rule that the twin does not know */
            subject s;
            float logits[BATCH * 1024];
            open_subject(i, &s);
            const composite *c = stated(s.a, &choices[k]);
            kill(&s, 0.5, 100 + k);
            compare(&s, choices[k].sets[0], of_pruned(&s, c, logits), of_twin(&s, masked(&s), c), tolerance);
            close_subject(&s);
        }
    }
}

/* With nothing removed: the network's own walk, bit for bit, so that the similarity of both is exactly 1. */
static void a_whole_network_is_explained_as_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        float logits[2][BATCH * 1024];
        open_subject(i, &s);
        const composite *c = stated(s.a, &choices[1]);
        kill(&s, 0.0, 1);
        const float *got = of_pruned(&s, c, logits[0]), *expected = of_masked(&s, s.g, c, logits[1]);
        if (strncmp(s.name, "CIFAR", 5) != 0) { /* whose shortcuts lose their channels of zeros */
            assert_memory_equal(got, expected, BATCH * shape_count(s.g->input) * sizeof *got);
            assert_memory_equal(logits[0], logits[1], BATCH * s.g->n_classes * sizeof **logits);
        }
        compare(&s, "whole", got, expected, between_two);
        close_subject(&s);
    }
}

/* Layer by layer without any component: what relevance is left is that of the masked network, and it is finite. */
static void a_layer_may_be_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        open_subject(i, &s);
        const composite *c = stated(s.a, &choices[0]);
        for (size_t k = 0; k < s.g->n_layers; k++) {
            const node *layer = &s.g->nodes[s.g->layers[k]];
            float logits[2][BATCH * 1024];
            memset(s.alive, 1, s.g->n_components);
            memset(s.alive + layer->first_component, 0, layer->n_components);
            compare(&s, layer->name, of_pruned(&s, c, logits[0]), of_masked(&s, masked(&s), c, logits[1]), between_two);
        }
        close_subject(&s);
    }
}

/* conv 1x1 of two filters, ReLU, conv 1x1 of two filters, ReLU, average, linear, on one pixel. By hand, epsilon 0 everywhere:
 *   x = (1, 2, 3);  first: a = (x1 + x2, x3 - x1) = (3, 2);  second: b = (2 a1 + a2, a1) = (8, 3);  logit 0 = b1 + b2 = 11.
 * Whole: R(b) = (8, 3)/11; R(a1) = 8/11 6/8 + 3/11 = 9/11, R(a2) = 2/11; R(x) = (9/11 1/3 - 2/11 1/2, 9/11 2/3, 2/11 3/2) = (2, 6, 3)/11.
 * Without filter 1 of the first layer (a2 = 0): b = (6, 3), logit 9, R(a1) = 1, R(x) = (1/3, 2/3, 0). */
static void numbers_by_hand(void **state)
{
    (void)state;
    static const conv_attr conv = {
        .out_channels = 2, .kernel = {1, 1}, .stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1};
    static const avgpool_attr average = {.output = {1, 1}};
    static const linear_attr linear = {.out_features = 2};
    static const float first[] = {1, 1, 0, -1, 0, 1}, second[] = {2, 1, 1, 0}, head[] = {1, 1, 0, 1}, images[BATCH * 3] = {1, 2, 3, 1, 2, 3, 1, 2, 3};
    node nodes[] = {
        {.op = &op_input, .name = "input", .out = {3, {3, 1, 1}}},
        {.op = &op_conv2d, .name = "first", .n_in = 1, .in = {0}, .attr = &conv, .weight = first, .n_weight = 6,
         .components = COMPONENT_FILTER, .n_components = 2, .first_component = 0},
        {.op = &op_relu, .name = "first.relu", .n_in = 1, .in = {1}},
        {.op = &op_conv2d, .name = "second", .n_in = 1, .in = {2}, .attr = &conv, .weight = second, .n_weight = 4,
         .components = COMPONENT_FILTER, .n_components = 2, .first_component = 2},
        {.op = &op_relu, .name = "second.relu", .n_in = 1, .in = {3}},
        {.op = &op_avgpool2d, .name = "average", .n_in = 1, .in = {4}, .attr = &average},
        {.op = &op_flatten, .name = "flatten", .n_in = 1, .in = {5}},
        {.op = &op_linear, .name = "head", .n_in = 1, .in = {6}, .attr = &linear, .weight = head, .n_weight = 4},
    };
    static const node_id layers[] = {1, 3};
    const graph g = {.architecture = "test", .n_nodes = COUNT(nodes), .nodes = nodes, .input = nodes[0].out, .n_classes = 2,
                     .n_layers = 2, .layers = layers, .n_components = 4};
    static const double whole[] = {2.0 / 11.0, 6.0 / 11.0, 3.0 / 11.0}, cut[] = {1.0 / 3.0, 2.0 / 3.0, 0.0};
    for (node_id id = 1; id < COUNT(nodes); id++) {
        assert_ok(nodes[id].op->infer(&nodes[id], &nodes[id - 1].out, &nodes[id].out));
    }
    for (size_t pruned = 0; pruned < 2; pruned++) {
        uint8_t alive[] = {1, !pruned, 1, 1};
        float logits[BATCH * 2];
        subject s = {.name = "by hand", .g = &g, .images = images, .alive = alive};
        assert_ok(arena_open("test", &s.a));
        const composite *c;
        assert_ok(composite_epsilon(s.a, 0.0, &c));
        const float *r = of_pruned(&s, c, logits);
        for (size_t i = 0; i < BATCH * 3; i++) {
            assert_true(fabs((double)r[i] - (pruned ? cut : whole)[i % 3]) < 1e-6);
        }
        assert_true(logits[0] == (pruned ? 9.0f : 11.0f));
        arena_close(&s.a);
    }
}

/* In a whole network the rule may stand at the second convolution of a block, which has as many channels as its input. Cut out are others. */
static void pass_at_a_layer_with_weights_is_refused(void **state)
{
    (void)state;
    static const composite_entry at_conv[] = {{.type = "conv2d", .name_pattern = "layer1.0.conv2"}, {.place = PLACE_ANY}};
    composite_entry entries[COUNT(at_conv)];
    subject s;
    walk *w = NULL;
    size_t bytes;
    open_subject(2, &s);
    memcpy(entries, at_conv, sizeof entries);
    entries[0].rule = rule_find("pass");
    entries[1].rule = rule_find("epsilon");
    composite c = {.n = COUNT(entries), .entries = entries, .epsilon = 1e-6};
    kill(&s, 0.4, 3);
    assert_ok(walk_build_with(s.a, s.g, &c, test_backend(), BATCH, &(walk_options){.to_input = true}, &w));
    assert_fails(walk_pruned_check(s.a, s.g, &c), ST_CONFIG, "layer1.0.conv2", "pass", "another rule", NULL);
    assert_fails(walk_pruned_build(s.a, s.g, s.alive, &c, test_backend(), BATCH, NULL, &w), ST_CONFIG, "layer1.0.conv2", "pass", NULL);
    arena *scratch;
    assert_ok(arena_open("scratch", &scratch));
    assert_fails(walk_pruned_needs(scratch, s.g, s.alive, &c, test_backend(), BATCH, NULL, &bytes), ST_CONFIG, "layer1.0.conv2", NULL);
    arena_close(&scratch);
    entries[0] = (composite_entry){.type = "relu", .rule = rule_find("pass")}; /* which has the same channels behind the cut as before it */
    assert_ok(walk_pruned_check(s.a, s.g, &c));
    assert_ok(walk_pruned_build(s.a, s.g, s.alive, &c, test_backend(), BATCH, NULL, &w));
    close_subject(&s);
}

/* No layer is cut any more, and the network gives the same logits. */
static void own_weights_are_the_cut_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        const graph *small, *own;
        forward *f[2];
        open_subject(i, &s);
        kill(&s, 0.5, 9);
        assert_ok(graph_compact(s.a, s.g, s.alive, NULL, 1, &small));
        assert_ok(graph_own_weights(s.a, small, &own));
        assert_ptr_not_equal(small, own);
        for (node_id id = 0; id < own->n_nodes; id++) {
            assert_null(own->nodes[id].cut);
        }
        assert_ok(forward_build(s.a, small, test_backend(), BATCH, KEEP_LOGITS, &f[0]));
        assert_ok(forward_build(s.a, own, test_backend(), BATCH, KEEP_LOGITS, &f[1]));
        forward_run(f[0], s.images, NULL);
        forward_run(f[1], s.images, NULL);
        assert_memory_equal(forward_logits(f[0]), forward_logits(f[1]), BATCH * own->n_classes * sizeof(float));
        assert_ok(graph_own_weights(s.a, own, &small));
        assert_ptr_equal(small, own);
        close_subject(&s);
    }
}

/* Told before: what is allocated, up to the small change of plans. */
static void memory_is_told_before(void **state)
{
    (void)state;
    enum { SMALL_CHANGE = 512 << 10 };
    subject s;
    arena *taken = NULL;
    walk *w = NULL;
    size_t bytes = 0;
    s = (subject){.name = "made"};
    assert_ok(arena_open("test", &s.a));
    assert_ok(arena_open("taken", &taken));
    s.g = made_build(made_cifar_net(s.a, 1, 64, false));
    s.alive = arena_alloc(s.a, s.g->n_components, 1);
    kill(&s, 0.1, 4);
    const composite *c = stated(s.a, &choices[1]);
    assert_ok(walk_pruned_needs(taken, s.g, s.alive, c, test_backend(), BATCH, NULL, &bytes));
    arena_release(taken);
    assert_ok(walk_pruned_build(taken, s.g, s.alive, c, test_backend(), BATCH, NULL, &w));
    assert_in_range(arena_bytes(taken), bytes - SMALL_CHANGE, bytes + SMALL_CHANGE);
    arena_close(&taken);
    arena_close(&s.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_by_hand),
        cmocka_unit_test(a_whole_network_is_explained_as_ever),
        cmocka_unit_test(a_layer_may_be_empty),
        cmocka_unit_test(pruned_networks_are_explained_as_the_twin_says),
        cmocka_unit_test(own_weights_are_the_cut_ones),
        cmocka_unit_test(pass_at_a_layer_with_weights_is_refused),
        cmocka_unit_test(memory_is_told_before),
        cmocka_unit_test(pruned_networks_are_explained_like_masked_ones),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
