/* What a tree of composites shares, what it costs, and what memory it takes. */
#include "support/tree_case.h"

#include <string.h>

#include "attribution/product_pool.h"

/* How many nodes are so deep; the root's children have depth 1. */
static void count_depths(const tree *t, size_t most, size_t nodes[])
{
    memset(nodes, 0, most * sizeof *nodes);
    for (size_t k = 0; k < tree_nodes(t); k++) {
        size_t depth = 0;
        for (size_t at = tree_node_at(t, k)->parent; at != TREE_NO_NODE; at = tree_node_at(t, at)->parent) {
            assert_true(at < k);
            depth++;
        }
        assert_true(depth < most);
        nodes[depth]++;
    }
}

static void the_grid_shares_what_it_can(void **state)
{
    (void)state;
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        size_t nodes[8], values = 0;
        network_open(tree_networks[k], &n);
        const tree_list_of l = tree_grid(n.work, 1, 1);
        const tree *t = tree_made_of(&n, &l, &tree_all_sums);
        count_depths(t, COUNT(nodes), nodes);
        /* In the small VGGs the lowest group is the first convolution alone, which hands nothing on. */
        const size_t depths = strncmp(n.name, "vgg", 3) == 0 ? TREE_GROUPS - 1 : TREE_GROUPS;
        for (size_t d = 0, expected = TREE_RULES; d < depths; d++, expected *= TREE_RULES) {
            assert_int_equal(nodes[d], expected);
        }
        assert_int_equal(tree_nodes(t), depths == TREE_GROUPS ? 4 + 16 + 64 + 256 : 4 + 16 + 64);
        for (size_t i = 0; i < tree_nodes(t); i++) {
            assert_int_equal(tree_node_at(t, i)->first_value, values);
            values += tree_node_at(t, i)->n_values;
        }
        assert_int_equal(values, tree_values(t));
        assert_true(values < 256 * n.g->n_components);
        network_close(&n);
    }
}

static const double *layer_values(const tree_result *r, size_t k, size_t layer, size_t row)
{
    const tree_node *n = tree_node_at(r->t, k);
    return r->values + row * tree_values(r->t) + n->first_value + n->layers[layer].at;
}

/* Whether nodes k and m show the same numbers of a layer, in all samples and moments. */
static bool show_the_same(const network *n, const tree_result *r, size_t k, size_t in_k, size_t m, size_t in_m)
{
    const node *layer = &n->g->nodes[tree_node_at(r->t, k)->layers[in_k].id];
    bool same = true;
    for (size_t row = 0; same && row < NETWORK_BATCH * WALK_MOMENTS; row++) {
        same = memcmp(layer_values(r, k, in_k, row), layer_values(r, m, in_m, row), layer->n_components * sizeof(double)) == 0;
    }
    return same;
}

/* No two nodes have the same numbers of a layer, and a composite's path has every layer once. */
static void nothing_is_shown_twice(void **state)
{
    (void)state;
    static const char *const some[] = {"resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5"};
    for (size_t k = 0; k < COUNT(some); k++) {
        network n;
        network_open(some[k], &n);
        const tree_list_of l = tree_grid(n.work, 1, 1);
        tree *t = tree_made_of(&n, &l, &tree_all_sums);
        const tree_result r = tree_run_from(&n, t, n.images, n.target, &tree_start);
        for (size_t i = 0; i < l.n; i++) {
            size_t values = 0;
            for (size_t at = tree_leaf(t, i); at != TREE_NO_NODE; at = tree_node_at(t, at)->parent) {
                values += tree_node_at(t, at)->n_values;
            }
            assert_int_equal(values, n.g->n_components);
        }
        for (size_t a = 0; a < tree_nodes(t); a++) {
            for (size_t b = 0; b < a; b++) {
                const tree_node *x = tree_node_at(t, a), *y = tree_node_at(t, b);
                for (size_t i = 0; i < x->n_layers; i++) {
                    for (size_t j = 0; j < y->n_layers; j++) {
                        if (x->layers[i].id == y->layers[j].id && show_the_same(&n, &r, a, i, b, j)) {
                            fail_msg("%s: nodes %zu and %zu show the same of layer '%s'", n.name, b, a, n.g->nodes[x->layers[i].id].name);
                        }
                    }
                }
            }
        }
        network_close(&n);
    }
}

