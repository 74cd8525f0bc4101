/* A tree of composites gives what the composites' own walks give, bit for bit, and shares what they have in common. */
#include "support/network.h"

#include <math.h>
#include <string.h>

#include "attribution/preset.h"
#include "attribution/product_pool.h"
#include "attribution/tree.h"
#include "nn/passes/needed_rows.h"

static const char *const networks[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

static const float mean[] = {0.5f, 0.4f, 0.5f}, deviation[] = {0.25f, 0.25f, 0.2f};
enum { BATCH = NETWORK_BATCH, MOST_ENTRIES = 6, GROUPS = 4, RULES = 4, SOFTMAX_RULES = 4 };

/* ---- composites ---- */

typedef struct made {
    composite c;
    composite_entry entries[MOST_ENTRIES];
} made;

static made *make(arena *a, int softmax_rule)
{
    made *m = arena_alloc(a, 1, sizeof *m);
    assert_non_null(m);
    m->c = (composite){.entries = m->entries, .epsilon = 1e-6, .softmax_rule = softmax_rule, .pixels = {3, mean, deviation}};
    return m;
}

static composite_entry *add(made *m, const char *rule)
{
    assert_true(m->c.n < MOST_ENTRIES);
    composite_entry *e = &m->entries[m->c.n++];
    *e = (composite_entry){.rule = rule_find(rule)};
    assert_non_null(e->rule);
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        e->parameters[i] = e->rule->fields[i].def;
    }
    return e;
}

static void set(composite_entry *e, const char *parameter, double value)
{
    bool found = false;
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        if (strcmp(e->rule->fields[i].name, parameter) == 0) {
            e->parameters[i] = value;
            found = true;
        }
    }
    assert_true(found);
}

/* The paper's grid: composite i has in group g the rule of digit g of i, the lowest group being the lowest digit. */
static const char *const grid_rules[RULES] = {"epsilon", "z-plus", "gamma", "alpha-beta"};
static const depth_group grid_groups[GROUPS] = {GROUP_LOW, GROUP_MID, GROUP_HIGH, GROUP_FC};

typedef struct list {
    size_t n;
    const composite **of;
} list;

static list empty_list(arena *a, size_t room)
{
    const list l = {0, arena_alloc(a, room, sizeof *l.of)};
    assert_non_null(l.of);
    return l;
}

static void put(list *l, const made *m)
{
    l->of[l->n++] = &m->c;
}

/* Each of `softmax_rules` times the grid; step: of the grid, only every so many. */
static list grid(arena *a, int softmax_rules, size_t step)
{
    list l = empty_list(a, 256 * SOFTMAX_RULES);
    for (int softmax = 0; softmax < softmax_rules; softmax++) {
        for (size_t i = 0; i < 256; i += step) {
            made *m = make(a, softmax);
            for (size_t g = 0, digits = i; g < GROUPS; g++, digits /= RULES) {
                add(m, grid_rules[digits % RULES])->group = grid_groups[g];
            }
            add(m, "epsilon"); /* layers outside of the groups */
            put(&l, m);
        }
    }
    return l;
}

static made *everywhere(arena *a, const char *rule)
{
    made *m = make(a, 0);
    add(m, rule);
    return m;
}

/* ---- runs ---- */

typedef struct result {
    const tree *t;
    double *values; /* [BATCH, WALK_MOMENTS, tree_values()] */
    size_t calls, last;
} result;

static void take(void *to, size_t k, const float *rows)
{
    result *r = to;
    const tree_node *n = tree_node_at(r->t, k);
    assert_true(r->calls == 0 || k > r->last);
    r->last = k;
    r->calls++;
    for (size_t i = 0; i < BATCH * WALK_MOMENTS; i++) {
        for (size_t c = 0; c < n->n_values; c++) {
            r->values[i * tree_values(r->t) + n->first_value + c] = (double)rows[i * n->n_values + c];
        }
    }
}

static const walk_start one = {.value = START_ONE};

