#include "support/layer.h"

#include <string.h>

#include "attribution/walk.h"
#include "nn/arch.h"
#include "pipeline/inspect_composite.h"
#include "pipeline/model.h"

static const char *const networks[] = {"examples/digits/models/digits_vgg_bn/model.safetensors",
                                       "examples/digits/models/digits_resnet/model.safetensors",
                                       "examples/digits/models/digits_vit/model.safetensors"};

/* What the command prints, as one text; static storage. */
static const char *inspected_with(const char *path, size_t n_sets, const char *const sets[])
{
    enum { MOST = 1 << 16 };
    static char text[MOST];
    FILE *to = fmemopen(text, sizeof text, "w");
    assert_non_null(to);
    assert_ok(inspect_composite(path, n_sets, sets, to));
    assert_true(ftell(to) < MOST - 1);
    assert_int_equal(fclose(to), 0);
    return text;
}

static const char *inspected(const char *path)
{
    return inspected_with(path, 0, NULL);
}

/* The line of a node from `text` on, without its name. */
static void find_row(const char *text, const char *name, size_t size, char row[])
{
    const size_t n = strlen(name);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, "  ", 2) == 0 && strncmp(line + 2, name, n) == 0 && line[2 + n] == ' ') {
            (void)snprintf(row, size, "%.*s", (int)(strcspn(line, "\n") - 2 - n), line + 2 + n);
            return;
        }
    }
    fail_msg("no row for node %s", name);
}

static void assert_says(const char *name, const char *row, const char *what)
{
    if (strstr(row, what) == NULL) {
        fail_msg("node %s: expected '%s' in '%s'", name, what, row);
    }
}

/* Compares the rows of one network with the rules that a walk with this epsilon has. */
static void check_rows(const char *text, const graph *g, double epsilon)
{
    arena *a;
    const composite *c;
    const composite_entry *const *given;
    walk *w;
    assert_ok(arena_open("test", &a));
    assert_ok(composite_epsilon(a, epsilon, &c));
    assert_ok(composite_resolve(a, c, g, &given));
    assert_ok(walk_build_keeping(a, g, c, test_backend(), 1, &w));
    float *r = arena_alloc(a, 1 << 16, sizeof *r);
    assert_non_null(r);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        assert_true(shape_count(n->out) <= 1 << 16);
        char row[400], expected[100], shape_of[SHAPE_TEXT];
        find_row(text, n->name, sizeof row, row);
        assert_says(n->name, row, n->op->name);
        assert_says(n->name, row, depth_group_name(n->group));
        assert_says(n->name, row, shape_text(n->out.rank, n->out.dim, shape_of));
        (void)snprintf(expected, sizeof expected, "  %s (epsilon=%g",
                       given[id] != NULL ? given[id]->rule->name : n->op->relevance_name, epsilon);
        if (given[id] != NULL || (n->op->relevance_reads & READS_EPSILON) != 0) {
            assert_says(n->name, row, expected);
        } else {
            (void)snprintf(expected, sizeof expected, "  %s  ", id == 0 ? "none" : n->op->relevance_name);
            assert_says(n->name, row, expected);
        }
        assert_true((strstr(row, "not reached") != NULL) == !walk_read_relevance(w, id, r));
        (void)snprintf(expected, sizeof expected, "  %zu %s", n->n_components, component_kind_name(n->components));
        assert_true((strstr(row, expected) != NULL) == (n->n_components > 0));
    }
    arena_close(&a);
}

static const graph *built(arena *a, const char *path)
{
    tensors *t;
    const graph *g;
    size_t bytes;
    assert_ok(model_read(a, path, NULL, &t, &bytes));
    assert_ok(graph_build(a, t, &g));
    return g;
}

static void every_node_of_a_checkpoint_has_its_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        arena *a;
        assert_ok(arena_open("network", &a));
        const graph *g = built(a, source_path(networks[i]));
        const char *text = inspected(source_path(networks[i]));
        assert_non_null(strstr(text, "criterion lrp composite=epsilon epsilon=1e-06 absolute=token target=label initial=one "
                                      "normalise=none softmax=epsilon proj_bias=textbook audit=true:\n"));
        check_rows(text, g, 1e-6);
        arena_close(&a);
    }
}

