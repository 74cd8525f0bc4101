/* Networks against golden vectors: logits, folded weights, layer order and groups, logits of masked networks. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "nn/arch.h"
#include "nn/forward.h"

static const char *const networks[] = {"vgg_bn_tiny", "vgg_tiny", "resnet_basic_tiny", "resnet_bottleneck_tiny",
                                       "vit_tiny"};

/* float32 against float64, relative to the largest value (tests/golden/README.md). By Winograd's algorithm these networks come to within 1.3e-6
 * (2.6e-7 by direct convolutions), so it has the same tolerance. */
static const double logit_tolerance = 1e-5, fold_tolerance = 1e-6;

typedef struct fixture {
    const char *name;
    golden *file;
    arena *a;
    const graph *g;
} fixture;

static void open_fixture(fixture *f, const char *name)
{
    char file[64];
    (void)snprintf(file, sizeof file, "%s.h5", name);
    *f = (fixture){.name = name, .file = golden_open(file)};
    assert_ok(arena_open("test", &f->a));
    assert_ok(graph_build(f->a, golden_tensors(f->file), &f->g));
}

static void close_fixture(fixture *f)
{
    golden_close(&f->file);
    arena_close(&f->a);
}

static void assert_near(const char *what, size_t n, const float found[], const double expected[], double tolerance)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(expected[i]));
    }
    for (size_t i = 0; i < n; i++) {
        const double error = fabs((double)found[i] - expected[i]) / largest;
        if (!(error <= tolerance)) {
            fail_msg("%s: element %zu is %.9g, expected %.9g: relative error %.2g", what, i, (double)found[i],
                     expected[i], error);
        }
    }
}

static node_id find_node(const graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no node '%s'", name);
    return 0;
}

static void check_run(const golden_array *inputs, forward *run, const uint8_t *alive, const golden_array *expected,
                      const char *what)
{
    for (size_t repeat = 0; repeat < 2; repeat++) { /* the second run finds used buffers */
        forward_run(run, inputs->f32, alive);
        assert_near(what, expected->count, forward_logits(run), expected->real, logit_tolerance);
    }
}

static void check_logits(const fixture *f, forward_keep keep, const uint8_t *alive, const golden_array *expected,
                         const char *what)
{
    const golden_array inputs = golden_read(f->file, "inputs");
    forward *run = NULL;
    assert_ok(forward_build(f->a, f->g, test_backend(), inputs.dim[0], keep, &run));
    check_run(&inputs, run, alive, expected, what);
    if (keep == KEEP_LOGITS) { /* as `evaluate` may run it */
        assert_ok(forward_build_for_logits(f->a, f->g, test_backend(), inputs.dim[0], true, &run));
        check_run(&inputs, run, alive, expected, what);
    }
}

/* The reference's own float32 run, which is in the full set alone. */
static void check_float_logits(const fixture *f)
{
    char file[64];
    (void)snprintf(file, sizeof file, "%s.h5", f->name);
    golden *full = golden_open_full(file);
    if (full != NULL) {
        const golden_array expected = golden_read(full, "logits_float32");
        check_logits(f, KEEP_ALL, NULL, &expected, f->name);
    }
    golden_close(&full);
}

static void logits_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        const golden_array expected = golden_read(f.file, "logits");
        check_logits(&f, KEEP_LOGITS, NULL, &expected, f.name);
        check_logits(&f, KEEP_ALL, NULL, &expected, f.name);
        check_float_logits(&f);
        close_fixture(&f);
    }
}

static void folded_weights_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        for (size_t k = 0; golden_has(f.file, "folded") && k < f.g->n_layers; k++) {
            const node *n = &f.g->nodes[f.g->layers[k]];
            const golden_array weight = golden_read(f.file, "folded/%s.weight", n->name);
            const golden_array bias = golden_read(f.file, "folded/%s.bias", n->name);
            assert_int_equal(n->n_weight, weight.count);
            assert_int_equal(n->n_bias, bias.count);
            assert_near(n->name, weight.count, n->weight, weight.real, fold_tolerance);
            assert_near(n->name, bias.count, n->bias, bias.real, fold_tolerance);
        }
        close_fixture(&f);
    }
}

/* The prunable layers of one kind, in order, are those of the attribute. */
static void check_order(const fixture *f, component_kind kind, const char *attribute)
{
    const char *const *names = NULL;
    const size_t n = golden_lines(f->file, "/", attribute, &names);
    size_t found = 0, first = 0;
    for (size_t k = 0; k < f->g->n_layers; k++) {
        const node *layer = &f->g->nodes[f->g->layers[k]];
        assert_int_equal(layer->first_component, first);
        first += layer->n_components;
        if (layer->components == kind) {
            assert_true(found < n);
            assert_string_equal(layer->name, names[found]);
            found++;
        }
    }
    assert_int_equal(found, n);
    assert_int_equal(first, f->g->n_components);
}

