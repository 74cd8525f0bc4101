/* The walk of convolutional networks against its float64 twin (tests/support/naive_walk.h), down to the image.
 *
 * The quirk `ref_gamma_none`: convolutions and linear layers hand on the plain gradient, all else its relevance. What comes out is not normalised
 * and meets sums of residuals near 0, whose rounding it magnifies by thousands. So the formula is checked in double, and the float32 walk
 * against the same formula from the same float32 activations. So is every rule of the list. */
#include "support/backends.h"
#include "support/golden.h"
#include "support/naive_walk.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "nn/arch.h"

enum { BATCH = 6, FEW = 2 };
static const double twin_tolerance = 1e-9; /* two float64 programs */
static const double walk_tolerance = 2e-5; /* float32 and float64, relative to the largest value */

static const char *const networks[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5",
                                       "resnet_bottleneck_tiny.h5"};
static const char *const group = "composites/ref_gamma_none";

typedef struct network {
    arena *a;
    golden *file;
    const char *name;
    const graph *g;
    const float *images;
    size_t target[BATCH];
    composite composite;
    composite_entry entries[2];
} network;

/* Of the images' channels, for rules with bounds in pixels. */
static const float mean[] = {0.4f, 0.5f, 0.6f}, std[] = {0.2f, 0.25f, 0.3f};

static void open_network(const char *name, network *n)
{
    *n = (network){.name = name};
    assert_ok(arena_open("golden test", &n->a));
    n->file = golden_open(name);
    assert_ok(graph_build(n->a, golden_tensors(n->file), &n->g));
    n->images = golden_read(n->file, "inputs").f32;
    const golden_array target = golden_read(n->file, "targets");
    assert_int_equal(target.count, BATCH);
    for (size_t b = 0; b < BATCH; b++) {
        n->target[b] = (size_t)target.integer[b];
    }
    n->composite = (composite){.epsilon = golden_number(n->file, group, "epsilon")};
    assert_true(n->composite.epsilon == 1e-6);
    n->composite.pixels = (rule_pixels){.n_channels = 3, .mean = mean, .std = std};
}

static composite_entry entry_of(const rule_def *rule, composite_place place)
{
    composite_entry e = {.place = place, .rule = rule};
    for (size_t i = 0; i < rule->n_fields; i++) {
        e.parameters[i] = rule->fields[i].def;
    }
    return e;
}

/* One rule in the first of the convolutions and linear layers, the other in the rest. */
static void set_rules(network *n, const rule_def *first, const rule_def *rest)
{
    n->entries[0] = entry_of(first, PLACE_FIRST);
    n->entries[1] = entry_of(rest, PLACE_ANY);
    n->composite.n = 2;
    n->composite.entries = n->entries;
}

static void close_network(network *n)
{
    golden_close(&n->file);
    arena_close(&n->a);
}

/* Relevance of every sample at every node, [n_nodes] of [BATCH, out]. */
typedef double **maps;

static maps new_maps(const network *n)
{
    maps m = arena_alloc(n->a, n->g->n_nodes, sizeof *m);
    assert_non_null(m);
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        m[id] = arena_alloc(n->a, BATCH * shape_count(n->g->nodes[id].out), sizeof **m);
        assert_non_null(m[id]);
    }
    return m;
}

/* Of the first samples. outputs [n_nodes] of [BATCH, out], or NULL: the twin's own. */
static maps maps_of_twin(const network *n, const naive_weights *w, float *const outputs[], size_t samples)
{
    const size_t pixels = shape_count(n->g->input);
    const float **given = arena_alloc(n->a, n->g->n_nodes, sizeof *given);
    maps m = new_maps(n);
    assert_non_null(given);
    for (size_t b = 0; b < samples; b++) {
        naive_walk twin;
        for (node_id id = 0; outputs != NULL && id < n->g->n_nodes; id++) {
            given[id] = outputs[id] + b * shape_count(n->g->nodes[id].out);
        }
        naive_walk_run(n->a, n->g, &n->composite, w, n->images + b * pixels, outputs == NULL ? NULL : given,
                       n->target[b], &twin);
        for (node_id id = 0; id < n->g->n_nodes; id++) {
            const size_t count = shape_count(n->g->nodes[id].out);
            memcpy(m[id] + b * count, twin.relevance[id], count * sizeof **m);
        }
    }
    return m;
}

static maps maps_of_walk(const network *n)
{
    walk *w;
    maps m = new_maps(n);
    float *rows = arena_alloc(n->a, BATCH * WALK_MOMENTS * n->g->n_components, sizeof *rows);
    assert_non_null(rows);
    assert_ok(walk_build_with(n->a, n->g, &n->composite, test_backend(), BATCH,
                              &(walk_options){.keep = true, .to_input = true}, &w));
    walk_run(w, n->images, n->target, rows);
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        const size_t count = BATCH * shape_count(n->g->nodes[id].out);
        float *r = arena_alloc(n->a, count, sizeof *r);
        assert_non_null(r);
        assert_true(walk_read_relevance(w, id, r));
        for (size_t i = 0; i < count; i++) {
            m[id][i] = (double)r[i];
        }
    }
    return m;
}

