/* The graph pass that leaves out token rows: what it leaves out, and that logits and relevance stay what they are. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "core/rng.h"
#include "nn/arch.h"
#include "nn/passes/needed_rows.h"

enum { BATCH = 6 };

typedef struct fixture {
    arena *a;
    golden *file;
    const graph *whole, *narrow;
    const float *images;
    size_t target[BATCH];
} fixture;

static void open_fixture(fixture *f)
{
    *f = (fixture){.file = golden_open("vit_tiny.h5")};
    assert_ok(arena_open("test", &f->a));
    assert_ok(graph_build(f->a, golden_tensors(f->file), &f->whole));
    assert_ok(graph_needed_rows(f->a, f->whole, &f->narrow));
    f->images = golden_read(f->file, "inputs").f32;
    const golden_array target = golden_read(f->file, "targets");
    for (size_t b = 0; b < BATCH; b++) {
        f->target[b] = (size_t)target.integer[b];
    }
}

static void close_fixture(fixture *f)
{
    golden_close(&f->file);
    arena_close(&f->a);
}

static void *zeroed(arena *a, size_t n, size_t size)
{
    void *p = arena_alloc(a, n, size);
    assert_non_null(p);
    return p;
}

static const node *node_named(const graph *g, const char *name, node_id *id)
{
    for (*id = 0; *id < g->n_nodes; (*id)++) {
        if (strcmp(g->nodes[*id].name, name) == 0) {
            return &g->nodes[*id];
        }
    }
    fail_msg("no node '%s'", name);
    return NULL;
}

/* Everything behind the last keys and values, and nothing else. */
static const char *const one_row[] = {
    "encoder.layers.encoder_layer_2.self_attention.q_proj",
    "encoder.layers.encoder_layer_2.self_attention.softmax",
    "encoder.layers.encoder_layer_2.self_attention.out_proj",
    "encoder.layers.encoder_layer_2.add_1",
    "encoder.layers.encoder_layer_2.ln_2",
    "encoder.layers.encoder_layer_2.mlp.0",
    "encoder.layers.encoder_layer_2.mlp.gelu",
    "encoder.layers.encoder_layer_2.mlp.3",
    "encoder.layers.encoder_layer_2.add_2",
    "encoder.ln",
};
static const char *const put_in[] = {"encoder.layers.encoder_layer_2.ln_1.row",
                                     "encoder.layers.encoder_layer_1.add_2.row"};

static bool is_one_of(const char *name, size_t n, const char *const list[])
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void the_last_block_works_on_one_row(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    node_id old = 0;
    size_t inserted = 0;
    for (node_id id = 0; id < f.narrow->n_nodes; id++) {
        const node *n = &f.narrow->nodes[id];
        assert_true(n->inserted == is_one_of(n->name, COUNT(put_in), put_in));
        inserted += n->inserted;
        if (n->inserted) {
            assert_true(n->op == &op_token_row && n->out.rank == 2 && n->out.dim[0] == 1);
            continue;
        }
        const node *o = &f.whole->nodes[old++]; /* in the same order */
        assert_string_equal(n->name, o->name);
        assert_true(n->op == o->op && n->weight == o->weight && n->bias == o->bias && n->group == o->group);
        assert_true(n->components == o->components && n->n_components == o->n_components &&
                    n->first_component == o->first_component && n->out.rank == o->out.rank);
        const bool narrow = is_one_of(n->name, COUNT(one_row), one_row);
        for (size_t i = 0; i < n->out.rank; i++) {
            assert_int_equal(n->out.dim[i], narrow && i == 0 ? 1 : o->out.dim[i]);
        }
    }
    assert_int_equal(old, f.whole->n_nodes);
    assert_int_equal(inserted, COUNT(put_in));
    assert_true(f.narrow->n_layers == f.whole->n_layers && f.narrow->n_components == f.whole->n_components);
    for (size_t k = 0; k < f.whole->n_layers; k++) {
        assert_string_equal(f.narrow->nodes[f.narrow->layers[k]].name, f.whole->nodes[f.whole->layers[k]].name);
    }
    close_fixture(&f);
}

/* By hand: 16 of 17 rows of q, out_proj (48 x 48), mlp.0 and mlp.3 (48 x 96), and of both products of attention (17 keys x 48). */
static void costs_are_those_of_what_is_left(void **state)
{
    (void)state;
    fixture f;
    uint64_t parameters[2], macs[2];
    open_fixture(&f);
    graph_cost(f.whole, &parameters[0], &macs[0], NULL, NULL);
    graph_cost(f.narrow, &parameters[1], &macs[1], NULL, NULL);
    assert_int_equal(parameters[0], parameters[1]);
    assert_int_equal(macs[0] - macs[1], 16 * (2 * 48 * 48 + 2 * 48 * 96 + 2 * 17 * 48));
    assert_true(forward_bytes(f.narrow, test_backend(), BATCH, KEEP_ALL) <
                forward_bytes(f.whole, test_backend(), BATCH, KEEP_ALL));
    close_fixture(&f);
}