static void layers_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        if (strcmp(f.name, "vit_tiny") == 0) {
            check_order(&f, COMPONENT_NEURON, "prunable_linear_txt");
            check_order(&f, COMPONENT_HEAD, "prunable_heads_txt");
        } else {
            check_order(&f, COMPONENT_FILTER, "prunable_order_txt");
        }
        close_fixture(&f);
    }
}

static void groups_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        const char *const *lines = NULL;
        open_fixture(&f, networks[i]);
        const size_t n = golden_lines(f.file, "/", "groups_txt", &lines);
        for (size_t k = 0; k < n; k++) {
            const char *equals = strchr(lines[k], '=');
            assert_non_null(equals);
            const char *group = depth_group_name(f.g->nodes[find_node(f.g, equals + 1)].group);
            if (strncmp(group, lines[k], (size_t)(equals - lines[k])) != 0) {
                fail_msg("%s: expected %s, found %s", f.name, lines[k], group);
            }
        }
        close_fixture(&f);
    }
}

/* Masks of `path` (over components of one kind) as a mask over all components. */
static const uint8_t *full_mask(const fixture *f, component_kind kind, const golden_array *keep, size_t row)
{
    size_t n = 0;
    const size_t *index = NULL;
    assert_ok(graph_components(f->a, f->g, kind, &n, &index));
    assert_int_equal(keep->dim[1], n);
    uint8_t *alive = arena_alloc(f->a, f->g->n_components, 1);
    assert_non_null(alive);
    memset(alive, 1, f->g->n_components);
    for (size_t c = 0; c < n; c++) {
        alive[index[c]] = keep->integer[row * n + c] != 0;
    }
    return alive;
}

static void check_pruned(const fixture *f, component_kind kind, const char *path)
{
    static const struct {
        const char *name;
        size_t row; /* of the rates 0, 0.05, ... */
    } rates[] = {{"0.25", 5}, {"0.5", 10}, {"0.75", 15}};
    static const char *const orders[] = {"least_first", "most_first"};
    for (size_t o = 0; o < COUNT(orders); o++) {
        const golden_array keep = golden_read(f->file, "%s/%s/keep", path, orders[o]);
        for (size_t r = 0; r < COUNT(rates); r++) {
            char what[256];
            (void)snprintf(what, sizeof what, "%s %s/%s rate %s", f->name, path, orders[o], rates[r].name);
            const golden_array expected = golden_read(f->file, "%s/%s/logits_rate%s", path, orders[o], rates[r].name);
            check_logits(f, KEEP_LOGITS, full_mask(f, kind, &keep, rates[r].row), &expected, what);
        }
    }
}

static void pruned_logits_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        if (strcmp(f.name, "vit_tiny") == 0) {
            check_pruned(&f, COMPONENT_NEURON, "pruning/eps_softmax_Epsilon/linear");
            check_pruned(&f, COMPONENT_HEAD, "pruning/eps_softmax_Epsilon/heads");
        } else {
            check_pruned(&f, COMPONENT_FILTER, "pruning/eps");
        }
        close_fixture(&f);
    }
}

/* Reusing buffers must save memory and change nothing (compared above). */
static void planned_memory_is_smaller(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        const size_t all = forward_bytes(f.g, test_backend(), 16, KEEP_ALL);
        const size_t logits = forward_bytes(f.g, test_backend(), 16, KEEP_LOGITS);
        assert_true(logits < all / 4 * 3);
        arena *a = NULL;
        forward *run = NULL;
        assert_ok(arena_open("forward", &a));
        assert_ok(forward_build(a, f.g, test_backend(), 16, KEEP_ALL, &run));
        assert_true(arena_bytes(a) >= all && forward_taken(run) == all);
        arena_close(&a);
        close_fixture(&f);
    }
}

/* The first layer of the VGG needs the most: 16 images, its outputs, the patches of one image. The ReLU behind it works in place. */
static void memory_is_what_the_largest_layer_needs(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f, "vgg_bn_tiny");
    const backend_def *plain = backend_find("openblas");
    size_t weights = 0; /* masked copies: all filters and hidden neurons can be pruned */
    for (size_t k = 0; k < f.g->n_layers; k++) {
        weights += f.g->nodes[f.g->layers[k]].n_weight + f.g->nodes[f.g->layers[k]].n_bias;
    }
    assert_int_equal(forward_bytes(f.g, plain, 16, KEEP_LOGITS),
                     sizeof(float) * (1024 * (16 * 3 + 16 * 8 + 27) + weights));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_match),
        cmocka_unit_test(folded_weights_match),
        cmocka_unit_test(layers_are_in_order),
        cmocka_unit_test(groups_match),
        cmocka_unit_test(pruned_logits_match),
        cmocka_unit_test(planned_memory_is_smaller),
        cmocka_unit_test(memory_is_what_the_largest_layer_needs),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