static const char *study_file(void)
{
    static char path[4200];
    (void)snprintf(path, sizeof path, "%s/study.yaml", scratch_folder());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "study: test\ndata: {reference: nowhere, evaluation: nowhere}\nmodels:\n");
    (void)fprintf(f, "  - {name: one, checkpoint: %s, components: [heads]}\n", source_path(networks[2]));
    (void)fprintf(f,
                  "criteria:\n  - {name: wide, method: lrp, epsilon: 0.25}\n  - {name: size, method: magnitude}\n"
                  "  - {name: narrow, method: lrp, epsilon: 1e-3}\ntasks: {classes: [3], seeds: 1, references: [1]}\n"
                  "rates: {from: 0, to: 0.9, step: 0.3}\n");
    assert_int_equal(fclose(f), 0);
    return path;
}

static void a_study_shows_each_criterion(void **state)
{
    (void)state;
    arena *a;
    assert_ok(arena_open("network", &a));
    const graph *g = built(a, source_path(networks[2]));
    const char *text = inspected(study_file());
    const char *wide = strstr(text, "one, criterion wide (lrp composite=epsilon epsilon=0.25"),
               *narrow = strstr(text, "one, criterion narrow (lrp composite=epsilon epsilon=0.001");
    assert_true(wide != NULL && narrow != NULL && wide < narrow);
    check_rows(wide, g, 0.25);
    check_rows(narrow, g, 1e-3);
    assert_non_null(strstr(text, "one, criterion size (magnitude): no relevance rules"));
    assert_non_null(strstr(text, "4 heads\n"));
    assert_non_null(strstr(text, "128 neurons, kept by the study"));
    arena_close(&a);
}

/* The composite of a checkpoint comes from the command line. */
static void a_list_is_shown_entry_by_entry(void **state)
{
    (void)state;
    static const char *const list[] = {"composite=[{place: first, rule: flat}, {match: 'features.1*', rule: gamma, gamma: 0.5}, "
                                       "{match: features.10, rule: gamma}, {type: avgpool2d, rule: pass}, {type: gelu, rule: gradient}, "
                                       "{rule: z-plus, epsilon: 0.25}]", "epsilon=0.125"};
    static const struct {
        const char *node, *says;
    } rows[] = {{"features.0", "flat (epsilon=0.125)"},
                {"features.3", "z-plus (epsilon=0.25)"},
                {"features.10", "gamma (gamma=0.5, epsilon=0.125)"},
                {"features.10.relu", "pass "},
                {"features.10.pool", "winner "},
                {"avgpool", "pass instead of norm"},
                {"classifier.6", "z-plus (epsilon=0.25)"}};
    static const char *const entries[] = {
        "    1  {place: first, rule: flat, epsilon: 0.125}",
        "    1  without effect on scores: relevance is not wanted below\n",
        "    2  {match: \"features.1*\", rule: gamma, gamma: 0.5, epsilon: 0.125}      3  \n",
        "    3  {match: features.10, rule: gamma, gamma: 0.25, epsilon: 0.125}       0  matches 1, which entries before it have\n",
        "    4  {type: avgpool2d, rule: pass} ",
        "    5  {type: gelu, rule: gradient}                                         0  matches none\n",
        "    6  {rule: z-plus, epsilon: 0.25}                                        5  matches 9, of which entries before it have 4\n"};
    const char *text = inspected_with(source_path(networks[0]), COUNT(list), list);
    char row[400];
    for (size_t i = 0; i < COUNT(rows); i++) {
        find_row(text, rows[i].node, sizeof row, row);
        assert_says(rows[i].node, row, rows[i].says);
    }
    for (size_t i = 0; i < COUNT(entries); i++) {
        assert_says("entries", text, entries[i]);
    }
    static const char *const bad[] = {"composite=[{rule: z-plus}, {type: conv2d}]"};
    assert_fails(inspect_composite(source_path(networks[0]), 1, bad, stdout), ST_CONFIG,
                 "criteria[0].composite[1]: the key 'rule' is missing", NULL);
    static const char *const gap[] = {"composite=[{group: low, rule: z-plus}]"};
    assert_fails(inspect_composite(source_path(networks[0]), 1, gap, stdout), ST_CONFIG,
                 "criterion 'lrp': the composite has no rule for layer 'features.3' (conv2d, depth group mid)", NULL);
}

/* Under cp nothing goes to queries and keys, so their rules are never run. */
static void what_is_not_reached_is_said(void **state)
{
    (void)state;
    static const char *const cp[] = {"softmax=cp"}, *const epsilon[] = {"softmax=epsilon"};
    static const char *const layers[] = {"q_proj", "k_proj", "v_proj"};
    char row[400], name[100];
    for (size_t i = 0; i < COUNT(layers); i++) {
        (void)snprintf(name, sizeof name, "encoder.layers.encoder_layer_2.self_attention.%s", layers[i]);
        find_row(inspected_with(source_path(networks[2]), 1, epsilon), name, sizeof row, row);
        assert_says(name, row, "rule is run");
        find_row(inspected_with(source_path(networks[2]), 1, cp), name, sizeof row, row);
        assert_says(name, row, i < 2 ? "not reached" : "rule is run");
    }
    find_row(inspected_with(source_path(networks[2]), 1, cp), "encoder.layers.encoder_layer_2.self_attention.softmax", sizeof row, row);
    assert_says("softmax", row, "attention (epsilon=1e-06, softmax=cp)");
}