static void where_nothing_can_be_left_out_the_graph_stays(void **state)
{
    (void)state;
    static const char *const cnns[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5",
                                       "resnet_bottleneck_tiny.h5"};
    fixture f;
    const graph *again;
    open_fixture(&f);
    assert_ok(graph_needed_rows(f.a, f.narrow, &again));
    assert_ptr_equal(again, f.narrow);
    close_fixture(&f);
    for (size_t i = 0; i < COUNT(cnns); i++) {
        fixture c = {.file = golden_open(cnns[i])};
        assert_ok(arena_open("test", &c.a));
        assert_ok(graph_build(c.a, golden_tensors(c.file), &c.whole));
        assert_ok(graph_needed_rows(c.a, c.whole, &c.narrow));
        assert_ptr_equal(c.narrow, c.whole);
        close_fixture(&c);
    }
}

/* tokens -> gelu -> row, tokens -> norm -> row, and the sum of both. `same`: both rows are of the norm. */
typedef struct small_net {
    graph g;
    node node[8];
} small_net;

enum { TOKENS = 5, FEATURES = 3 };

static void small_network(small_net *t, size_t first_row, size_t second_row, bool same)
{
    static const float weight[TOKENS * FEATURES] = {0.5f, -0.25f, 1.0f, 2.0f, -1.5f, 0.75f, 0.1f};
    static token_row_attr row[2];
    static const layernorm_attr norm = {.eps = 1e-6};
    row[0].row = first_row;
    row[1].row = second_row;
    *t = (small_net){.node = {{.op = &op_input, .name = "input", .out = {3, {FEATURES, 2, 2}}},
                              {.op = &op_tokens,
                               .name = "tokens",
                               .n_in = 1,
                               .in = {0},
                               .weight = weight,
                               .n_weight = FEATURES,
                               .bias = weight,
                               .n_bias = TOKENS * FEATURES},
                              {.op = &op_gelu, .name = "gelu", .n_in = 1, .in = {1}},
                              {.op = &op_layernorm,
                               .name = "norm",
                               .n_in = 1,
                               .in = {1},
                               .attr = &norm,
                               .weight = weight,
                               .n_weight = FEATURES,
                               .bias = weight,
                               .n_bias = FEATURES},
                              {.op = &op_token_row, .name = "first", .n_in = 1, .in = {same ? 3 : 2}, .attr = &row[0]},
                              {.op = &op_token_row, .name = "second", .n_in = 1, .in = {3}, .attr = &row[1]},
                              {.op = &op_add, .name = "sum", .n_in = 2, .in = {4, 5}}}};
    t->g =
        (graph){.architecture = "test", .n_nodes = 7, .nodes = t->node, .input = t->node[0].out, .n_classes = FEATURES};
    for (node_id id = 1; id < t->g.n_nodes; id++) {
        node *n = &t->node[id];
        shape in[MAX_INPUTS] = {{0}};
        for (size_t i = 0; i < n->n_in; i++) {
            in[i] = t->node[n->in[i]].out;
        }
        assert_ok(n->op->infer(n, in, &n->out));
    }
}

static const float *logits_of(arena *a, const graph *g, const float *images, size_t batch, const uint8_t *alive)
{
    forward *run = NULL;
    assert_ok(forward_build(a, g, test_backend(), batch, KEEP_LOGITS, &run));
    forward_run(run, images, alive);
    return forward_logits(run);
}

static void assert_agree(const char *what, size_t n, const float *found, const float *expected, double tolerance)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs((double)found[i] - (double)expected[i]);
        largest = fmax(largest, fabs((double)expected[i]));
        worst = worst_of(worst, off);
    }
    if (!(worst <= tolerance * largest) || largest == 0.0) {
        fail_msg("%s: off by %.3g of %.3g", what, worst, largest);
    }
}

static void check_small(arena *a, const float *images, size_t first_row, size_t second_row, bool same, size_t inserted,
                        size_t norm_rows)
{
    small_net t;
    const graph *narrow;
    node_id id;
    small_network(&t, first_row, second_row, same);
    assert_ok(graph_needed_rows(a, &t.g, &narrow));
    assert_int_equal(narrow->n_nodes, t.g.n_nodes + inserted);
    assert_int_equal(node_named(narrow, "norm", &id)->out.dim[0], norm_rows);
    assert_int_equal(node_named(narrow, "tokens", &id)->out.dim[0], TOKENS);
    assert_agree("logits", 2 * FEATURES, logits_of(a, narrow, images, 2, NULL), logits_of(a, &t.g, images, 2, NULL),
                 1e-6);
}