static result run_from(const network *n, tree *t, const float *images, const size_t target[], const walk_start *start)
{
    result r = {.t = t, .values = network_doubles(n, BATCH * WALK_MOMENTS * tree_values(t))};
    for (size_t i = 0; i < BATCH * WALK_MOMENTS * tree_values(t); i++) {
        r.values[i] = NAN;
    }
    tree_run(t, images, start, target, &(tree_sink){.to = &r, .take = take});
    return r;
}

static tree *build(const network *n, const list *l, const tree_options *o)
{
    tree *t;
    assert_ok(tree_build(n->work, n->g, l->n, l->of, test_backend(), BATCH, o, &t));
    return t;
}

static const tree_options all_sums = {.sums_bytes = TREE_SUMS_ALL};

static const float *alone(const network *n, const composite *c, const walk_start *start, unsigned without)
{
    arena *a;
    walk *w;
    float *rows = arena_alloc(n->work, BATCH * WALK_MOMENTS * n->g->n_components, sizeof *rows);
    assert_non_null(rows);
    assert_ok(arena_open("one walk", &a));
    assert_ok(walk_build_with(a, n->g, c, test_backend(), BATCH, &(walk_options){.without = without}, &w));
    walk_run_from(w, n->images, start, n->target, WALK_MOMENTS * n->g->n_components, rows);
    arena_close(&a);
    return rows;
}

/* Composite i of a tree: every sample and moment, put together from its nodes. */
static void assert_same(const network *n, const result *r, size_t i, const float *rows, const char *what)
{
    const size_t components = n->g->n_components;
    double *got = network_doubles(n, components);
    for (size_t k = 0; k < BATCH * WALK_MOMENTS; k++) {
        for (size_t c = 0; c < components; c++) {
            got[c] = NAN;
        }
        tree_assemble(r->t, i, r->values + k * tree_values(r->t), got);
        for (size_t c = 0; c < components; c++) {
            const float expected = rows[k * components + c], found = (float)got[c];
            if (memcmp(&expected, &found, sizeof found) != 0) {
                fail_msg("%s, %s, composite %zu: sample %zu, moment %zu, component %zu: expected %.9g as alone, found %.9g", n->name, what, i,
                         k / WALK_MOMENTS, k % WALK_MOMENTS, c, (double)expected, (double)found);
            }
        }
    }
}

static void assert_as_alone(const network *n, const list *l, const char *what)
{
    const result r = run_from(n, build(n, l, &all_sums), n->images, n->target, &one);
    for (size_t i = 0; i < l->n; i++) {
        assert_same(n, &r, i, alone(n, l->of[i], &one, 0), what);
    }
}

static bool is_vit(const network *n)
{
    return strcmp(n->name, "vit_tiny.h5") == 0;
}

/* ---- tests ---- */

static void the_grid_is_as_one_by_one(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        network_open(networks[k], &n);
        const list l = grid(n.work, is_vit(&n) ? SOFTMAX_RULES : 1, is_vit(&n) ? 3 : 1);
        assert_as_alone(&n, &l, "grid");
        network_close(&n);
    }
}