/* Overrides of a study are the study's. */
static void a_study_takes_overrides(void **state)
{
    (void)state;
    static const char *const sets[] = {"criteria[0].composite=epsilon-plus", "criteria[2].composite={preset: gamma, gamma: 3}"};
    const char *text = inspected_with(study_file(), COUNT(sets), sets);
    assert_non_null(strstr(text, "one, criterion wide (lrp composite=epsilon-plus epsilon=0.25"));
    assert_non_null(strstr(text, "one, criterion narrow (lrp composite={preset: gamma, gamma: 3} epsilon=0.001"));
    assert_non_null(strstr(text, "z-plus (epsilon=0.25)"));
    assert_non_null(strstr(text, "gamma (gamma=3, epsilon=0.001)"));
}

static void other_files_are_refused(void **state)
{
    (void)state;
    assert_fails(inspect_composite("nowhere.yaml", 0, NULL, stdout), ST_NO_INPUT, "nowhere.yaml", NULL);
    assert_fails(inspect_composite(source_path("tests/golden/vit_tiny.h5"), 0, NULL, stdout), ST_DATA,
                 "expected a study or a checkpoint", NULL);
}

/* A rule's text names every parameter that its numbers depend on: a law of the table. */
static void layers_say_what_their_relevance_depends_on(void **state)
{
    (void)state;
    static const shape map = {.rank = 3, .dim = {2, 4, 4}}, tokens = {.rank = 2, .dim = {3, 4}};
    const layer_spec specs[] = {
        {"maxpool2d", &op_maxpool2d, &(maxpool_attr){.kernel = 2, .stride = 2}, 1, {map}, 0, 0, 0},
        {"avgpool2d", &op_avgpool2d, &(avgpool_attr){.output = {2, 2}}, 1, {map}, 0, 0, 0},
        {"add", &op_add, NULL, 2, {tokens, tokens}, 0, 0, 0},
        {"layernorm", &op_layernorm, &(layernorm_attr){.eps = 1e-5}, 1, {tokens}, 4, 4, 0},
        {"attention", &op_attention, &(attention_attr){.heads = 2}, 3, {tokens, tokens, tokens}, 0, 0, 2},
        {"relu", &op_relu, NULL, 1, {tokens}, 0, 0, 0},
        {"token_row", &op_token_row, &(token_row_attr){.row = 0}, 1, {tokens}, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(specs); i++) {
        layer l;
        bool differs = false;
        layer_open(&l, &specs[i], 1, i);
        const float *r_out = layer_random(&l, l.n_out, 3);
        float *narrow[MAX_INPUTS] = {NULL}, *wide[MAX_INPUTS] = {NULL};
        for (size_t k = 0; k < l.n_in; k++) {
            narrow[k] = layer_floats(&l, l.n_x[k]);
            wide[k] = layer_floats(&l, l.n_x[k]);
        }
        layer_forward(&l, NULL);
        layer_relevance(&l, 1e-6, r_out, narrow, NULL);
        layer_relevance(&l, 0.5, r_out, wide, NULL);
        for (size_t k = 0; k < l.n_in; k++) {
            differs = differs || memcmp(narrow[k], wide[k], l.n_x[k] * sizeof(float)) != 0;
        }
        assert_int_equal(differs, (specs[i].op->relevance_reads & READS_EPSILON) != 0);
        layer_close(&l);
    }
    for (size_t i = 0; i < op_count; i++) { /* attention alone has a softmax */
        assert_int_equal((op_table[i]->relevance_reads & READS_SOFTMAX_RULE) != 0, op_table[i] == &op_attention);
        assert_true(op_table[i]->relevance != NULL || op_table[i]->relevance_reads == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_of_a_checkpoint_has_its_rule),
        cmocka_unit_test(a_study_shows_each_criterion),
        cmocka_unit_test(a_list_is_shown_entry_by_entry),
        cmocka_unit_test(what_is_not_reached_is_said),
        cmocka_unit_test(a_study_takes_overrides),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(layers_say_what_their_relevance_depends_on),
    };
    test_backend_use(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