/* Any row, also of layers directly on the tokens; rows are taken once for all who read them. */
static void any_row_may_be_the_one(void **state)
{
    (void)state;
    float images[2 * FEATURES * 4];
    for (size_t i = 0; i < COUNT(images); i++) {
        images[i] = (float)rng_uniform(1, RNG_TEST, 0, (uint32_t)i) - 0.5f;
    }
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    for (size_t row = 0; row < TOKENS; row++) {
        const size_t other = (row + 1) % TOKENS;
        check_small(a, images, row, row, false, 1, 1);       /* one row of the tokens, for both */
        check_small(a, images, row, other, false, 2, 1);     /* a row each */
        check_small(a, images, row, other, true, 0, TOKENS); /* two rows of one layer: all of it */
    }
    arena_close(&a);
}

static void logits_stay(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    const size_t n = BATCH * f.whole->n_classes;
    uint8_t *alive = zeroed(f.a, f.whole->n_components, 1);
    assert_agree("logits", n, logits_of(f.a, f.narrow, f.images, BATCH, NULL),
                 logits_of(f.a, f.whole, f.images, BATCH, NULL), 1e-6);
    for (size_t i = 0; i < f.whole->n_components; i++) {
        alive[i] = rng_uniform(5, RNG_TEST, 0, (uint32_t)i) < 0.5;
    }
    assert_agree("logits with half of the components", n, logits_of(f.a, f.narrow, f.images, BATCH, alive),
                 logits_of(f.a, f.whole, f.images, BATCH, alive), 1e-6);
    close_fixture(&f);
}

/* One rule for products, the derivative of all layers where `all`; every softmax rule. */
static composite composite_of(composite_entry *e, const rule_def *rule, bool all, int softmax_rule)
{
    *e = (composite_entry){.type = all ? "*" : NULL, .rule = rule};
    for (size_t i = 0; i < rule->n_fields; i++) {
        /* z-box: bounds of whatever the input is, not of pixels */
        e->parameters[i] = strcmp(rule->fields[i].name, "units") == 0 ? 1.0 : rule->fields[i].def;
    }
    return (composite){.n = 1, .entries = e, .epsilon = 1e-6, .softmax_rule = softmax_rule};
}

static float *rows_of(const fixture *f, const graph *g, const composite *c)
{
    walk *w;
    float *rows = zeroed(f->a, BATCH * WALK_MOMENTS * g->n_components, sizeof *rows);
    assert_ok(walk_build(f->a, g, c, test_backend(), BATCH, &w));
    walk_run(w, f->images, f->target, rows);
    return rows;
}

/* Both moments of every layer, relative to the layer's largest. */
static void compare_rows(const fixture *f, const char *what, const composite *c)
{
    const float *found = rows_of(f, f->narrow, c), *expected = rows_of(f, f->whole, c);
    for (size_t k = 0; k < f->whole->n_layers; k++) {
        const node *layer = &f->whole->nodes[f->whole->layers[k]];
        float one[2][BATCH * WALK_MOMENTS * 128];
        size_t used = 0;
        assert_true(layer->n_components <= 128);
        for (size_t i = 0; i < BATCH * WALK_MOMENTS; i++) {
            for (size_t j = 0; j < layer->n_components; j++, used++) {
                const size_t at = i * f->whole->n_components + layer->first_component + j;
                one[0][used] = found[at];
                one[1][used] = expected[at];
            }
        }
        char text[256];
        (void)snprintf(text, sizeof text, "%s, softmax %s, %s", what, softmax_rule_names[c->softmax_rule], layer->name);
        assert_agree(text, used, one[0], one[1],
                     1e-4); /* rounding makes 2e-5 of LRP-epsilon here, ten times that is allowed (tests/golden) */
    }
}

static void relevance_stays_under_every_rule(void **state)
{
    (void)state;
    fixture f;
    size_t compared = 0;
    open_fixture(&f);
    for (int s = 0; softmax_rule_names[s] != NULL; s++) {
        for (size_t r = 0; r < rule_count; r++) {
            composite_entry e;
            const bool gradient = rule_table[r]->kind == RULE_GRADIENT;
            for (int all = 0; all <= gradient && (gradient || rule_table[r]->kind == RULE_TERMS); all++) {
                const composite c = composite_of(&e, rule_table[r], all, s);
                compare_rows(&f, rule_table[r]->name, &c);
                compared++;
            }
        }
    }
    assert_true(compared >= 4);
    close_fixture(&f);
}