/* Rules with parameters of their own, at single layers, for the whole network, of layers with a rule of their own. */
static list a_spread(const network *n)
{
    static const char *const first[] = {"z-box", "flat", "w-square", "gradient"};
    list l = empty_list(n->work, 64);
    made *m;
    for (size_t i = 0; i < COUNT(first); i++) {
        m = make(n->work, 0);
        add(m, first[i])->place = PLACE_FIRST;
        add(m, "epsilon");
        put(&l, m);
    }
    for (size_t i = 0; i < rule_count; i++) {
        double defaults[MAX_RULE_PARAMETERS] = {0.0};
        const rule_def *d = rule_table[i];
        if (d->kind == RULE_GRADIENT || (d->kind == RULE_TERMS && !d->terms(defaults).of_pixels)) {
            put(&l, everywhere(n->work, d->name));
        }
    }
    m = make(n->work, 0); /* gamma below a rule that does not end with the factor x: no ReLU's zeros are in its relevance */
    add(m, "flat")->group = GROUP_HIGH;
    add(m, "gamma");
    put(&l, m);
    for (int i = 0; i < 3; i++) {
        m = make(n->work, 0);
        set(add(m, "gamma"), "gamma", 0.1 * (double)(i + 1));
        put(&l, m);
        m = make(n->work, 0);
        composite_entry *e = add(m, "alpha-beta");
        set(e, "alpha", 1.5 + (double)i);
        e->group = GROUP_LOW;
        set(add(m, "epsilon"), "epsilon", 0.01 * (double)(i + 1));
        put(&l, m);
        m = make(n->work, i); /* the stabiliser and the softmax of layers with a rule of their own */
        m->c.epsilon = 1e-3;
        add(m, "z-plus");
        put(&l, m);
        m = make(n->work, i);
        m->c.proj_bias = true;
        add(m, i == 0 ? "z-plus" : i == 1 ? "gamma" : "alpha-beta");
        put(&l, m);
        m = make(n->work, 0); /* in the middle of blocks, with shortcuts around */
        add(m, i == 0 ? "z-plus" : i == 1 ? "alpha-beta" : "gradient")->name_pattern = i == 2 ? "*conv1" : "*layer*.1.conv2";
        add(m, "epsilon");
        put(&l, m);
        m = make(n->work, 0);
        composite_entry *own = add(m, i == 0 ? "pass" : "gradient");
        own->type = i == 2 ? "add" : "relu";
        add(m, "epsilon");
        put(&l, m);
    }
    return l;
}

static void put_presets(const network *n, list *l)
{
    for (size_t i = 0; i < preset_count; i++) {
        double parameters[MAX_PRESET_PARAMETERS] = {0.0};
        const composite *c;
        const composite settings = {.epsilon = 1e-6, .pixels = {3, mean, deviation}};
        for (size_t k = 0; k < preset_table[i].n_fields; k++) {
            parameters[k] = preset_table[i].fields[k].def;
        }
        assert_ok(preset_build(n->work, &preset_table[i], parameters, "test", &c));
        assert_ok(composite_complete(n->work, c, &settings, &c));
        l->of[l->n++] = c;
    }
}

static void a_spread_of_rules_is_as_one_by_one(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        network_open(networks[k], &n);
        list l = a_spread(&n);
        put_presets(&n, &l);
        assert_as_alone(&n, &l, "spread");
        network_close(&n);
    }
}

/* A network whose last block has lost the token rows that nobody needs, as the study runs it. */
static void without_needless_rows_too(void **state)
{
    (void)state;
    network n;
    network_open("vit_tiny.h5", &n);
    assert_ok(graph_needed_rows(n.a, n.g, &n.g));
    const list l = grid(n.work, SOFTMAX_RULES, 37);
    assert_as_alone(&n, &l, "needed rows");
    network_close(&n);
}

/* Term by term as well: denominators of several groups, kept. */
static void without_rewrites_too(void **state)
{
    (void)state;
    static const unsigned without[] = {REWRITE_SIGNS, REWRITE_NONNEGATIVE, REWRITE_GATED};
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        network_open(networks[k], &n);
        const list l = grid(n.work, 1, 23);
        for (size_t o = 0; o < COUNT(without); o++) {
            tree *t = build(&n, &l, &(tree_options){.sums_bytes = TREE_SUMS_ALL, .without = without[o]});
            const result r = run_from(&n, t, n.images, n.target, &one);
            for (size_t i = 0; i < l.n; i++) {
                assert_same(&n, &r, i, alone(&n, l.of[i], &one, without[o]), "without a rewrite");
            }
        }
        network_close(&n);
    }
}

