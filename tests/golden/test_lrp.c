/* LRP-epsilon of the five golden networks: relevance per component, maps, sums over samples, masks. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "core/exact_sum.h"
#include "core/rng.h"
#include "nn/arch.h"
#include "pruning/ranking.h"

enum { BATCH = 6, RATES = 20 };

static const char *const cnns[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5",
                                   "resnet_bottleneck_tiny.h5"};
static const char *const vit = "vit_tiny.h5";

/* One network explained once, with every relevance kept. */
typedef struct explained {
    arena *a;
    golden *file;
    const char *name, *composite; /* "composites/eps" */
    const graph *g;
    const float *images;
    size_t target[BATCH], row; /* row: floats a sample */
    walk *w;
    float *rows;
    double tolerance; /* the larger of 2e-5 and ten times what the reference's own float32 run deviates (README.md) */
} explained;

static float *floats(arena *a, size_t n)
{
    float *x = arena_alloc(a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static void build(const explained *e, bool keeping, walk **out)
{
    const composite *c;
    assert_ok(composite_epsilon(e->a, 1e-6, &c));
    assert_ok((keeping ? walk_build_keeping : walk_build)(e->a, e->g, c, test_backend(), BATCH, out));
}

static void explain(const char *name, explained *e)
{
    *e = (explained){.name = name, .composite = name == vit ? "composites/eps_softmax_Epsilon" : "composites/eps"};
    assert_ok(arena_open("golden test", &e->a));
    e->file = golden_open(name);
    assert_ok(graph_build(e->a, golden_tensors(e->file), &e->g));
    e->images = golden_read(e->file, "inputs").f32;
    const golden_array target = golden_read(e->file, "targets");
    assert_int_equal(target.count, BATCH);
    for (size_t b = 0; b < BATCH; b++) {
        e->target[b] = (size_t)target.integer[b];
    }
    e->row = WALK_MOMENTS * e->g->n_components;
    e->rows = floats(e->a, BATCH * e->row);
    e->tolerance = fmax(2e-5, 10.0 * golden_number(e->file, e->composite, "float32_max_rel_dev"));
    assert_true(e->tolerance < 3e-4);
    build(e, true, &e->w);
    walk_run(e->w, e->images, e->target, e->rows);
}

static void forget(explained *e)
{
    golden_close(&e->file);
    arena_close(&e->a);
}

static double largest(size_t n, const double x[])
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(x[i]));
    }
    assert_true(most > 0.0);
    return most;
}

/* got against expected, relative to the largest value of the whole tensor. */
static void assert_close(const explained *e, const char *what, const char *layer, size_t n, const double got[],
                         const double expected[])
{
    const double scale = largest(n, expected);
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs(got[i] - expected[i]) / scale;
        worst = off > worst || isnan(off) ? off : worst;
    }
    if (!(worst <= e->tolerance)) {
        fail_msg("%s, %s of %s: off by %.3g of the largest value, %.3g is allowed", e->name, what, layer, worst,
                 e->tolerance);
    }
}

static double *doubles(const explained *e, size_t n)
{
    double *x = arena_alloc(e->a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* One moment of one layer, [sample, component]. */
static const double *moment(const explained *e, const node *layer, size_t which)
{
    double *out = doubles(e, BATCH * layer->n_components);
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t c = 0; c < layer->n_components; c++) {
            out[b * layer->n_components + c] =
                (double)e->rows[b * e->row + which * e->g->n_components + layer->first_component + c];
        }
    }
    return out;
}

/* Exact sums over the samples, [component of the graph]. */
static const double *scores(const explained *e)
{
    double *out = doubles(e, e->g->n_components);
    for (size_t i = 0; i < e->g->n_components; i++) {
        exact_sum sum = {0};
        for (size_t b = 0; b < BATCH; b++) {
            exact_sum_add(&sum, e->rows[b * e->row + WALK_ABSOLUTE * e->g->n_components + i]);
        }
        out[i] = exact_sum_value(&sum);
    }
    return out;
}

static void compare_moment(const explained *e, const node *layer, size_t which, const char *group,
                           const char *layer_name)
{
    const golden_array expected = golden_read(e->file, "%s/%s/%s", e->composite, group, layer_name);
    assert_int_equal(expected.count, BATCH * layer->n_components);
    assert_close(e, group, layer_name, expected.count, moment(e, layer, which), expected.real);
}

static void compare_aggregate(const explained *e, const node *layer, const char *group, const char *layer_name)
{
    const golden_array expected = golden_read(e->file, "%s/%s/%s", e->composite, group, layer_name);
    assert_int_equal(expected.count, layer->n_components);
    assert_close(e, group, layer_name, expected.count, scores(e) + layer->first_component, expected.real);
}

static node_id node_named(const explained *e, const char *name)
{
    for (node_id id = 0; id < e->g->n_nodes; id++) {
        if (strcmp(e->g->nodes[id].name, name) == 0) {
            return id;
        }
    }
    fail_msg("%s: no node '%s'", e->name, name);
    return 0;
}

