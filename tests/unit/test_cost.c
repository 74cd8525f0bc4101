/* Parameters and multiply-adds, by hand and counted from what a masked run leaves at 0. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/arch.h"
#include "nn/forward.h"

typedef struct network {
    golden *file;
    arena *a;
    const graph *g;
} network;

/* A network whose activations are 0 only where components are dead: all weights positive, no mean subtracted. */
static tensors make_positive(arena *a, const tensors *from)
{
    tensors t = *from;
    tensor *list = arena_alloc(a, t.n, sizeof *list);
    memcpy(list, t.list, t.n * sizeof *list);
    for (size_t i = 0; i < t.n; i++) {
        size_t count = 1;
        for (size_t d = 0; d < list[i].rank; d++) {
            count *= list[i].dim[d];
        }
        float *data = arena_alloc(a, count, sizeof *data);
        for (size_t k = 0; list[i].type == TENSOR_F32 && k < count; k++) {
            data[k] = strstr(list[i].name, "running_mean") != NULL ? 0.0f : fabsf(list[i].data[k]) + 0.01f;
        }
        list[i].data = list[i].type == TENSOR_F32 ? data : NULL;
    }
    t.list = list;
    return t;
}

static void open_network(network *c, const char *name, bool positive)
{
    *c = (network){.file = golden_open(name)};
    assert_ok(arena_open("test", &c->a));
    tensors t = *golden_tensors(c->file);
    if (positive) {
        t = make_positive(c->a, &t);
    }
    assert_ok(graph_build(c->a, &t, &c->g));
}

static void close_network(network *c)
{
    golden_close(&c->file);
    arena_close(&c->a);
}

static const node *named(const graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].name, name) == 0) {
            return &g->nodes[i];
        }
    }
    fail_msg("no node '%s'", name);
    return NULL;
}

/* Costs, computed by hand. */

static void costs_of_a_convolutional_network(void **state)
{
    (void)state;
    network c;
    const graph *g;
    uint64_t parameters, macs, own[72], own_macs[72];
    open_network(&c, "vgg_bn_tiny.h5", false);
    g = c.g;
    graph_cost(g, &parameters, &macs, own, own_macs);
    /* (8x27+8) + (16x72+16) + (24x144+24) + (24x216+24) + (1176x32+32) + (32x24+24) + (24x10+10) */
    assert_int_equal(parameters, 224 + 1168 + 3480 + 5208 + 37664 + 792 + 250);
    assert_int_equal(macs, 216 * 1024 + 1152 * 256 + 3456 * 64 + 5184 * 64 + 37632 + 768 + 240);
    const size_t first = named(g, "features.8")->first_component;
    assert_int_equal(own[first], 145);
    assert_int_equal(own_macs[first + 23], 144 * 64);
    close_network(&c);
}

static void costs_of_a_transformer(void **state)
{
    (void)state;
    network c;
    const graph *g;
    uint64_t parameters, macs, own[441], own_macs[441];
    open_network(&c, "vit_tiny.h5", false);
    g = c.g;
    assert_int_equal(g->n_components, 441);
    graph_cost(g, &parameters, &macs, own, own_macs);
    const uint64_t per_block = 2 * 96 + 4 * (48 * 48 + 48) + (96 * 48 + 96) + (48 * 96 + 48);
    assert_int_equal(parameters, (48 * 192 + 48) + (48 + 17 * 48) + 3 * per_block + 96 + 490);
    const uint64_t block_macs = 17 * 4 * 48 * 48 + 2 * 17 * 17 * 48 + 17 * 2 * 48 * 96;
    assert_int_equal(macs, 48 * 192 * 16 + 3 * block_macs + 480);
    const size_t head = named(g, "encoder.layers.encoder_layer_1.self_attention.softmax")->first_component;
    assert_int_equal(own[head], 3 * 16 * 49 + 16 * 48);
    assert_int_equal(own_macs[head], 17 * (3 * 16 * 48 + 16 * 48) + 2 * 17 * 17 * 16);
    const size_t neuron = named(g, "encoder.layers.encoder_layer_1.mlp.3")->first_component;
    assert_int_equal(own[neuron], 97);
    assert_int_equal(own_macs[neuron], 17 * 96);
    close_network(&c);
}

