#include "support/tree_case.h"

#include <math.h>
#include <string.h>

const char *const tree_networks[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};
const size_t tree_network_count = COUNT(tree_networks);

static const float mean[] = {0.5f, 0.4f, 0.5f}, deviation[] = {0.25f, 0.25f, 0.2f};

/* ---- composites ---- */

tree_made *tree_make(arena *a, int softmax_rule)
{
    tree_made *m = arena_alloc(a, 1, sizeof *m);
    assert_non_null(m);
    m->c = (composite){.entries = m->entries, .epsilon = 1e-6, .softmax_rule = softmax_rule, .pixels = {3, mean, deviation}};
    return m;
}

composite_entry *tree_add(tree_made *m, const char *rule)
{
    assert_true(m->c.n < TREE_ENTRIES);
    composite_entry *e = &m->entries[m->c.n++];
    *e = (composite_entry){.rule = rule_find(rule)};
    assert_non_null(e->rule);
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        e->parameters[i] = e->rule->fields[i].def;
    }
    return e;
}

void tree_set(composite_entry *e, const char *parameter, double value)
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

const char *const tree_grid_rules[TREE_RULES] = {"epsilon", "z-plus", "gamma", "alpha-beta"};
static const depth_group grid_groups[TREE_GROUPS] = {GROUP_LOW, GROUP_MID, GROUP_HIGH, GROUP_FC};

tree_list_of tree_empty_list(arena *a, size_t room)
{
    const tree_list_of l = {0, arena_alloc(a, room, sizeof *l.of)};
    assert_non_null(l.of);
    return l;
}

void tree_put(tree_list_of *l, const tree_made *m)
{
    l->of[l->n++] = &m->c;
}

tree_list_of tree_grid(arena *a, int softmax_rules, size_t step)
{
    tree_list_of l = tree_empty_list(a, 256 * TREE_SOFTMAX_RULES);
    for (int softmax = 0; softmax < softmax_rules; softmax++) {
        for (size_t i = 0; i < 256; i += step) {
            tree_made *m = tree_make(a, softmax);
            for (size_t g = 0, digits = i; g < TREE_GROUPS; g++, digits /= TREE_RULES) {
                tree_add(m, tree_grid_rules[digits % TREE_RULES])->group = grid_groups[g];
            }
            tree_add(m, "epsilon"); /* layers outside of the groups */
            tree_put(&l, m);
        }
    }
    return l;
}

tree_made *tree_everywhere(arena *a, const char *rule)
{
    tree_made *m = tree_make(a, 0);
    tree_add(m, rule);
    return m;
}

/* ---- runs ---- */

static void take(void *to, size_t k, const float *rows)
{
    tree_result *r = to;
    const tree_node *n = tree_node_at(r->t, k);
    assert_true(r->calls == 0 || k > r->last);
    r->last = k;
    r->calls++;
    for (size_t i = 0; i < NETWORK_BATCH * WALK_MOMENTS; i++) {
        for (size_t c = 0; c < n->n_values; c++) {
            r->values[i * tree_values(r->t) + n->first_value + c] = (double)rows[i * n->n_values + c];
        }
    }
}

const walk_start tree_start = {.value = START_ONE};

tree_result tree_run_from(const network *n, tree *t, const float *images, const size_t target[], const walk_start *start)
{
    tree_result r = {.t = t, .values = network_doubles(n, NETWORK_BATCH * WALK_MOMENTS * tree_values(t))};
    for (size_t i = 0; i < NETWORK_BATCH * WALK_MOMENTS * tree_values(t); i++) {
        r.values[i] = NAN;
    }
    tree_run(t, images, start, target, &(tree_sink){.to = &r, .take = take});
    return r;
}

tree *tree_made_of(const network *n, const tree_list_of *l, const tree_options *o)
{
    tree *t;
    assert_ok(tree_build(n->work, n->g, l->n, l->of, test_backend(), NETWORK_BATCH, o, &t));
    return t;
}

const tree_options tree_all_sums = {.sums_bytes = TREE_SUMS_ALL};

const float *tree_alone(const network *n, const composite *c, const walk_start *start, unsigned without)
{
    arena *a;
    walk *w;
    float *rows = arena_alloc(n->work, NETWORK_BATCH * WALK_MOMENTS * n->g->n_components, sizeof *rows);
    assert_non_null(rows);
    assert_ok(arena_open("one walk", &a));
    assert_ok(walk_build_with(a, n->g, c, test_backend(), NETWORK_BATCH, &(walk_options){.without = without}, &w));
    walk_run_from(w, n->images, start, n->target, WALK_MOMENTS * n->g->n_components, rows);
    arena_close(&a);
    return rows;
}

void assert_tree_same(const network *n, const tree_result *r, size_t i, const float *rows, const char *what)
{
    const size_t components = n->g->n_components;
    double *got = network_doubles(n, components);
    for (size_t k = 0; k < NETWORK_BATCH * WALK_MOMENTS; k++) {
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

void assert_tree_as_alone(const network *n, const tree_list_of *l, const char *what)
{
    const tree_result r = tree_run_from(n, tree_made_of(n, l, &tree_all_sums), n->images, n->target, &tree_start);
    for (size_t i = 0; i < l->n; i++) {
        assert_tree_same(n, &r, i, tree_alone(n, l->of[i], &tree_start, 0), what);
    }
}

bool network_is_vit(const network *n)
{
    return strcmp(n->name, "vit_tiny.h5") == 0;
}