static void starts_are_the_walks(void **state)
{
    (void)state;
    const walk_start starts[] = {{.value = START_LOGIT}, {.value = START_ONE, .prediction = true}};
    network n;
    network_open("resnet_basic_tiny.h5", &n);
    const list l = grid(n.work, 1, 85);
    for (size_t s = 0; s < COUNT(starts); s++) {
        const result r = run_from(&n, build(&n, &l, &all_sums), n.images, n.target, &starts[s]);
        for (size_t i = 0; i < l.n; i++) {
            assert_same(&n, &r, i, alone(&n, l.of[i], &starts[s], 0), "start");
        }
    }
    network_close(&n);
}

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
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        size_t nodes[8], values = 0;
        network_open(networks[k], &n);
        const list l = grid(n.work, 1, 1);
        const tree *t = build(&n, &l, &all_sums);
        count_depths(t, COUNT(nodes), nodes);
        /* In the small VGGs the lowest group is the first convolution alone, which hands nothing on. */
        const size_t depths = strncmp(n.name, "vgg", 3) == 0 ? GROUPS - 1 : GROUPS;
        for (size_t d = 0, expected = RULES; d < depths; d++, expected *= RULES) {
            assert_int_equal(nodes[d], expected);
        }
        assert_int_equal(tree_nodes(t), depths == GROUPS ? 4 + 16 + 64 + 256 : 4 + 16 + 64);
        for (size_t i = 0; i < tree_nodes(t); i++) {
            assert_int_equal(tree_node_at(t, i)->first_value, values);
            values += tree_node_at(t, i)->n_values;
        }
        assert_int_equal(values, tree_values(t));
        assert_true(values < 256 * n.g->n_components);
        network_close(&n);
    }
}

static const double *layer_values(const result *r, size_t k, size_t layer, size_t row)
{
    const tree_node *n = tree_node_at(r->t, k);
    return r->values + row * tree_values(r->t) + n->first_value + n->layers[layer].at;
}

/* Whether nodes k and m show the same numbers of a layer, in all samples and moments. */
static bool show_the_same(const network *n, const result *r, size_t k, size_t in_k, size_t m, size_t in_m)
{
    const node *layer = &n->g->nodes[tree_node_at(r->t, k)->layers[in_k].id];
    bool same = true;
    for (size_t row = 0; same && row < BATCH * WALK_MOMENTS; row++) {
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
        const list l = grid(n.work, 1, 1);
        tree *t = build(&n, &l, &all_sums);
        const result r = run_from(&n, t, n.images, n.target, &one);
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
    list l = empty_list(n.work, SOFTMAX_RULES);
    for (int s = 0; s < SOFTMAX_RULES; s++) {
        made *m = make(n.work, s);
        add(m, "epsilon");
        put(&l, m);
    }
    const tree *t = build(&n, &l, &all_sums);
    count_depths(t, COUNT(nodes), nodes);
    assert_int_equal(nodes[0], 1);
    assert_int_equal(nodes[1], SOFTMAX_RULES);
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
    list l = empty_list(n.work, 3);
    put(&l, everywhere(n.work, "gamma"));
    const tree *t = build(&n, &l, &all_sums);
    assert_int_equal(tree_nodes(t), 1);
    assert_int_equal(tree_values(t), n.g->n_components);
    const tree_cost c = tree_costs(t);
    assert_true(tree_cost_total(&c) == c.apart);
    assert_as_alone(&n, &l, "single");
    put(&l, everywhere(n.work, "gamma")); /* and twice the same */
    l.of[l.n++] = l.of[0];
    t = build(&n, &l, &all_sums);
    assert_int_equal(tree_nodes(t), 1);
    assert_int_equal(tree_leaf(t, 0), tree_leaf(t, 1));
    assert_int_equal(tree_leaf(t, 0), tree_leaf(t, 2));
    assert_as_alone(&n, &l, "the same three times");
    network_close(&n);
}

/* No component sees the rule of the layer that reads the image. The rule of the last layer is seen by all. */
static void first_and_last_layer(void **state)
{
    (void)state;
    network n;
    network_open("vgg_bn_tiny.h5", &n);
    for (int last = 0; last < 2; last++) {
        list l = empty_list(n.work, RULES);
        for (size_t i = 0; i < RULES; i++) {
            made *m = make(n.work, 0);
            add(m, grid_rules[i])->place = last ? PLACE_LAST : PLACE_FIRST;
            add(m, "z-plus");
            put(&l, m);
        }
        const tree *t = build(&n, &l, &all_sums);
        assert_int_equal(tree_nodes(t), last ? RULES : 1);
        assert_int_equal(tree_values(t), (last ? RULES : 1) * n.g->n_components);
        assert_as_alone(&n, &l, last ? "last layer" : "first layer");
    }
    network_close(&n);
}

/* What is not kept is computed again: the same bits for more work. */
static void less_memory_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        network_open(networks[k], &n);
        const list l = grid(n.work, 1, 5);
        tree *t = build(&n, &l, &all_sums);
        const result whole = run_from(&n, t, n.images, n.target, &one);
        const size_t most = tree_bytes(t);
        uint64_t before = tree_costs(t).sums;
        assert_true(tree_sums_bytes(t) > (size_t)64 << 10);
        const size_t budgets[] = {(size_t)64 << 10, (size_t)16 << 10, 0};
        for (size_t i = 0; i < COUNT(budgets); i++) {
            tree *less = build(&n, &l, &(tree_options){.sums_bytes = budgets[i]});
            const result r = run_from(&n, less, n.images, n.target, &one);
            assert_memory_equal(r.values, whole.values, BATCH * WALK_MOMENTS * tree_values(t) * sizeof *r.values);
            assert_true(tree_costs(less).sums >= before && tree_costs(less).back == tree_costs(t).back);
            before = tree_costs(less).sums;
            assert_true(tree_bytes(less) <= most + ((size_t)64 << 10));
            assert_true(tree_sums_bytes(less) <= budgets[i]);
        }
        assert_true(before > tree_costs(t).sums);
        network_close(&n);
    }
}

