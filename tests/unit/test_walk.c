#include "support/backends.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "core/rng.h"

enum { MAX_NODES = 24, BATCH = 4, CHANNELS = 2, SIDE = 8, PIXELS = CHANNELS * SIDE * SIDE, CLASSES = 5 };

static arena *memory;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("walk test", &memory)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

/* A graph made by hand, so that its weights can be changed. */
typedef struct net {
    graph g;
    node nodes[MAX_NODES];
    node_id layers[MAX_NODES];
    float *weight[MAX_NODES], *bias[MAX_NODES];
} net;

static float *floats(size_t n)
{
    float *x = arena_alloc(memory, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static void fill(uint32_t stream, size_t n, float scale, float *x)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = scale * (float)(2.0 * rng_uniform(21, RNG_TEST, stream, (uint32_t)i) - 1.0);
    }
}

static const void *keep(const void *attr, size_t bytes)
{
    void *copy = arena_alloc(memory, bytes, 1);
    assert_non_null(copy);
    memcpy(copy, attr, bytes);
    return copy;
}

static void net_start(net *t, shape input)
{
    memset(t, 0, sizeof *t);
    t->nodes[0] = (node){.op = &op_input, .name = "input", .out = input};
    t->g = (graph){.architecture = "test", .n_nodes = 1, .nodes = t->nodes, .input = input, .layers = t->layers};
}

static node_id add(net *t, const op_def *op, const char *name, size_t n_in, const node_id in[], const void *attr,
                   size_t n_weight, size_t n_bias)
{
    const node_id id = t->g.n_nodes++;
    assert_true(id < MAX_NODES);
    node *n = &t->nodes[id];
    shape shapes[MAX_INPUTS] = {{0}};
    *n = (node){.op = op, .name = name, .n_in = n_in, .attr = attr, .n_weight = n_weight, .n_bias = n_bias};
    for (size_t i = 0; i < n_in; i++) {
        n->in[i] = in[i];
        shapes[i] = t->nodes[in[i]].out;
    }
    if (n_weight > 0) {
        t->weight[id] = floats(n_weight);
        fill((uint32_t)(100 + id), n_weight, 0.5f, t->weight[id]);
        n->weight = t->weight[id];
    }
    if (n_bias > 0) {
        t->bias[id] = floats(n_bias);
        fill((uint32_t)(200 + id), n_bias, 0.2f, t->bias[id]);
        n->bias = t->bias[id];
    }
    assert_ok(op->infer(n, shapes, &n->out));
    return id;
}

static node_id after(net *t, const op_def *op, const char *name, node_id in, const void *attr)
{
    return add(t, op, name, 1, &in, attr, 0, 0);
}

static node_id conv(net *t, const char *name, node_id in, size_t out_channels, bool bias)
{
    const conv_attr attr = {.out_channels = out_channels,
                            .kernel = {3, 3},
                            .stride = {1, 1},
                            .padding = {1, 1},
                            .dilation = {1, 1},
                            .groups = 1};
    return add(t, &op_conv2d, name, 1, &in, keep(&attr, sizeof attr), out_channels * t->nodes[in].out.dim[0] * 9,
               bias ? out_channels : 0);
}

static node_id linear(net *t, const char *name, node_id in, size_t out, bool bias)
{
    const linear_attr attr = {.out_features = out};
    const shape s = t->nodes[in].out;
    return add(t, &op_linear, name, 1, &in, keep(&attr, sizeof attr), out * s.dim[s.rank - 1], bias ? out : 0);
}

static void prunable(net *t, node_id id, component_kind kind, size_t n)
{
    t->layers[t->g.n_layers++] = id;
    t->nodes[id].components = kind;
    t->nodes[id].n_components = n;
    t->nodes[id].first_component = t->g.n_components;
    t->g.n_components += n;
}

enum { CONV1 = 1, POOL = 3, CONV2 = 4, CONV3 = 6, SUM = 7, FC1 = 11 };