/* Under the softmax rules a transformer's tree branches at the last attention, and `cp` leaves queries and keys out. */
static void softmax_rules_branch_at_the_last_attention(void **state)
{
    (void)state;
    network n;
    size_t nodes[8];
    network_open("vit_tiny.h5", &n);
    tree_list_of l = tree_empty_list(n.work, TREE_SOFTMAX_RULES);
    for (int s = 0; s < TREE_SOFTMAX_RULES; s++) {
        tree_made *m = tree_make(n.work, s);
        tree_add(m, "epsilon");
        tree_put(&l, m);
    }
    const tree *t = tree_made_of(&n, &l, &tree_all_sums);
    count_depths(t, COUNT(nodes), nodes);
    assert_int_equal(nodes[0], 1);
    assert_int_equal(nodes[1], TREE_SOFTMAX_RULES);
    const tree_node *trunk = tree_node_at(t, 0);
    assert_true(trunk->n_layers >= 2); /* the last block's linear layers */
    for (size_t i = 0; i < trunk->n_layers; i++) {
        assert_int_equal(n.g->nodes[trunk->layers[i].id].components, COMPONENT_NEURON);
    }
    network_close(&n);
}

static void a_single_composite_is_one_node(void **state)
{
    (void)state;
    network n;
    network_open("resnet_bottleneck_tiny.h5", &n);
    tree_list_of l = tree_empty_list(n.work, 3);
    tree_put(&l, tree_everywhere(n.work, "gamma"));
    const tree *t = tree_made_of(&n, &l, &tree_all_sums);
    assert_int_equal(tree_nodes(t), 1);
    assert_int_equal(tree_values(t), n.g->n_components);
    const tree_cost c = tree_costs(t);
    assert_true(tree_cost_total(&c) == c.apart);
    assert_tree_as_alone(&n, &l, "single");
    tree_put(&l, tree_everywhere(n.work, "gamma")); /* and twice the same */
    l.of[l.n++] = l.of[0];
    t = tree_made_of(&n, &l, &tree_all_sums);
    assert_int_equal(tree_nodes(t), 1);
    assert_int_equal(tree_leaf(t, 0), tree_leaf(t, 1));
    assert_int_equal(tree_leaf(t, 0), tree_leaf(t, 2));
    assert_tree_as_alone(&n, &l, "the same three times");
    network_close(&n);
}

/* No component sees the rule of the layer that reads the image. The rule of the last layer is seen by all. */
static void first_and_last_layer(void **state)
{
    (void)state;
    network n;
    network_open("vgg_bn_tiny.h5", &n);
    for (int last = 0; last < 2; last++) {
        tree_list_of l = tree_empty_list(n.work, TREE_RULES);
        for (size_t i = 0; i < TREE_RULES; i++) {
            tree_made *m = tree_make(n.work, 0);
            tree_add(m, tree_grid_rules[i])->place = last ? PLACE_LAST : PLACE_FIRST;
            tree_add(m, "z-plus");
            tree_put(&l, m);
        }
        const tree *t = tree_made_of(&n, &l, &tree_all_sums);
        assert_int_equal(tree_nodes(t), last ? TREE_RULES : 1);
        assert_int_equal(tree_values(t), (last ? TREE_RULES : 1) * n.g->n_components);
        assert_tree_as_alone(&n, &l, last ? "last layer" : "first layer");
    }
    network_close(&n);
}

