/* Each rewrite of a walk's plan left out and made: the same numbers, with less work. On the golden networks, for every rule of the list. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "attribution/preset.h"
#include "attribution/walk.h"
#include "nn/arch.h"

enum { BATCH = 6 };

/* What two orders of float32 sums may differ by, relative to a layer's largest score: as for golden relevance. */
static const double tolerance = 2e-5;

static const char *const networks[] = {"vgg_bn_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5",
                                       "vit_tiny.h5"};

typedef struct network {
    arena *a;
    golden *file;
    const char *name;
    const graph *g;
    const float *images;
    size_t target[BATCH];
} network;

static void open_network(const char *name, network *n)
{
    *n = (network){.name = name};
    assert_ok(arena_open("walk test", &n->a));
    n->file = golden_open(name);
    assert_ok(graph_build(n->a, golden_tensors(n->file), &n->g));
    n->images = golden_read(n->file, "inputs").f32;
    const golden_array target = golden_read(n->file, "targets");
    for (size_t b = 0; b < BATCH; b++) {
        n->target[b] = (size_t)target.integer[b];
    }
}

static void close_network(network *n)
{
    golden_close(&n->file);
    arena_close(&n->a);
}

typedef struct made {
    composite c;
    composite_entry everywhere;
} made;

static void make(const rule_def *rule, made *m)
{
    m->everywhere = (composite_entry){.rule = rule};
    for (size_t i = 0; i < rule->n_fields; i++) {
        m->everywhere.parameters[i] = rule->fields[i].def;
    }
    m->c = (composite){.n = 1, .entries = &m->everywhere, .epsilon = 1e-6};
    static const float mean[] = {0.5f, 0.5f, 0.5f}, std[] = {0.25f, 0.25f, 0.25f};
    m->c.pixels = (rule_pixels){.n_channels = 3, .mean = mean, .std = std};
}

/* Rules with bounds in pixels are for the first layer. */
static bool is_everywhere(const rule_def *rule)
{
    double parameters[MAX_RULE_PARAMETERS] = {0.0};
    return rule->kind == RULE_TERMS && !rule->terms(parameters).of_pixels;
}

static float *run(const network *n, const composite *c, const walk_options *o, size_t *products)
{
    const size_t count = BATCH * WALK_MOMENTS * n->g->n_components;
    float *rows = arena_alloc(n->a, count, sizeof *rows);
    walk *w;
    assert_non_null(rows);
    memset(rows, 0xff, count * sizeof *rows);
    assert_ok(walk_build_with(n->a, n->g, c, test_backend(), BATCH, o, &w));
    walk_run(w, n->images, n->target, rows);
    *products = 0;
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        *products += walk_products(w, id);
    }
    return rows;
}

/* Per layer, relative to its largest score. */
static void compare(const network *n, const char *what, const rule_def *rule, const float *got, const float *expected)
{
    for (size_t l = 0; l < n->g->n_layers; l++) {
        const node *layer = &n->g->nodes[n->g->layers[l]];
        double worst = 0.0, most = 0.0;
        for (size_t i = 0; i < BATCH * WALK_MOMENTS * layer->n_components; i++) {
            const size_t at =
                i / layer->n_components * n->g->n_components + layer->first_component + i % layer->n_components;
            const double off = fabs((double)got[at] - (double)expected[at]);
            worst = worst_of(worst, off);
            most = fmax(most, fabs((double)expected[at]));
        }
        if (!(worst <= tolerance * most)) {
            fail_msg("%s, %s, layer '%s', %s: off by %.3g of the largest score", n->name, rule->name, layer->name, what,
                     worst / most);
        }
    }
}

static void check_rewrites(const network *n, const rule_def *rule)
{
    static const struct {
        unsigned without;
        const char *what;
    } rewrites[] = {
        {REWRITE_SIGNS, "term by term"},
        {REWRITE_NONNEGATIVE, "inputs of any sign"},
        {REWRITE_GATED, "outputs of any sign"},
        {REWRITE_SIGNS | REWRITE_NONNEGATIVE | REWRITE_GATED, "no rewrite"},
    };
    made m;
    size_t least, more;
    make(rule, &m);
    const float *expected = run(n, &m.c, &(walk_options){0}, &least);
    for (size_t i = 0; i < COUNT(rewrites); i++) {
        const float *rows = run(n, &m.c, &(walk_options){.without = rewrites[i].without}, &more);
        assert_true(more >= least);
        compare(n, rewrites[i].what, rule, rows, expected);
    }
}

static void rewrites_change_no_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        for (size_t k = 0; k < rule_count; k++) {
            network n;
            if (is_everywhere(rule_table[k])) {
                open_network(networks[i], &n);
                check_rewrites(&n, rule_table[k]);
                close_network(&n);
            }
        }
    }
}