/* conv1 relu maxpool -> [conv2 relu conv3] + shortcut -> relu avgpool flatten fc1 relu fc2 */
static void residual_net(net *t, bool bias)
{
    net_start(t, (shape){3, {CHANNELS, SIDE, SIDE}});
    const maxpool_attr half = {.kernel = 2, .stride = 2};
    const avgpool_attr two = {.output = {2, 2}};
    const node_id c1 = conv(t, "conv1", 0, 4, bias);
    const node_id r1 = after(t, &op_relu, "relu1", c1, NULL);
    const node_id pool = after(t, &op_maxpool2d, "maxpool", r1, keep(&half, sizeof half));
    const node_id c2 = conv(t, "conv2", pool, 5, bias);
    const node_id r2 = after(t, &op_relu, "relu2", c2, NULL);
    const node_id c3 = conv(t, "conv3", r2, 4, bias);
    const node_id both[] = {pool, c3};
    const node_id sum = add(t, &op_add, "add", 2, both, NULL, 0, 0);
    const node_id r3 = after(t, &op_relu, "relu3", sum, NULL);
    const node_id average = after(t, &op_avgpool2d, "avgpool", r3, keep(&two, sizeof two));
    const node_id flat = after(t, &op_flatten, "flatten", average, NULL);
    const node_id f1 = linear(t, "fc1", flat, 6, bias);
    const node_id r4 = after(t, &op_relu, "relu4", f1, NULL);
    (void)linear(t, "fc2", r4, CLASSES, bias);
    t->g.n_classes = CLASSES;
    assert_true(c1 == CONV1 && pool == POOL && c2 == CONV2 && c3 == CONV3 && sum == SUM && f1 == FC1);
}

static void all_prunable(net *t)
{
    prunable(t, CONV1, COMPONENT_FILTER, 4);
    prunable(t, CONV2, COMPONENT_FILTER, 5);
    prunable(t, CONV3, COMPONENT_FILTER, 4);
    prunable(t, FC1, COMPONENT_NEURON, 6);
}

static const composite *epsilon_composite(double epsilon)
{
    const composite *c;
    assert_ok(composite_epsilon(memory, epsilon, &c));
    return c;
}

static const size_t targets[BATCH] = {1, 4, 0, 2};

static float *images(void)
{
    float *x = floats(BATCH * PIXELS);
    fill(1, BATCH * PIXELS, 1.0f, x);
    return x;
}

static walk *build(const graph *g, double epsilon)
{
    walk *w;
    assert_ok(walk_build(memory, g, epsilon_composite(epsilon), test_backend(), BATCH, &w));
    return w;
}

static float *run(const graph *g, double epsilon, const float *x)
{
    float *rows = floats(BATCH * WALK_MOMENTS * g->n_components);
    memset(rows, 0xff,
           BATCH * WALK_MOMENTS * g->n_components * sizeof *rows); /* NaN: every element has to be written */
    walk_run(build(g, epsilon), x, targets, rows);
    return rows;
}

static const float *moment(const graph *g, const float *rows, size_t sample, size_t which)
{
    return rows + (sample * WALK_MOMENTS + which) * g->n_components;
}

static double layer_total(const graph *g, const float *rows, size_t sample, node_id id)
{
    double sum = 0.0;
    for (size_t c = 0; c < g->nodes[id].n_components; c++) {
        sum += (double)moment(g, rows, sample, WALK_SIGNED)[g->nodes[id].first_component + c];
    }
    return sum;
}

/* Section l: zero bias, epsilon = 0: what starts as 1 at the logit is 1 across every full cut of the network. */
static void relevance_is_conserved_without_bias(void **state)
{
    (void)state;
    net t;
    residual_net(&t, false);
    all_prunable(&t);
    const float *rows = run(&t.g, 0.0, images());
    for (size_t b = 0; b < BATCH; b++) {
        const double at_conv1 = layer_total(&t.g, rows, b, CONV1), at_fc1 = layer_total(&t.g, rows, b, FC1);
        if (!(fabs(at_conv1 - 1.0) < 1e-4 && fabs(at_fc1 - 1.0) < 1e-4)) {
            fail_msg("sample %zu: %.9g at conv1, %.9g at fc1", b, at_conv1, at_fc1);
        }
    }
    arena_reset(memory);
}

static void scale_component(net *t, node_id id, size_t c, float factor)
{
    const size_t row = t->nodes[id].n_weight / t->nodes[id].n_components;
    for (size_t i = 0; i < row; i++) {
        t->weight[id][c * row + i] *= factor;
    }
    if (t->bias[id] != NULL) {
        t->bias[id][c] *= factor;
    }
}