/* The memory that is stated before a tree is built is what it takes, besides bookkeeping of the kernels. */
static void a_tree_takes_what_it_needs(void **state)
{
    (void)state;
    enum { BOOKKEEPING = 1 << 20 };
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        tree_need needed;
        network_open(tree_networks[k], &n);
        const tree_list_of l = tree_grid(n.work, 1, 3);
        assert_ok(tree_needs(n.g, l.n, l.of, test_backend(), NETWORK_BATCH, &tree_all_sums, &needed));
        const size_t before = arena_bytes(n.work);
        const tree *t = tree_made_of(&n, &l, &tree_all_sums);
        const size_t taken = arena_bytes(n.work) - before;
        assert_int_equal(tree_bytes(t), needed.bytes);
        assert_int_equal(tree_values(t), needed.n_values);
        const tree_cost cost = tree_costs(t);
        assert_memory_equal(&cost, &needed.cost, sizeof cost);
        if (!(needed.bytes <= taken && taken <= needed.bytes + BOOKKEEPING)) {
            fail_msg("%s: needs %zu bytes, takes %zu", n.name, needed.bytes, taken);
        }
        network_close(&n);
    }
}

/* The node's weights: those of the rules are wanted once for each layer, and the plan counts them. */
static void weights_lie_where_they_are_wanted(void **state)
{
    (void)state;
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        tree *t;
        tree_need need;
        network_open(tree_networks[k], &n);
        const tree_list_of l = tree_grid(n.work, 1, 11);
        weight_list wanted = weights_open(n.work), counted = weights_open(n.work);
        assert_ok(tree_needs(n.g, l.n, l.of, test_backend(), NETWORK_BATCH, &(tree_options){TREE_SUMS_ALL, 0, &counted}, &need));
        assert_ok(tree_build(n.work, n.g, l.n, l.of, test_backend(), NETWORK_BATCH, &(tree_options){TREE_SUMS_ALL, 0, &wanted}, &t));
        assert_int_equal(counted.floats, wanted.floats);
        assert_int_equal(tree_bytes(t), need.bytes);
        float *block = arena_alloc(n.work, wanted.floats, sizeof *block);
        assert_non_null(block);
        assert_ok(weights_make(&wanted, block, 0, 1));
        weights_use(&wanted, block);
        const tree_result there = tree_run_from(&n, t, n.images, n.target, &tree_start);
        const tree_result here = tree_run_from(&n, tree_made_of(&n, &l, &tree_all_sums), n.images, n.target, &tree_start);
        assert_memory_equal(here.values, there.values, NETWORK_BATCH * WALK_MOMENTS * tree_values(t) * sizeof *here.values);
        network_close(&n);
    }
}

/* VGG: three convolutions and three linear layers hand relevance on, all with inputs >= 0, all but the last followed by a ReLU. Back: epsilon
 * and z-plus one product, alpha-beta two, gamma one where a ReLU follows, else two. Forward: one sum for each layer. */
static void the_cost_is_what_is_computed(void **state)
{
    (void)state;
    network n;
    network_open("vgg_bn_tiny.h5", &n);
    const tree_list_of l = tree_grid(n.work, 1, 1);
    const tree_cost c = tree_costs(tree_made_of(&n, &l, &tree_all_sums));
    uint64_t parameters, pass, back = 0, sums = 0, apart = 256;
    graph_cost(n.g, &parameters, &pass, NULL, NULL);
    assert_true(c.forward == pass);
    apart *= pass;
    for (node_id id = 1; id < n.g->n_nodes; id++) {
        const node *layer = &n.g->nodes[id];
        if (layer->op->product == NULL || layer->in[0] == 0) {
            continue; /* the first convolution hands nothing on */
        }
        const shape in[] = {n.g->nodes[layer->in[0]].out};
        const uint64_t macs = layer->op->cost(layer, in, NULL, NULL).macs;
        const uint64_t walks = layer->group == GROUP_FC ? 1 : layer->group == GROUP_HIGH ? 4 : layer->group == GROUP_MID ? 16 : 64;
        const uint64_t products = id == n.g->n_nodes - 1 ? 1 + 1 + 2 + 2 : 1 + 1 + 1 + 2;
        back += walks * products * macs;
        sums += macs;
        apart += 64 * (products + 3) * macs;
    }
    assert_true(c.back == back);
    assert_true(c.sums == sums);
    assert_true(c.apart == apart);
    network_close(&n);
}