static size_t products_without(const network *n, const char *rule, unsigned without)
{
    made m;
    size_t products;
    make(rule_find(rule), &m);
    (void)run(n, &m.c, &(walk_options){.without = without}, &products);
    return products;
}

/* The memory that is stated before a walk is built is what it takes, beside the arrays: steps, blocks, tables of the packing. */
static void a_walk_takes_what_it_needs(void **state)
{
    (void)state;
    enum { BOOKKEEPING = 256 << 10 };
    for (size_t i = 0; i < COUNT(networks); i++) {
        for (size_t k = 0; k < rule_count; k++) {
            network n;
            made m;
            walk *w;
            size_t needed = 0;
            if (!is_everywhere(rule_table[k])) {
                continue;
            }
            open_network(networks[i], &n);
            make(rule_table[k], &m);
            m.c.proj_bias = true;
            assert_ok(walk_needs(n.g, &m.c, test_backend(), BATCH, &needed));
            const size_t before = arena_bytes(n.a);
            assert_ok(walk_build(n.a, n.g, &m.c, test_backend(), BATCH, &w));
            const size_t taken = arena_bytes(n.a) - before;
            assert_int_equal(walk_bytes(w), needed);
            if (!(needed <= taken && taken <= needed + BOOKKEEPING)) {
                fail_msg("%s, %s: needs %zu bytes, takes %zu", n.name, rule_table[k]->name, needed, taken);
            }
            close_network(&n);
        }
    }
}

/* VGG: three convolutions and three linear layers with inputs >= 0 hand relevance on; all but the last are followed by a ReLU. */
static void each_rewrite_saves_work(void **state)
{
    (void)state;
    network n;
    open_network("vgg_bn_tiny.h5", &n);
    assert_int_equal(products_without(&n, "epsilon", 0), 6);
    assert_int_equal(products_without(&n, "z-plus", 0), 6 * 2);
    assert_int_equal(products_without(&n, "z-plus", REWRITE_NONNEGATIVE), 6 * 3);
    assert_int_equal(products_without(&n, "z-plus", REWRITE_SIGNS), 6 * 4);
    assert_int_equal(products_without(&n, "alpha-beta", 0), 6 * 3);
    assert_int_equal(products_without(&n, "alpha-beta", REWRITE_NONNEGATIVE), 6 * 3);
    assert_int_equal(products_without(&n, "alpha-beta", REWRITE_SIGNS), 6 * 8);
    assert_int_equal(products_without(&n, "gamma", 0), 5 * 2 + 3);
    assert_int_equal(products_without(&n, "gamma", REWRITE_GATED), 6 * 3);
    assert_int_equal(products_without(&n, "gamma", REWRITE_SIGNS), 6 * 8);
    close_network(&n);
}

/* The flat rule's products are sums over windows, and no product of weights. */
static bool multiplies_weights(const composite_entry *e)
{
    bool found = e->rule->kind != RULE_TERMS;
    const rule_terms t = found ? (rule_terms){0} : e->rule->terms(e->parameters);
    for (size_t g = 0; g < t.n_groups; g++) {
        for (size_t k = 0; k < t.group[g].n_terms; k++) {
            const rule_map *w = &t.group[g].term[k].weights;
            found = found || w->all != 0.0 || w->positive != 0.0 || w->negative != 0.0 || w->square != 0.0;
        }
    }
    return found;
}

static bool first_multiplies_weights(const network *n, const composite *c)
{
    const composite_entry *const *given;
    node_id id = 1;
    assert_ok(composite_resolve(n->a, c, n->g, &given));
    while (!composite_takes_rule(&n->g->nodes[id])) {
        id++;
        assert_true(id < n->g->n_nodes);
    }
    return multiplies_weights(given[id]);
}

/* Below the lowest component nothing is computed; what is above has the same bits. */
static void check_image(const network *n, const char *what, const composite *c)
{
    size_t part, whole;
    const float *expected = run(n, c, &(walk_options){0}, &part);
    const float *rows = run(n, c, &(walk_options){.to_input = true}, &whole);
    if (memcmp(rows, expected, BATCH * WALK_MOMENTS * n->g->n_components * sizeof *rows) != 0) {
        fail_msg("%s, %s: a walk to the image has other bits", n->name, what);
    }
    if (!(whole > part) && first_multiplies_weights(n, c)) {
        fail_msg("%s, %s: a walk to the image takes no more products (%zu) than one to the lowest component (%zu)", n->name,
                 what, whole, part);
    }
}