static void target_logits(const net *t, const float *x, double y[BATCH])
{
    forward *f;
    assert_ok(forward_build(memory, &t->g, test_backend(), BATCH, KEEP_LOGITS, &f));
    forward_run(f, x, NULL);
    for (size_t b = 0; b < BATCH; b++) {
        y[b] = (double)forward_logits(f)[b * CLASSES + targets[b]];
    }
}

/* Section l: LRP-0 on a network of ReLUs, sums and pooling is a . dy/da / y, with or without bias. Scaling a component's
 * weights and bias by 1 + h scales its output a, so the sum over its map is dy/dh / y. y is linear in h until a ReLU or a
 * winner of the pooling switches, which shows in the two one-sided differences. 2^-9 leaves 1e-7 / 2^-9 of rounding: hence
 * 1e-3. */
typedef struct differences {
    double y[BATCH], up[BATCH], down[BATCH];
} differences;

static bool derivative(const differences *d, size_t sample, float h, double *out)
{
    const double right = (d->up[sample] - d->y[sample]) / (double)h,
                 left = (d->y[sample] - d->down[sample]) / (double)h;
    *out = (left + right) / 2.0;
    return fabs(left - right) < 1e-3;
}

static void check_component(net *t, const float *x, const float *rows, node_id id, size_t c, size_t *compared)
{
    const float h = 0x1p-9f;
    differences d;
    target_logits(t, x, d.y);
    scale_component(t, id, c, 1.0f + h);
    target_logits(t, x, d.up);
    scale_component(t, id, c, (1.0f - h) / (1.0f + h));
    target_logits(t, x, d.down);
    scale_component(t, id, c, 1.0f / (1.0f - h));
    for (size_t b = 0; b < BATCH; b++) {
        const double got = (double)moment(&t->g, rows, b, WALK_SIGNED)[t->nodes[id].first_component + c] * d.y[b];
        double expected;
        if (derivative(&d, b, h, &expected)) {
            (*compared)++;
            if (!(fabs(got - expected) < 1e-3)) {
                fail_msg("%s, component %zu, sample %zu: %.9g, by differences %.9g", t->nodes[id].name, c, b, got,
                         expected);
            }
        }
    }
}

static void check_against_differences(net *t)
{
    const float *x = images(), *rows = run(&t->g, 0.0, x);
    size_t compared = 0;
    for (size_t l = 0; l < t->g.n_layers; l++) {
        for (size_t c = 0; c < t->nodes[t->g.layers[l]].n_components; c++) {
            check_component(t, x, rows, t->g.layers[l], c, &compared);
        }
    }
    assert_true(compared > t->g.n_components * BATCH * 3 / 4);
}

static void lrp0_is_gradient_times_activation(void **state)
{
    (void)state;
    for (int bias = 0; bias < 2; bias++) {
        net t;
        residual_net(&t, bias);
        all_prunable(&t);
        check_against_differences(&t);
        arena_reset(memory);
    }
}

static void absolute_is_that_of_the_signed_sum_for_one_token(void **state)
{
    (void)state;
    net t;
    residual_net(&t, true);
    all_prunable(&t);
    const float *rows = run(&t.g, 1e-6, images());
    size_t negative = 0;
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t c = 0; c < t.g.n_components; c++) {
            const float value = moment(&t.g, rows, b, WALK_SIGNED)[c];
            assert_true(isfinite(value) && moment(&t.g, rows, b, WALK_ABSOLUTE)[c] == fabsf(value));
            negative += value < 0.0f;
        }
    }
    assert_true(negative > 0);
    arena_reset(memory);
}