static float **float_outputs(const network *n)
{
    forward *f;
    float **outputs = arena_alloc(n->a, n->g->n_nodes, sizeof *outputs);
    assert_non_null(outputs);
    assert_ok(forward_build(n->a, n->g, test_backend(), BATCH, KEEP_ALL, &f));
    forward_run(f, n->images, NULL);
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        outputs[id] = arena_alloc(n->a, BATCH * shape_count(n->g->nodes[id].out), sizeof **outputs);
        assert_non_null(outputs[id]);
        forward_read(f, id, outputs[id]);
    }
    return outputs;
}

static void compare(const network *n, const char *what, const char *layer, size_t count, const double got[],
                    const double expected[], double tolerance)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double off = fabs(got[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        worst = worst_of(worst, off);
    }
    if (!(worst <= tolerance * largest) || largest == 0.0) {
        fail_msg("%s, %s of %s: off by %.3g of the largest value, %.3g is allowed", n->name, what, layer,
                 worst / largest, tolerance);
    }
}

static node_id node_named(const network *n, const char *name)
{
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        if (strcmp(n->g->nodes[id].name, name) == 0) {
            return id;
        }
    }
    fail_msg("%s: no node '%s'", n->name, name);
    return 0;
}

/* [BATCH, C] sums over space, their absolute values summed over samples, and the map of the first sample. */
static void compare_filter(const network *n, const char *name, const double *map, double tolerance)
{
    const golden_array sums = golden_read(n->file, "%s/relevance/%s", group, name);
    const golden_array first = golden_read(n->file, "%s/map_sample0/%s", group, name);
    const size_t plane = first.dim[first.rank - 1] * first.dim[first.rank - 2];
    const golden_array scores = golden_read(n->file, "%s/aggregate_abs/%s", group, name);
    double *got = arena_alloc(n->a, sums.count, sizeof *got), *score = arena_alloc(n->a, scores.count, sizeof *score);
    assert_true(got != NULL && score != NULL && sums.count == BATCH * scores.count);
    for (size_t i = 0; i < sums.count * plane; i++) {
        got[i / plane] += map[i];
    }
    for (size_t i = 0; i < sums.count; i++) {
        score[i % scores.count] += fabs(got[i]);
    }
    compare(n, "relevance", name, sums.count, got, sums.real, tolerance);
    compare(n, "scores", name, scores.count, score, scores.real, tolerance);
    compare(n, "map", name, first.count, map, first.real, tolerance);
}

/* Samples 0 and 4. */
static void compare_heatmap(const network *n, const double *map, double tolerance)
{
    const golden_array heat = golden_read(n->file, "%s/heatmap", group);
    const size_t each = heat.count / 2;
    compare(n, "heatmap", "sample 0", each, map, heat.real, tolerance);
    compare(n, "heatmap", "sample 4", each, map + 4 * each, heat.real + each, tolerance);
}

static void compare_all(const network *n, maps m, double tolerance)
{
    const char *const *names;
    size_t count = golden_lines(n->file, "/", "prunable_order_txt", &names);
    for (size_t i = 0; i < count; i++) {
        compare_filter(n, names[i], m[node_named(n, names[i])], tolerance);
    }
    char fc[64];
    (void)snprintf(fc, sizeof fc, "%s/linear_relevance", group);
    count = golden_members(n->file, fc, &names);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        const golden_array expected = golden_read(n->file, "%s/%s", fc, names[i]);
        compare(n, "relevance", names[i], expected.count, m[node_named(n, names[i])], expected.real, tolerance);
    }
    compare_heatmap(n, m[0], tolerance);
}

static void plain_gradient_is_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        network n;
        open_network(networks[i], &n);
        const naive_weights w = naive_weights_golden(n.a, n.file, n.g);
        set_rules(&n, rule_find("gradient"), rule_find("gradient"));
        compare_all(&n, maps_of_twin(&n, &w, NULL, BATCH), twin_tolerance);
        close_network(&n);
    }
}

static void compare_walk(network *n, const rule_def *first, const rule_def *rest)
{
    char what[64];
    set_rules(n, first, rest);
    (void)snprintf(what, sizeof what, "%s, %s in the first layer,", rest->name, first->name);
    const naive_weights w = naive_weights_of(n->a, n->g);
    maps expected = maps_of_twin(n, &w, float_outputs(n), FEW), got = maps_of_walk(n);
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        compare(n, what, n->g->nodes[id].name, FEW * shape_count(n->g->nodes[id].out), got[id], expected[id],
                walk_tolerance);
    }
}

static void check_rules(const char *name, const rule_def *first, const rule_def *rest)
{
    network n;
    open_network(name, &n);
    compare_walk(&n, first, rest);
    close_network(&n);
}

/* Every rule everywhere, and those that hand on no quotient in the first layer only: there they end, at the image. */
static void every_rule_is_the_twin(void **state)
{
    (void)state;
    const double none[MAX_RULE_PARAMETERS] = {0.0};
    for (size_t i = 0; i < COUNT(networks);
         i += COUNT(networks) - 1) { /* VGG with batch norm, ResNet with bottlenecks */
        for (size_t k = 0; k < rule_count; k++) {
            const rule_def *rule = rule_table[k];
            if (rule->kind == RULE_TERMS && !rule_is_whole(rule, none)) {
                check_rules(networks[i], rule, rule);
            } else if (rule->kind == RULE_TERMS) {
                check_rules(networks[i], rule, rule_find("epsilon"));
            } else if (rule->kind == RULE_GRADIENT) {
                check_rules(networks[i], rule, rule);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_gradient_is_golden),
        cmocka_unit_test(every_rule_is_the_twin),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