/* Of every rule in all layers where it can be, and in the first one alone; the latter of rules that can be in all of them on one network each. */
static void the_image_changes_no_bit_above(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        for (size_t k = 0; k < rule_count; k++) {
            network n;
            made m, rest;
            if (rule_table[k]->kind != RULE_TERMS && rule_table[k]->kind != RULE_GRADIENT) {
                continue;
            }
            open_network(networks[i], &n);
            make(rule_table[k], &m);
            make(rule_find("epsilon"), &rest);
            composite_entry entries[] = {m.everywhere, rest.everywhere};
            entries[0].place = PLACE_FIRST;
            composite first = m.c;
            first.n = COUNT(entries);
            first.entries = entries;
            if (k % COUNT(networks) == i || !is_everywhere(rule_table[k])) {
                check_image(&n, arena_text(n.a, "%s in the first layer", rule_table[k]->name), &first);
            }
            if (is_everywhere(rule_table[k]) || rule_table[k]->kind == RULE_GRADIENT) {
                check_image(&n, rule_table[k]->name, &m.c);
            }
            close_network(&n);
        }
    }
}

/* Of every named composite with its defaults, completed as a criterion's settings do it, with each of the softmax rules by turns, on one
 * convolutional network each and on the transformer. */
static void the_image_changes_no_bit_above_composites(void **state)
{
    (void)state;
    int softmax = 0;
    for (size_t i = 0; i < COUNT(networks); i++) {
        for (size_t k = 0; k < preset_count; k++) {
            network n;
            made settings;
            const composite *stated, *c;
            double parameters[MAX_PRESET_PARAMETERS];
            if (k % (COUNT(networks) - 1) != i && i != COUNT(networks) - 1) {
                continue;
            }
            open_network(networks[i], &n);
            for (size_t f = 0; f < preset_table[k].n_fields; f++) {
                parameters[f] = preset_table[k].fields[f].def;
            }
            make(rule_find("epsilon"), &settings);
            settings.c.softmax_rule = softmax;
            softmax = softmax_rule_names[softmax + 1] == NULL ? 0 : softmax + 1;
            assert_ok(preset_build(n.a, &preset_table[k], parameters, "test", &stated));
            assert_ok(composite_complete(n.a, stated, &settings.c, &c));
            check_image(&n, preset_table[k].name, c);
            close_network(&n);
        }
    }
}

/* Does the projection bias quirk change a bit with this rule in this layer and epsilon in all others? */
static bool quirk_shows(const network *n, const rule_def *rule, const char *layer)
{
    const size_t bytes = BATCH * WALK_MOMENTS * n->g->n_components * sizeof(float);
    size_t products;
    made one, others;
    make(rule, &one);
    make(rule_find("epsilon"), &others);
    one.everywhere.name_pattern = layer;
    const composite_entry entries[] = {one.everywhere, others.everywhere};
    composite c = others.c;
    c.n = COUNT(entries);
    c.entries = entries;
    const float *plain = run(n, &c, &(walk_options){0}, &products);
    c.proj_bias = true;
    return memcmp(plain, run(n, &c, &(walk_options){0}, &products), bytes) != 0;
}

static bool treats_negative_inputs(const rule_def *rule)
{
    const double none[MAX_RULE_PARAMETERS] = {0.0};
    const rule_terms t = rule->terms(none);
    bool found = false;
    for (size_t i = 0; i < t.group[0].n_terms; i++) {
        found = found || t.group[0].term[i].input == INPUT_NEGATIVE;
    }
    return found;
}

/* It is one of q, k, v and the output projection, and of rules that treat negative inputs on their own. The first block's say nothing: below its attention nothing is wanted. */
static void the_projections_bias_counts_where_it_is_told_to(void **state)
{
    (void)state;
    network n;
    size_t seen = 0;
    open_network("vit_tiny.h5", &n);
    for (node_id id = 0; id < n.g->n_nodes; id++) {
        const node *layer = &n.g->nodes[id];
        const bool inside =
            strstr(layer->name, "encoder_layer_1") != NULL || strstr(layer->name, "encoder_layer_2") != NULL;
        if (inside && layer->op == &op_linear) {
            const bool projection = strstr(layer->name, "self_attention") != NULL;
            assert_true(quirk_shows(&n, rule_find("z-plus"), layer->name) == projection);
            seen += projection;
        }
    }
    assert_int_equal(seen, 2 * 4);
    for (size_t k = 0; k < rule_count; k++) {
        if (is_everywhere(rule_table[k])) {
            assert_true(quirk_shows(&n, rule_table[k], "*self_attention*") == treats_negative_inputs(rule_table[k]));
        }
    }
    close_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewrites_change_no_number),
        cmocka_unit_test(a_walk_takes_what_it_needs),
        cmocka_unit_test(each_rewrite_saves_work),
        cmocka_unit_test(the_image_changes_no_bit_above),
        cmocka_unit_test(the_image_changes_no_bit_above_composites),
        cmocka_unit_test(the_projections_bias_counts_where_it_is_told_to),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