/* Samples in another order and beside other samples: the same bits for each. */
static void rows_do_not_depend_on_neighbours(void **state)
{
    (void)state;
    net t;
    residual_net(&t, true);
    all_prunable(&t);
    const size_t row = WALK_MOMENTS * t.g.n_components;
    const float *x = images(), *expected = run(&t.g, 1e-6, x);
    walk *w = build(&t.g, 1e-6);
    for (size_t sample = 0; sample < BATCH; sample++) {
        for (size_t slot = 0; slot < BATCH; slot++) {
            float *others = floats(BATCH * PIXELS), *rows = floats(BATCH * row);
            size_t classes[BATCH] = {3, 3, 3, 3};
            fill((uint32_t)(50 + slot), BATCH * PIXELS, 2.0f, others);
            memcpy(others + slot * PIXELS, x + sample * PIXELS, PIXELS * sizeof *x);
            classes[slot] = targets[sample];
            walk_run(w, others, classes, rows);
            assert_memory_equal(rows + slot * row, expected + sample * row, row * sizeof *rows);
        }
    }
    arena_reset(memory);
}

static void runs_repeat_bit_for_bit(void **state)
{
    (void)state;
    net t;
    residual_net(&t, true);
    all_prunable(&t);
    const size_t n = BATCH * WALK_MOMENTS * t.g.n_components;
    const float *x = images();
    float *first = floats(n), *other = floats(n), *again = floats(n), *blank = floats(BATCH * PIXELS);
    walk *w = build(&t.g, 1e-6);
    walk_run(w, x, targets, first);
    walk_run(w, blank, targets, other);
    walk_run(w, x, targets, again);
    assert_memory_equal(first, again, n * sizeof *first);
    assert_memory_not_equal(first, other, n * sizeof *first);
    arena_reset(memory);
}

static void keeping_everything_changes_no_bit(void **state)
{
    (void)state;
    net t;
    residual_net(&t, true);
    all_prunable(&t);
    const size_t n = BATCH * WALK_MOMENTS * t.g.n_components;
    const float *x = images(), *expected = run(&t.g, 1e-6, x);
    float *rows = floats(n);
    walk *keeping, *planned = build(&t.g, 1e-6);
    assert_ok(walk_build_keeping(memory, &t.g, epsilon_composite(1e-6), test_backend(), BATCH, &keeping));
    walk_run(keeping, x, targets, rows);
    assert_memory_equal(rows, expected, n * sizeof *rows);
    assert_true(walk_bytes(planned) < walk_bytes(keeping));
    float *map = floats(BATCH * PIXELS * 4), *seed = floats(BATCH * CLASSES);
    for (node_id id = 0; id < t.g.n_nodes; id++) {
        assert_false(walk_read_relevance(planned, id, map));
        assert_true(walk_read_relevance(keeping, id, map) == (id >= CONV1));
    }
    assert_true(walk_read_relevance(keeping, t.g.n_nodes - 1, seed));
    for (size_t i = 0; i < (size_t)BATCH * CLASSES; i++) {
        assert_true(seed[i] == (i % CLASSES == targets[i / CLASSES] ? 1.0f : 0.0f));
    }
    assert_true(walk_read_relevance(keeping, CONV1, map));
    double sum = 0.0;
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        sum += (double)map[i];
    }
    assert_true(fabs(sum - (double)moment(&t.g, rows, 0, WALK_SIGNED)[0]) < 1e-6);
    arena_reset(memory);
}

static void nothing_is_computed_below_the_lowest_component(void **state)
{
    (void)state;
    net t;
    residual_net(&t, true);
    prunable(&t, CONV3, COMPONENT_FILTER, 4);
    walk *w;
    float *r = floats(BATCH * PIXELS * 4);
    assert_ok(walk_build_keeping(memory, &t.g, epsilon_composite(1e-6), test_backend(), BATCH, &w));
    walk_run(w, images(), targets, floats(BATCH * WALK_MOMENTS * t.g.n_components));
    for (node_id id = 0; id < t.g.n_nodes; id++) { /* neither below conv3 nor along the shortcut */
        assert_true(walk_read_relevance(w, id, r) == (id >= CONV3));
    }
    arena_reset(memory);
}

static void lower_components_change_no_bit_above(void **state)
{
    (void)state;
    net whole, part;
    residual_net(&whole, true);
    residual_net(&part, true);
    all_prunable(&whole);
    prunable(&part, CONV3, COMPONENT_FILTER, 4);
    const float *x = images(), *a = run(&whole.g, 1e-6, x), *b = run(&part.g, 1e-6, x);
    for (size_t s = 0; s < BATCH; s++) {
        assert_memory_equal(moment(&whole.g, a, s, WALK_SIGNED) + whole.nodes[CONV3].first_component,
                            moment(&part.g, b, s, WALK_SIGNED), 4 * sizeof *a);
    }
    arena_reset(memory);
}

