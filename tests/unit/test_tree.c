/* A tree of composites gives what the composites' own walks give, bit for bit. */
#include "support/tree_case.h"

#include <string.h>

#include "attribution/preset.h"
#include "nn/passes/needed_rows.h"

/* All of it where that is quick, else every so many: no step is a multiple of 2, so that every rule meets every other in each group. */
static void the_grid_is_as_one_by_one(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 3, 1, 3, 7};
    assert_int_equal(COUNT(steps), tree_network_count);
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        network_open(tree_networks[k], &n);
        const tree_list_of l = tree_grid(n.work, network_is_vit(&n) ? TREE_SOFTMAX_RULES : 1, steps[k]);
        assert_tree_as_alone(&n, &l, "grid");
        network_close(&n);
    }
}

/* Rules with parameters of their own, at single layers, for the whole network, of layers with a rule of their own. */
static tree_list_of a_spread(const network *n)
{
    static const char *const first[] = {"z-box", "flat", "w-square", "gradient"};
    tree_list_of l = tree_empty_list(n->work, 64);
    tree_made *m;
    for (size_t i = 0; i < COUNT(first); i++) {
        m = tree_make(n->work, 0);
        tree_add(m, first[i])->place = PLACE_FIRST;
        tree_add(m, "epsilon");
        tree_put(&l, m);
    }
    for (size_t i = 0; i < rule_count; i++) {
        double defaults[MAX_RULE_PARAMETERS] = {0.0};
        const rule_def *d = rule_table[i];
        if (d->kind == RULE_GRADIENT || (d->kind == RULE_TERMS && !d->terms(defaults).of_pixels)) {
            tree_put(&l, tree_everywhere(n->work, d->name));
        }
    }
    m = tree_make(n->work, 0); /* gamma below a rule that does not end with the factor x: no ReLU's zeros are in its relevance */
    tree_add(m, "flat")->group = GROUP_HIGH;
    tree_add(m, "gamma");
    tree_put(&l, m);
    for (int i = 0; i < 3; i++) {
        m = tree_make(n->work, 0);
        tree_set(tree_add(m, "gamma"), "gamma", 0.1 * (double)(i + 1));
        tree_put(&l, m);
        m = tree_make(n->work, 0);
        composite_entry *e = tree_add(m, "alpha-beta");
        tree_set(e, "alpha", 1.5 + (double)i);
        e->group = GROUP_LOW;
        tree_set(tree_add(m, "epsilon"), "epsilon", 0.01 * (double)(i + 1));
        tree_put(&l, m);
        m = tree_make(n->work, i); /* the stabiliser and the softmax of layers with a rule of their own */
        m->c.epsilon = 1e-3;
        tree_add(m, "z-plus");
        tree_put(&l, m);
        m = tree_make(n->work, i);
        m->c.proj_bias = true;
        tree_add(m, i == 0 ? "z-plus" : i == 1 ? "gamma" : "alpha-beta");
        tree_put(&l, m);
        m = tree_make(n->work, 0); /* in the middle of blocks, with shortcuts around */
        tree_add(m, i == 0 ? "z-plus" : i == 1 ? "alpha-beta" : "gradient")->name_pattern = i == 2 ? "*conv1" : "*layer*.1.conv2";
        tree_add(m, "epsilon");
        tree_put(&l, m);
        m = tree_make(n->work, 0);
        composite_entry *own = tree_add(m, i == 0 ? "pass" : "gradient");
        own->type = i == 2 ? "add" : "relu";
        tree_add(m, "epsilon");
        tree_put(&l, m);
    }
    return l;
}