/* Relevance at a node's output, of the first samples of the batch, as many as the golden file has. */
static void compare_map(const explained *e, const char *group, const char *layer_name)
{
    const golden_array expected = golden_read(e->file, "%s/%s/%s", e->composite, group, layer_name);
    const node_id id = node_named(e, layer_name);
    float *r = floats(e->a, BATCH * shape_count(e->g->nodes[id].out));
    assert_true(walk_read_relevance(e->w, id, r));
    double *got = doubles(e, expected.count);
    for (size_t i = 0; i < expected.count; i++) {
        got[i] = (double)r[i];
    }
    assert_close(e, group, layer_name, expected.count, got, expected.real);
}

/* The prunable layers of one kind are those that the file lists, in its order. */
static size_t layers_of(const explained *e, component_kind kind, const char *attribute, const node *layers[],
                        const char *const **names)
{
    const size_t n = golden_lines(e->file, "/", attribute, names);
    size_t found = 0;
    for (size_t l = 0; l < e->g->n_layers; l++) {
        const node *layer = &e->g->nodes[e->g->layers[l]];
        if (layer->components == kind) {
            assert_true(found < n);
            layers[found++] = layer;
        }
    }
    assert_int_equal(found, n);
    return n;
}

static void filters_are_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cnns); i++) {
        explained e;
        explain(cnns[i], &e);
        const node *layers[64];
        const char *const *names, *const *fc;
        const size_t n = layers_of(&e, COMPONENT_FILTER, "prunable_order_txt", layers, &names);
        for (size_t l = 0; l < n; l++) {
            assert_string_equal(layers[l]->name, names[l]);
            compare_moment(&e, layers[l], WALK_SIGNED, "relevance", names[l]);
            compare_aggregate(&e, layers[l], "aggregate_abs", names[l]);
            compare_map(&e, "map_sample0", names[l]);
        }
        char group[64];
        (void)snprintf(group, sizeof group, "%s/linear_relevance", e.composite);
        const size_t n_fc = golden_members(e.file, group, &fc);
        assert_true(n_fc > 0);
        for (size_t l = 0; l < n_fc; l++) {
            compare_map(&e, "linear_relevance", fc[l]);
        }
        forget(&e);
    }
}

static void neurons_are_golden(void **state)
{
    (void)state;
    explained e;
    explain(vit, &e);
    const node *layers[64];
    const char *const *names;
    const size_t n = layers_of(&e, COMPONENT_NEURON, "prunable_linear_txt", layers, &names);
    for (size_t l = 0; l < n; l++) {
        assert_string_equal(layers[l]->name, names[l]);
        compare_moment(&e, layers[l], WALK_ABSOLUTE, "linear_abs_token_sum", names[l]);
        compare_moment(&e, layers[l], WALK_SIGNED, "linear_signed_token_sum", names[l]);
        compare_aggregate(&e, layers[l], "linear_aggregate_abs", names[l]);
        compare_map(&e, "linear_map_sample0", names[l]);
    }
    forget(&e);
}

/* heads_query [sample, query, head]: relevance at the softmax output summed over keys; ours is summed over queries too. */
static void heads_are_golden(void **state)
{
    (void)state;
    explained e;
    explain(vit, &e);
    const node *layers[64];
    const char *const *names;
    const size_t n = layers_of(&e, COMPONENT_HEAD, "prunable_heads_txt", layers, &names);
    for (size_t l = 0; l < n; l++) {
        const golden_array query = golden_read(e.file, "%s/heads_query/%s", e.composite, names[l]);
        const size_t heads = query.dim[2];
        assert_int_equal(heads, layers[l]->n_components);
        double *absolute = doubles(&e, BATCH * heads), *with_sign = doubles(&e, BATCH * heads);
        for (size_t i = 0; i < query.count; i++) {
            const size_t to = i / (query.dim[1] * heads) * heads + i % heads;
            absolute[to] += fabs(query.real[i]);
            with_sign[to] += query.real[i];
        }
        assert_close(&e, "absolute sum over queries", names[l], BATCH * heads, moment(&e, layers[l], WALK_ABSOLUTE),
                     absolute);
        assert_close(&e, "signed sum over queries", names[l], BATCH * heads, moment(&e, layers[l], WALK_SIGNED),
                     with_sign);
        compare_aggregate(&e, layers[l], "heads_aggregate_abs", names[l]);
    }
    forget(&e);
}

/* Where our mask differs from the stored one, the components that changed sides must have stored scores that differ by less
 * than the tolerance times the largest score: rounding may swap them. Returns how many components differ. */
static size_t check_mask(const explained *e, size_t n, const double stored[], const uint8_t alive[],
                         const int64_t keep[])
{
    const double near = e->tolerance * largest(n, stored);
    size_t differ = 0;
    for (size_t i = 0; i < n; i++) {
        differ += alive[i] != keep[i];
        for (size_t j = 0; j < n; j++) {
            const bool swapped = alive[i] != 0 && keep[i] == 0 && alive[j] == 0 && keep[j] != 0;
            if (swapped && !(fabs(stored[i] - stored[j]) < near)) {
                fail_msg("%s: components %zu and %zu changed sides with scores %.9g and %.9g", e->name, i, j, stored[i],
                         stored[j]);
            }
        }
    }
    return differ;
}