/* One dead filter: its row, and what the next layer read of it. One dead head likewise. */
static void one_component_less(void **state)
{
    (void)state;
    network c;
    const graph *g;
    uint64_t parameters, macs, left, macs_left;
    uint8_t alive[441];
    open_network(&c, "vgg_bn_tiny.h5", false);
    g = c.g;
    graph_cost(g, &parameters, &macs, NULL, NULL);
    memset(alive, 1, sizeof alive);
    alive[named(g, "features.8")->first_component + 5] = 0;
    assert_ok(graph_cost_left(c.a, g, alive, &left, &macs_left));
    assert_int_equal(parameters - left, 145 + 24 * 9);
    assert_int_equal(macs - macs_left, 64 * (144 + 24 * 9));
    memset(alive, 1, sizeof alive);
    alive[named(g, "features.11")->first_component] = 0; /* 49 columns of the first linear layer */
    assert_ok(graph_cost_left(c.a, g, alive, &left, &macs_left));
    assert_int_equal(parameters - left, 217 + 32 * 49);
    close_network(&c);

    open_network(&c, "vit_tiny.h5", false);
    g = c.g;
    graph_cost(g, &parameters, &macs, NULL, NULL);
    memset(alive, 1, sizeof alive);
    alive[named(g, "encoder.layers.encoder_layer_0.self_attention.softmax")->first_component + 1] = 0;
    assert_ok(graph_cost_left(c.a, g, alive, &left, &macs_left));
    assert_int_equal(parameters - left, 3 * 16 * 49 + 16 * 48);
    assert_int_equal(macs - macs_left, 17 * (3 * 16 * 48 + 16 * 48) + 2 * 17 * 17 * 16);
    memset(alive, 1, sizeof alive);
    alive[named(g, "encoder.layers.encoder_layer_0.mlp.0")->first_component + 1] = 0;
    assert_ok(graph_cost_left(c.a, g, alive, &left, &macs_left));
    assert_int_equal(parameters - left, 49 + 48);
    close_network(&c);
}

static bool is_alive(const node *n, const uint8_t alive[], size_t c)
{
    return n->components == COMPONENT_NONE || alive[n->first_component + c] != 0;
}

/* Is channel c of node `id` exactly 0 everywhere in this run? */
static bool is_silent(network *net, const graph *g, const forward *run, node_id id, size_t c)
{
    const shape s = g->nodes[id].out;
    const size_t plane = s.rank == 3 ? s.dim[1] * s.dim[2] : 1;
    float *x = arena_alloc(net->a, shape_count(s), sizeof *x);
    assert_non_null(x);
    forward_read(run, id, x);
    for (size_t i = 0; i < shape_count(s); i++) {
        if (i / plane % shape_channels(s) == c && x[i] != 0.0f) {
            return false;
        }
    }
    return true;
}

/* Dead heads' rows of q, k and v do not show as zeros: found through the attention node behind. */
static bool row_is_kept(const graph *g, node_id id, const uint8_t alive[], size_t row)
{
    for (size_t k = id + 1; k < g->n_nodes && k <= id + 3; k++) {
        const node *n = &g->nodes[k];
        if (n->op == &op_attention && (n->in[0] == id || n->in[1] == id || n->in[2] == id)) {
            return is_alive(n, alive, row / (shape_channels(n->out) / n->n_components));
        }
    }
    return is_alive(&g->nodes[id], alive, row);
}