static void put_presets(const network *n, tree_list_of *l)
{
    for (size_t i = 0; i < preset_count; i++) {
        double parameters[MAX_PRESET_PARAMETERS] = {0.0};
        const composite *c;
        const composite settings = {.epsilon = 1e-6, .pixels = tree_make(n->work, 0)->c.pixels};
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
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        network_open(tree_networks[k], &n);
        tree_list_of l = a_spread(&n);
        put_presets(&n, &l);
        assert_tree_as_alone(&n, &l, "spread");
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
    const tree_list_of l = tree_grid(n.work, TREE_SOFTMAX_RULES, 37);
    assert_tree_as_alone(&n, &l, "needed rows");
    network_close(&n);
}

/* Term by term as well: denominators of several groups, kept. */
static void without_rewrites_too(void **state)
{
    (void)state;
    static const unsigned without[] = {REWRITE_SIGNS, REWRITE_NONNEGATIVE, REWRITE_GATED};
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        network_open(tree_networks[k], &n);
        const tree_list_of l = tree_grid(n.work, 1, 23);
        for (size_t o = 0; o < COUNT(without); o++) {
            tree *t = tree_made_of(&n, &l, &(tree_options){.sums_bytes = TREE_SUMS_ALL, .without = without[o]});
            const tree_result r = tree_run_from(&n, t, n.images, n.target, &tree_start);
            for (size_t i = 0; i < l.n; i++) {
                assert_tree_same(&n, &r, i, tree_alone(&n, l.of[i], &tree_start, without[o]), "without a rewrite");
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
    const tree_list_of l = tree_grid(n.work, 1, 85);
    for (size_t s = 0; s < COUNT(starts); s++) {
        const tree_result r = tree_run_from(&n, tree_made_of(&n, &l, &tree_all_sums), n.images, n.target, &starts[s]);
        for (size_t i = 0; i < l.n; i++) {
            assert_tree_same(&n, &r, i, tree_alone(&n, l.of[i], &starts[s], 0), "start");
        }
    }
    network_close(&n);
}

/* What is not kept is computed again: the same bits for more work. */
static void less_memory_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        network_open(tree_networks[k], &n);
        const tree_list_of l = tree_grid(n.work, 1, 5);
        tree *t = tree_made_of(&n, &l, &tree_all_sums);
        const tree_result whole = tree_run_from(&n, t, n.images, n.target, &tree_start);
        const size_t most = tree_bytes(t);
        uint64_t before = tree_costs(t).sums;
        assert_true(tree_sums_bytes(t) > (size_t)64 << 10);
        const size_t budgets[] = {(size_t)64 << 10, (size_t)16 << 10, 0};
        for (size_t i = 0; i < COUNT(budgets); i++) {
            tree *less = tree_made_of(&n, &l, &(tree_options){.sums_bytes = budgets[i]});
            const tree_result r = tree_run_from(&n, less, n.images, n.target, &tree_start);
            assert_memory_equal(r.values, whole.values, NETWORK_BATCH * WALK_MOMENTS * tree_values(t) * sizeof *r.values);
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
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        size_t target[NETWORK_BATCH];
        network_open(tree_networks[k], &n);
        const size_t each = shape_count(n.g->input);
        const tree_list_of l = tree_grid(n.work, 1, 7);
        tree *t = tree_made_of(&n, &l, &tree_all_sums);
        const size_t row = WALK_MOMENTS * tree_values(t);
        const tree_result whole = tree_run_from(&n, t, n.images, n.target, &tree_start);
        float *images = arena_alloc(n.work, NETWORK_BATCH * each, sizeof *images);
        assert_non_null(images);
        for (size_t shift = 1; shift < NETWORK_BATCH; shift += 2) {
            for (size_t b = 0; b < NETWORK_BATCH; b++) { /* the last slots: all the same sample */
                const size_t from = b + shift < NETWORK_BATCH ? b + shift : NETWORK_BATCH - 1;
                memcpy(images + b * each, n.images + from * each, each * sizeof *images);
                target[b] = n.target[from];
            }
            const tree_result r = tree_run_from(&n, t, images, target, &tree_start);
            for (size_t b = 0; b < NETWORK_BATCH; b++) {
                const size_t from = b + shift < NETWORK_BATCH ? b + shift : NETWORK_BATCH - 1;
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
    const tree_list_of l = tree_grid(n.work, 1, 9);
    tree *t = tree_made_of(&n, &l, &tree_all_sums);
    const size_t count = NETWORK_BATCH * WALK_MOMENTS * tree_values(t);
    float *other = arena_alloc(n.work, NETWORK_BATCH * shape_count(n.g->input), sizeof *other);
    assert_non_null(other);
    const tree_result before = tree_run_from(&n, t, n.images, n.target, &tree_start);
    const tree_result zeros = tree_run_from(&n, t, other, n.target, &tree_start);
    const tree_result after = tree_run_from(&n, t, n.images, n.target, &tree_start);
    assert_memory_equal(before.values, after.values, count * sizeof *after.values);
    assert_memory_not_equal(before.values, zeros.values, count * sizeof *after.values);
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
        cmocka_unit_test(less_memory_gives_the_same_bits),
        cmocka_unit_test(slots_and_padding_do_not_matter),
        cmocka_unit_test(runs_leave_nothing),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