/* Passes that differ in anything are products of their own, also where the weights are the same in another order. */
static void products_are_shared_by_their_pass(void **state)
{
    (void)state;
    network n;
    product_pool *pool;
    size_t floats = 0, taken = 0;
    network_open("vgg_tiny.h5", &n);
    const node_id id = n.g->layers[1];
    conv_shape conv;
    forward_product_shape(n.g, id, &conv);
    assert_ok(product_pool_open(n.work, n.g->n_nodes, &pool));
    const rule_layer l = {.n = &n.g->nodes[id], .backend = test_backend(), .shape = &conv, .batch = NETWORK_BATCH, .pool = product_pool_of(pool, id)};
    const conv_pass passes[] = {
        {0},
        {.adjoint = true},
        {.bias = true},
        {.n_parts = 1, .part = {{1.0f, 0.0f}}},
        {.adjoint = true, .n_parts = 1, .part = {{1.0f, 0.0f}}},
        {.adjoint = true, .n_parts = 1, .part = {{1.0f, 0.25f}}},
        {.adjoint = true, .n_parts = 2, .part = {{1.0f, 0.0f}, {0.0f, 1.0f}}},
        {.adjoint = true, .n_parts = 2, .part = {{1.0f, 0.0f}, {1.0f, 0.0f}}},
    };
    const product *of[COUNT(passes)], *again;
    for (size_t i = 0; i < COUNT(passes); i++) {
        assert_ok(product_pool_take(n.work, &l, passes[i], true, &floats, &of[i]));
        for (size_t k = 0; k < i; k++) {
            assert_ptr_not_equal(of[i], of[k]);
        }
    }
    for (size_t i = 0; i < COUNT(passes); i++) {
        assert_ok(product_pool_take(n.work, &l, passes[i], true, &taken, &again));
        assert_ptr_equal(again, of[i]);
    }
    assert_int_equal(taken, 0);
    network_close(&n);
}

static void a_composite_without_a_rule_is_told(void **state)
{
    (void)state;
    network n;
    tree *t;
    tree_need need;
    network_open("vgg_tiny.h5", &n);
    tree_list_of l = tree_empty_list(n.work, 2);
    tree_put(&l, tree_everywhere(n.work, "epsilon"));
    tree_made *m = tree_make(n.work, 0);
    m->c.name = "half";
    tree_add(m, "z-plus")->group = GROUP_FC;
    tree_put(&l, m);
    assert_fails(tree_build(n.work, n.g, l.n, l.of, test_backend(), NETWORK_BATCH, &tree_all_sums, &t), ST_CONFIG, "half", "no rule for layer", NULL);
    assert_fails(tree_needs(n.g, l.n, l.of, test_backend(), NETWORK_BATCH, &tree_all_sums, &need), ST_CONFIG, "half", "no rule for layer", NULL);
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grid_shares_what_it_can),
        cmocka_unit_test(nothing_is_shown_twice),
        cmocka_unit_test(softmax_rules_branch_at_the_last_attention),
        cmocka_unit_test(a_single_composite_is_one_node),
        cmocka_unit_test(first_and_last_layer),
        cmocka_unit_test(a_tree_takes_what_it_needs),
        cmocka_unit_test(weights_lie_where_they_are_wanted),
        cmocka_unit_test(the_cost_is_what_is_computed),
        cmocka_unit_test(products_are_shared_by_their_pass),
        cmocka_unit_test(a_composite_without_a_rule_is_told),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