/* A micro-batch that is not full is padded with whatever there is: no other sample's rows change, in no slot. */
static void slots_and_padding_do_not_matter(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        size_t target[BATCH];
        network_open(networks[k], &n);
        const size_t each = shape_count(n.g->input);
        const list l = grid(n.work, 1, 7);
        tree *t = build(&n, &l, &all_sums);
        const size_t row = WALK_MOMENTS * tree_values(t);
        const result whole = run_from(&n, t, n.images, n.target, &one);
        float *images = arena_alloc(n.work, BATCH * each, sizeof *images);
        assert_non_null(images);
        for (size_t shift = 1; shift < BATCH; shift += 2) {
            for (size_t b = 0; b < BATCH; b++) { /* the last slots: all the same sample */
                const size_t from = b + shift < BATCH ? b + shift : BATCH - 1;
                memcpy(images + b * each, n.images + from * each, each * sizeof *images);
                target[b] = n.target[from];
            }
            const result r = run_from(&n, t, images, target, &one);
            for (size_t b = 0; b < BATCH; b++) {
                const size_t from = b + shift < BATCH ? b + shift : BATCH - 1;
                assert_memory_equal(r.values + b * row, whole.values + from * row, row * sizeof *r.values);
            }
        }
        network_close(&n);
    }
}

/* Twice with the same tree, and another micro-batch between: nothing of a run is left. */
static void runs_leave_nothing(void **state)
{
    (void)state;
    network n;
    network_open("resnet_basic_tiny.h5", &n);
    const list l = grid(n.work, 1, 9);
    tree *t = build(&n, &l, &all_sums);
    const size_t count = BATCH * WALK_MOMENTS * tree_values(t);
    float *other = arena_alloc(n.work, BATCH * shape_count(n.g->input), sizeof *other);
    assert_non_null(other);
    const result before = run_from(&n, t, n.images, n.target, &one);
    const result zeros = run_from(&n, t, other, n.target, &one);
    const result after = run_from(&n, t, n.images, n.target, &one);
    assert_memory_equal(before.values, after.values, count * sizeof *after.values);
    assert_memory_not_equal(before.values, zeros.values, count * sizeof *after.values);
    network_close(&n);
}