/* Counts what the numbers of a run say is left. */
static void count_by_hand(network *c, const graph *g, const uint8_t alive[], uint64_t *parameters, uint64_t *macs)
{
    forward *run = NULL;
    float *images = arena_alloc(c->a, shape_count(g->input), sizeof *images);
    for (size_t i = 0; i < shape_count(g->input); i++) {
        images[i] = 0.1f + (float)rng_uniform(3, RNG_TEST, 0, (uint32_t)i);
    }
    assert_ok(forward_build(c->a, g, test_backend(), 1, KEEP_ALL, &run));
    forward_run(run, images, alive);
    *parameters = 0;
    *macs = 0;
    for (node_id id = 1; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        if (n->op == &op_layernorm || n->op == &op_tokens) {
            *parameters += n->n_weight + n->n_bias;
        } else if (n->op == &op_attention) {
            for (size_t h = 0; h < n->n_components; h++) {
                const size_t t = n->out.dim[0];
                *macs += is_alive(n, alive, h) ? 2 * t * t * (n->out.dim[1] / n->n_components) : 0;
            }
        }
        if (n->op != &op_conv2d && n->op != &op_linear) {
            continue;
        }
        const size_t rows = shape_channels(n->out), columns = shape_channels(g->nodes[n->in[0]].out),
                     taps = n->n_weight / rows / columns;
        const size_t positions = shape_count(n->out) / rows;
        uint64_t inputs = 0; /* weights of one row that read something */
        for (size_t column = 0; column < columns; column++) {
            inputs += is_silent(c, g, run, n->in[0], column) ? 0 : taps;
        }
        for (size_t row = 0; row < rows; row++) {
            if (row_is_kept(g, id, alive, row)) {
                *parameters += inputs + (n->n_bias > 0);
                *macs += inputs * positions;
            }
        }
    }
}

static void check_left(const char *name, uint32_t seed)
{
    network c;
    const graph *g;
    uint64_t parameters, macs, left, macs_left;
    open_network(&c, name, true);
    g = c.g;
    uint8_t *alive = arena_alloc(c.a, g->n_components, 1);
    for (size_t i = 0; i < g->n_components; i++) {
        alive[i] = rng_uniform(seed, RNG_TEST, 0, (uint32_t)i) < 0.6;
    }
    count_by_hand(&c, g, alive, &parameters, &macs);
    assert_ok(graph_cost_left(c.a, g, alive, &left, &macs_left));
    assert_int_equal(left, parameters);
    assert_int_equal(macs_left, macs);
    memset(alive, 1, g->n_components);
    graph_cost(g, &parameters, &macs, NULL, NULL);
    assert_ok(graph_cost_left(c.a, g, alive, &left, &macs_left));
    assert_int_equal(left, parameters);
    assert_int_equal(macs_left, macs);
    close_network(&c);
}

static void cost_left_counts_what_is_not_zero(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 3; seed++) {
        check_left("vgg_bn_tiny.h5", seed);
        check_left("vgg_tiny.h5", seed);
        check_left("resnet_basic_tiny.h5", seed);
        check_left("resnet_bottleneck_tiny.h5", seed);
        check_left("vit_tiny.h5", seed);
    }
}

static void everything_dead_is_still_counted(void **state)
{
    (void)state;
    network c;
    const graph *g;
    uint64_t left, macs_left;
    open_network(&c, "vgg_bn_tiny.h5", false);
    g = c.g;
    const uint8_t *none = arena_alloc(c.a, g->n_components, 1);
    assert_ok(graph_cost_left(c.a, g, none, &left, &macs_left));
    assert_int_equal(left, 32 + 792 + 250); /* the biases of the first linear layer, and the rest of the classifier */
    assert_int_equal(macs_left, 768 + 240);
    close_network(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_of_a_convolutional_network),
        cmocka_unit_test(costs_of_a_transformer),
        cmocka_unit_test(one_component_less),
        cmocka_unit_test(cost_left_counts_what_is_not_zero),
        cmocka_unit_test(everything_dead_is_still_counted),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