static void a_network_without_components_runs(void **state)
{
    (void)state;
    net t;
    residual_net(&t, true);
    float untouched = 7.0f;
    walk_run(build(&t.g, 1e-6), images(), targets, &untouched);
    assert_true(untouched == 7.0f);
    arena_reset(memory);
}

static void chain_net(net *t, bool doubled)
{
    net_start(t, (shape){1, {PIXELS}});
    const node_id a = linear(t, "a", 0, 7, true), twice[] = {a, a};
    prunable(t, a, COMPONENT_NEURON, 7);
    const node_id last = linear(t, "out", doubled ? add(t, &op_add, "sum", 2, twice, NULL, 0, 0) : a, CLASSES, false);
    t->g.n_classes = CLASSES;
    fill(300, t->nodes[last].n_weight, doubled ? 0.5f : 1.0f, t->weight[last]);
}

/* (a + a) W = a (2 W): both halves arrive at the same node, and the second is added to the first. */
static void relevance_from_two_readers_is_added(void **state)
{
    (void)state;
    net doubled, plain;
    chain_net(&doubled, true);
    chain_net(&plain, false);
    const float *x = images(), *got = run(&doubled.g, 1e-9, x), *expected = run(&plain.g, 1e-9, x);
    for (size_t i = 0; i < (size_t)BATCH * WALK_MOMENTS * 7; i++) {
        assert_true(fabsf(got[i] - expected[i]) <= 1e-5f * fmaxf(1.0f, fabsf(expected[i])));
    }
    arena_reset(memory);
}

/* a -> relu -> sum and a -> b -> sum: the relevance that the ReLU passes in place is added to afterwards. */
static void a_relevance_that_was_passed_can_be_added_to(void **state)
{
    (void)state;
    net t;
    net_start(&t, (shape){1, {PIXELS}});
    const node_id a = linear(&t, "a", 0, 7, true), b = linear(&t, "b", a, 7, true);
    const node_id both[] = {after(&t, &op_relu, "relu", a, NULL), b};
    prunable(&t, a, COMPONENT_NEURON, 7);
    prunable(&t, b, COMPONENT_NEURON, 7);
    (void)linear(&t, "out", add(&t, &op_add, "sum", 2, both, NULL, 0, 0), CLASSES, true);
    t.g.n_classes = CLASSES;
    const float *x = images(), *planned = run(&t.g, 1e-6, x);
    float *rows = floats(BATCH * WALK_MOMENTS * t.g.n_components);
    walk *keeping;
    assert_ok(walk_build_keeping(memory, &t.g, epsilon_composite(1e-6), test_backend(), BATCH, &keeping));
    walk_run(keeping, x, targets, rows);
    assert_memory_equal(rows, planned, BATCH * WALK_MOMENTS * t.g.n_components * sizeof *rows);
    float *at_relu = floats(BATCH * 7), *at_a = floats(BATCH * 7);
    assert_true(walk_read_relevance(keeping, both[0], at_relu) && walk_read_relevance(keeping, a, at_a));
    assert_memory_not_equal(at_relu, at_a, BATCH * 7 * sizeof *at_a);
    assert_true(at_a[0] == planned[WALK_SIGNED * t.g.n_components]);
    check_against_differences(&t);
    arena_reset(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relevance_is_conserved_without_bias),
        cmocka_unit_test(lrp0_is_gradient_times_activation),
        cmocka_unit_test(absolute_is_that_of_the_signed_sum_for_one_token),
        cmocka_unit_test(rows_do_not_depend_on_neighbours),
        cmocka_unit_test(runs_repeat_bit_for_bit),
        cmocka_unit_test(keeping_everything_changes_no_bit),
        cmocka_unit_test(nothing_is_computed_below_the_lowest_component),
        cmocka_unit_test(lower_components_change_no_bit_above),
        cmocka_unit_test(a_network_without_components_runs),
        cmocka_unit_test(relevance_from_two_readers_is_added),
        cmocka_unit_test(a_relevance_that_was_passed_can_be_added_to),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, set_up, tear_down);
}