/* The memory that is stated before a tree is built is what it takes, besides bookkeeping of the kernels. */
static void a_tree_takes_what_it_needs(void **state)
{
    (void)state;
    enum { BOOKKEEPING = 1 << 20 };
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        size_t needed = 0;
        network_open(networks[k], &n);
        const list l = grid(n.work, 1, 3);
        assert_ok(tree_needs(n.g, l.n, l.of, test_backend(), BATCH, &all_sums, &needed));
        const size_t before = arena_bytes(n.work);
        const tree *t = build(&n, &l, &all_sums);
        const size_t taken = arena_bytes(n.work) - before;
        assert_int_equal(tree_bytes(t), needed);
        if (!(needed <= taken && taken <= needed + BOOKKEEPING)) {
            fail_msg("%s: needs %zu bytes, takes %zu", n.name, needed, taken);
        }
        network_close(&n);
    }
}

/* The node's weights: those of the rules are wanted once for each layer, and the plan counts them. */
static void weights_lie_where_they_are_wanted(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        tree *t;
        size_t bytes;
        network_open(networks[k], &n);
        const list l = grid(n.work, 1, 11);
        weight_list wanted = weights_open(n.work), counted = weights_open(n.work);
        assert_ok(tree_needs(n.g, l.n, l.of, test_backend(), BATCH, &(tree_options){TREE_SUMS_ALL, 0, &counted}, &bytes));
        assert_ok(tree_build(n.work, n.g, l.n, l.of, test_backend(), BATCH, &(tree_options){TREE_SUMS_ALL, 0, &wanted}, &t));
        assert_int_equal(counted.floats, wanted.floats);
        assert_int_equal(tree_bytes(t), bytes);
        float *block = arena_alloc(n.work, wanted.floats, sizeof *block);
        assert_non_null(block);
        assert_ok(weights_make(&wanted, block, 0, 1));
        weights_use(&wanted, block);
        const result there = run_from(&n, t, n.images, n.target, &one);
        const result here = run_from(&n, build(&n, &l, &all_sums), n.images, n.target, &one);
        assert_memory_equal(here.values, there.values, BATCH * WALK_MOMENTS * tree_values(t) * sizeof *here.values);
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
    const list l = grid(n.work, 1, 1);
    const tree_cost c = tree_costs(build(&n, &l, &all_sums));
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
    const rule_layer l = {.n = &n.g->nodes[id], .backend = test_backend(), .shape = &conv, .batch = BATCH, .pool = product_pool_of(pool, id)};
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
    size_t bytes;
    network_open("vgg_tiny.h5", &n);
    list l = empty_list(n.work, 2);
    put(&l, everywhere(n.work, "epsilon"));
    made *m = make(n.work, 0);
    m->c.name = "half";
    add(m, "z-plus")->group = GROUP_FC;
    put(&l, m);
    assert_fails(tree_build(n.work, n.g, l.n, l.of, test_backend(), BATCH, &all_sums, &t), ST_CONFIG, "half", "no rule for layer", NULL);
    assert_fails(tree_needs(n.g, l.n, l.of, test_backend(), BATCH, &all_sums, &bytes), ST_CONFIG, "half", "no rule for layer", NULL);
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grid_is_as_one_by_one),
        cmocka_unit_test(a_spread_of_rules_is_as_one_by_one),
        cmocka_unit_test(without_needless_rows_too),
        cmocka_unit_test(without_rewrites_too),
        cmocka_unit_test(starts_are_the_walks),
        cmocka_unit_test(the_grid_shares_what_it_can),
        cmocka_unit_test(nothing_is_shown_twice),
        cmocka_unit_test(softmax_rules_branch_at_the_last_attention),
        cmocka_unit_test(a_single_composite_is_one_node),
        cmocka_unit_test(first_and_last_layer),
        cmocka_unit_test(less_memory_gives_the_same_bits),
        cmocka_unit_test(slots_and_padding_do_not_matter),
        cmocka_unit_test(runs_leave_nothing),
        cmocka_unit_test(a_tree_takes_what_it_needs),
        cmocka_unit_test(weights_lie_where_they_are_wanted),
        cmocka_unit_test(the_cost_is_what_is_computed),
        cmocka_unit_test(products_are_shared_by_their_pass),
        cmocka_unit_test(a_composite_without_a_rule_is_told),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