static size_t compare_masks(const explained *e, const char *pruning, size_t n, const double score[], bool exactly)
{
    const golden_array stored = golden_read(e->file, "%s/scores", pruning),
                       rate = golden_read(e->file, "%s/rates", pruning);
    const golden_array keep = golden_read(e->file, "%s/least_first/keep", pruning);
    const golden_array count = golden_read(e->file, "%s/least_first/count", pruning);
    assert_true(stored.count == n && rate.count == RATES && keep.count == RATES * n);
    uint32_t *order = arena_alloc(e->a, n, sizeof *order);
    uint8_t *alive = arena_alloc(e->a, n, 1);
    assert_true(order != NULL && alive != NULL);
    assert_ok(ranking_build(e->a, n, score, order));
    size_t differ = 0;
    for (size_t r = 0; r < RATES; r++) {
        assert_int_equal(ranking_count(n, rate.real[r]), count.integer[r]);
        ranking_alive(n, order, ranking_count(n, rate.real[r]), alive);
        differ += check_mask(e, n, stored.real, alive, keep.integer + r * n);
    }
    assert_true(!exactly || differ == 0);
    return differ;
}

static void check_pruning(const explained *e, const char *pruning, component_kind kind)
{
    size_t n;
    const size_t *index;
    assert_ok(graph_components(e->a, e->g, kind, &n, &index));
    const double *all = scores(e);
    double *mine = doubles(e, n);
    for (size_t i = 0; i < n; i++) {
        mine[i] = all[index[i]];
    }
    const golden_array stored = golden_read(e->file, "%s/scores", pruning);
    (void)compare_masks(e, pruning, n, stored.real, true); /* ties at 0 included: the order is total */
    const size_t differ = compare_masks(e, pruning, n, mine, false);
    print_message("%s %s: %zu of %zu mask entries differ, all between scores that rounding may swap\n", e->name,
                  pruning, differ, RATES * n);
}

static void masks_are_golden(void **state)
{
    (void)state;
    explained e;
    for (size_t i = 0; i < COUNT(cnns); i++) {
        explain(cnns[i], &e);
        check_pruning(&e, "pruning/eps", COMPONENT_FILTER);
        forget(&e);
    }
    explain(vit, &e);
    check_pruning(&e, "pruning/eps_softmax_Epsilon/linear", COMPONENT_NEURON);
    check_pruning(&e, "pruning/eps_softmax_Epsilon/heads", COMPONENT_HEAD);
    forget(&e);
}

/* Samples in reversed order, each beside others: the same bits. */
static void check_slots(const explained *e, walk *w)
{
    const size_t pixels = shape_count(e->g->input);
    float *images = floats(e->a, BATCH * pixels), *rows = floats(e->a, BATCH * e->row);
    for (size_t shift = 1; shift < BATCH; shift++) {
        size_t target[BATCH];
        for (size_t b = 0; b < BATCH;
             b++) { /* sample b goes to slot b + shift, the last `shift` samples are replaced by noise */
            const size_t slot = (b + shift) % BATCH;
            memcpy(images + slot * pixels, e->images + b * pixels, pixels * sizeof *images);
            target[slot] = e->target[b];
        }
        for (size_t i = 0; i < shift * pixels; i++) {
            images[i] = (float)rng_uniform(shift, RNG_TEST, 0, (uint32_t)i) - 0.5f;
        }
        walk_run(w, images, target, rows);
        for (size_t slot = shift; slot < BATCH; slot++) {
            assert_memory_equal(rows + slot * e->row, e->rows + (slot - shift) * e->row, e->row * sizeof *rows);
        }
    }
}

static void rows_depend_on_the_sample_alone(void **state)
{
    (void)state;
    const char *const names[] = {cnns[0], cnns[1], cnns[2], cnns[3], vit};
    for (size_t i = 0; i < COUNT(names); i++) {
        explained e;
        walk *planned;
        explain(names[i], &e);
        build(&e, false, &planned);
        float *rows = floats(e.a, BATCH * e.row);
        walk_run(planned, e.images, e.target, rows);
        assert_memory_equal(rows, e.rows, BATCH * e.row * sizeof *rows); /* buffers shared by the plan: the same bits */
        assert_true(walk_bytes(planned) < walk_bytes(e.w));
        check_slots(&e, planned);
        walk_run(planned, e.images, e.target, rows);
        assert_memory_equal(rows, e.rows, BATCH * e.row * sizeof *rows);
        forget(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_golden),
        cmocka_unit_test(neurons_are_golden),
        cmocka_unit_test(heads_are_golden),
        cmocka_unit_test(masks_are_golden),
        cmocka_unit_test(rows_depend_on_the_sample_alone),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