/* Why it is exact: in the whole network the other rows of what the pass narrows have the relevance 0, not a small one. */
static void other_rows_have_no_relevance(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    for (int s = 0; softmax_rule_names[s] != NULL; s++) {
        composite_entry e;
        const composite c = composite_of(&e, rule_find("epsilon"), false, s);
        walk *whole, *narrow;
        float *rows = zeroed(f.a, BATCH * WALK_MOMENTS * f.whole->n_components, sizeof *rows);
        assert_ok(walk_build_keeping(f.a, f.whole, &c, test_backend(), BATCH, &whole));
        assert_ok(walk_build_keeping(f.a, f.narrow, &c, test_backend(), BATCH, &narrow));
        walk_run(whole, f.images, f.target, rows);
        walk_run(narrow, f.images, f.target, rows);
        for (size_t k = 0; k < COUNT(one_row); k++) {
            node_id id, narrow_id;
            const node *n = node_named(f.whole, one_row[k], &id);
            const size_t t = n->out.dim[0], width = n->out.dim[1];
            float *r = zeroed(f.a, BATCH * t * width, sizeof *r), *row = zeroed(f.a, BATCH * width, sizeof *row),
                  *first = zeroed(f.a, BATCH * width, sizeof *first);
            (void)node_named(f.narrow, one_row[k], &narrow_id);
            const bool reached = walk_read_relevance(whole, id, r);
            assert_true(walk_read_relevance(narrow, narrow_id, row) == reached);
            assert_true(reached == (k > 0 || op_attention.reaches(s, 0))); /* 0: q_proj */
            for (size_t i = 0; i < BATCH * t * width; i++) {
                if (i / width % t == 0) {
                    first[i / (t * width) * width + i % width] = r[i];
                } else {
                    assert_true(r[i] == 0.0f);
                }
            }
            if (reached) {
                assert_agree(one_row[k], BATCH * width, row, first, 1e-4);
            }
        }
    }
    close_fixture(&f);
}

/* A composite is not asked about what the pass put in: an entry that fits no such layer does not refuse them. */
static void entries_are_for_layers_of_the_architecture(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    const composite_entry entries[] = {
        {.name_pattern = "*.add_2*", .type = "*", .rule = rule_find("epsilon")}, /* add_2 itself refuses it */
        {.rule = rule_find("epsilon")},
    };
    const composite refused = {.n = 2, .entries = entries}, taken = {.n = 1, .entries = entries + 1};
    const composite_entry *const *of;
    assert_fails(composite_resolve(f.a, &refused, f.narrow, &of), ST_CONFIG, "encoder_layer_0.add_2'", NULL);
    const composite_entry rows[] = {{.name_pattern = "*.row", .type = "*", .rule = rule_find("epsilon")}, entries[1]};
    assert_ok(composite_resolve(f.a, &(composite){.n = 2, .entries = rows}, f.narrow, &of));
    for (node_id id = 0; id < f.narrow->n_nodes; id++) {
        assert_true(!f.narrow->nodes[id].inserted || of[id] == NULL);
    }
    assert_ok(composite_resolve(f.a, &taken, f.narrow, &of));
    close_fixture(&f);
}

/* Every sample in every slot, beside others: the same bits. */
static void rows_depend_on_the_sample_alone(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    const size_t pixels = shape_count(f.whole->input), row = WALK_MOMENTS * f.whole->n_components;
    composite_entry e;
    const composite c = composite_of(&e, rule_find("epsilon"), false, 0);
    const float *expected = rows_of(&f, f.narrow, &c);
    walk *w;
    float *images = zeroed(f.a, BATCH * pixels, sizeof *images), *rows = zeroed(f.a, BATCH * row, sizeof *rows);
    assert_ok(walk_build(f.a, f.narrow, &c, test_backend(), BATCH, &w));
    for (size_t shift = 1; shift < BATCH; shift++) {
        size_t target[BATCH];
        for (size_t b = 0; b < BATCH; b++) {
            const size_t slot = (b + shift) % BATCH;
            memcpy(images + slot * pixels, f.images + b * pixels, pixels * sizeof *images);
            target[slot] = f.target[b];
        }
        walk_run(w, images, target, rows);
        for (size_t b = 0; b < BATCH; b++) {
            assert_memory_equal(rows + (b + shift) % BATCH * row, expected + b * row, row * sizeof *rows);
        }
    }
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_block_works_on_one_row),
        cmocka_unit_test(costs_are_those_of_what_is_left),
        cmocka_unit_test(where_nothing_can_be_left_out_the_graph_stays),
        cmocka_unit_test(any_row_may_be_the_one),
        cmocka_unit_test(logits_stay),
        cmocka_unit_test(relevance_stays_under_every_rule),
        cmocka_unit_test(other_rows_have_no_relevance),
        cmocka_unit_test(entries_are_for_layers_of_the_architecture),
        cmocka_unit_test(rows_depend_on_the_sample_alone),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
