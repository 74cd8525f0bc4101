/* Laws of the table of presets, and what its composites give to the layers of the golden networks. */
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "attribution/preset.h"
#include "nn/arch.h"

static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &memory)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static const composite *built(const char *name, const double parameters[])
{
    const preset_def *p = preset_find(name);
    const composite *stated, *c;
    double defaults[MAX_PRESET_PARAMETERS] = {0.0};
    assert_non_null(p);
    for (size_t i = 0; i < p->n_fields; i++) {
        defaults[i] = p->fields[i].def;
    }
    assert_ok(preset_build(memory, p, parameters != NULL ? parameters : defaults, NULL, &stated));
    assert_ok(composite_complete(memory, stated, &(composite){.epsilon = 0.125}, &c));
    assert_int_equal(c->n, p->n_entries);
    return c;
}

static const field *parameter_named(size_t n, const field fields[], const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* Default and range are the rule's own, so that a preset refuses what its list would refuse. */
static void check_binding(const preset_def *p, const rule_def *rule, const preset_value *v)
{
    const field *of_rule = parameter_named(rule->n_fields, rule->fields, v->parameter);
    if (of_rule == NULL) {
        return; /* of another rule that could have been chosen */
    }
    if (v->from == NULL) {
        assert_true(v->fixed >= of_rule->min && v->fixed <= of_rule->max);
        return;
    }
    const field *mine = parameter_named(p->n_fields, p->fields, v->from);
    assert_non_null(mine);
    assert_true(mine->kind == of_rule->kind && mine->def == of_rule->def && mine->scale == of_rule->scale);
    assert_true(mine->min == of_rule->min && mine->max == of_rule->max);
    for (size_t i = 0; of_rule->kind == FIELD_CHOICE && (i == 0 || of_rule->choices[i - 1] != NULL); i++) {
        assert_true((mine->choices[i] == NULL) == (of_rule->choices[i] == NULL));
        assert_true(mine->choices[i] == NULL || strcmp(mine->choices[i], of_rule->choices[i]) == 0);
    }
}

static void check_entry(const preset_def *p, const preset_entry *e)
{
    const field *chosen = e->rule == NULL ? parameter_named(p->n_fields, p->fields, e->chosen) : NULL;
    assert_true(e->rule != NULL || (chosen != NULL && chosen->kind == FIELD_CHOICE));
    assert_true(composite_type_exists(e->type));
    for (size_t i = 0; e->rule != NULL ? i == 0 : chosen->choices[i] != NULL; i++) {
        const rule_def *rule = rule_find(e->rule != NULL ? e->rule : chosen->choices[i]);
        assert_non_null(rule);
        assert_true(composite_type_takes(e->type, rule));
        for (size_t v = 0; v < e->n_values; v++) {
            check_binding(p, rule, &e->values[v]);
        }
    }
}

static void the_table_keeps_its_laws(void **state)
{
    (void)state;
    assert_string_equal(preset_table[0].name, "epsilon"); /* what a criterion without `composite:` has */
    for (size_t i = 0; i < preset_count; i++) {
        const preset_def *p = &preset_table[i];
        assert_ptr_equal(preset_find(p->name), p);
        assert_true(p->help != NULL && p->source != NULL && p->n_fields <= MAX_PRESET_PARAMETERS && p->n_entries > 0);
        for (size_t k = 0; k < p->n_entries; k++) {
            check_entry(p, &p->entries[k]);
        }
        const preset_entry *last = &p->entries[p->n_entries - 1]; /* whatever layers there are, one entry has them */
        assert_true(last->type == NULL && last->group == GROUP_NONE && last->place == PLACE_ANY);
    }
    assert_null(preset_find("zplus"));
}

/* What a preset with its defaults gives. */
typedef struct expectation {
    const char *preset;
    const char *first, *conv, *linear; /* rule of the first layer, of other convolutions, of linear layers */
} expectation;

static const expectation expectations[] = {
    {"epsilon", "epsilon", "epsilon", "epsilon"},
    {"z-plus", "z-plus", "z-plus", "z-plus"},
    {"alpha2-beta1", "alpha-beta", "alpha-beta", "alpha-beta"},
    {"gamma", "gamma", "gamma", "gamma"},
    {"heuristic", "z-plus", "z-plus", "z-plus"},
    {"epsilon-plus", "z-plus", "z-plus", "epsilon"},
    {"epsilon-plus-flat", "flat", "z-plus", "epsilon"},
    {"epsilon-gamma-box", "z-box", "gamma", "epsilon"},
    {"four-groups", "epsilon", "epsilon", "epsilon"},
};

static const char *const networks[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

static const graph *network(const char *name, golden **file)
{
    const graph *g;
    *file = golden_open(name);
    assert_ok(graph_build(memory, golden_tensors(*file), &g));
    return g;
}

static double parameter_of(const composite_entry *e, const char *name)
{
    const field *f = parameter_named(e->rule->n_fields, e->rule->fields, name);
    assert_non_null(f);
    return e->parameters[f - e->rule->fields];
}

static void every_layer_gets_its_rule(void **state)
{
    (void)state;
    assert_int_equal(COUNT(expectations), preset_count);
    for (size_t n = 0; n < COUNT(networks); n++) {
        golden *file;
        const graph *g = network(networks[n], &file);
        for (size_t i = 0; i < COUNT(expectations); i++) {
            const expectation *x = &expectations[i];
            const composite_entry *const *given;
            bool first = true;
            assert_ok(composite_resolve(memory, built(x->preset, NULL), g, &given));
            for (node_id id = 0; id < g->n_nodes; id++) {
                if (!composite_takes_rule(&g->nodes[id])) {
                    assert_null(given[id]);
                    continue;
                }
                const char *expected = first ? x->first : g->nodes[id].op == &op_conv2d ? x->conv : x->linear;
                assert_string_equal(given[id]->rule->name, expected);
                assert_true(parameter_of(given[id], "epsilon") == (strcmp(x->preset, "heuristic") == 0 ? 1e-9 : 0.125));
                first = false;
            }
        }
        golden_close(&file);
    }
}

static void fixed_parameters_are_what_the_names_say(void **state)
{
    (void)state;
    assert_true(parameter_of(&built("alpha2-beta1", NULL)->entries[0], "alpha") == 2.0);
    assert_true(parameter_of(&built("gamma", NULL)->entries[0], "gamma") == 0.25);
    const composite *box = built("epsilon-gamma-box", (const double[]){0.5, -2.0, 3.0, 1.0});
    assert_true(parameter_of(&box->entries[0], "low") == -2.0 && parameter_of(&box->entries[0], "high") == 3.0);
    assert_true(parameter_of(&box->entries[0], "units") == 1.0 && parameter_of(&box->entries[1], "gamma") == 0.5);
}

/* The paper's form on every network, with a rule of its own for each group and a gamma of its own for the classifier. */
static void four_groups_follow_the_depth(void **state)
{
    (void)state;
    enum { EPSILON, Z_PLUS, GAMMA, ALPHA_BETA }; /* in the order of the preset's choices */
    static const char *const names[] = {"epsilon", "z-plus", "gamma", "alpha-beta"};
    static const double choices[][4] = {{GAMMA, ALPHA_BETA, Z_PLUS, EPSILON}, {Z_PLUS, EPSILON, ALPHA_BETA, GAMMA}};
    for (size_t n = 0; n < COUNT(networks); n++) {
        golden *file;
        const graph *g = network(networks[n], &file);
        for (size_t i = 0; i < COUNT(choices); i++) {
            const double parameters[] = {choices[i][0], choices[i][1], choices[i][2], choices[i][3], 0.75, 0.05, 3.0};
            const composite_entry *const *given;
            assert_ok(composite_resolve(memory, built("four-groups", parameters), g, &given));
            for (node_id id = 0; id < g->n_nodes; id++) {
                if (!composite_takes_rule(&g->nodes[id])) {
                    continue;
                }
                const depth_group group = g->nodes[id].group;
                const char *name = group == GROUP_NONE ? "epsilon" : names[(size_t)choices[i][group - GROUP_LOW]];
                assert_string_equal(given[id]->rule->name, name);
                if (strcmp(name, "gamma") == 0) {
                    assert_true(parameter_of(given[id], "gamma") == (group == GROUP_FC ? 0.05 : 0.75));
                }
                if (strcmp(name, "alpha-beta") == 0) {
                    assert_true(parameter_of(given[id], "alpha") == 3.0);
                }
            }
        }
        golden_close(&file);
    }
}

/* Entries may overlap: each is counted with all that it matches. The last layer is the classifier's. */
static void matches_are_counted(void **state)
{
    (void)state;
    golden *file;
    const graph *g = network("vgg_tiny.h5", &file);
    const rule_def *rule = rule_find("z-plus");
    const composite_entry entries[] = {{.name_pattern = "features.*", .rule = rule}, {.type = "conv2d", .group = GROUP_HIGH, .rule = rule},
                                       {.place = PLACE_LAST, .rule = rule},          {.type = "*pool2d", .rule = rule},
                                       {.name_pattern = "nothing", .rule = rule},    {.rule = rule}};
    static const size_t expected[] = {4, 2, 1, 4, 0, 7};
    const size_t *matched;
    const composite_entry *const *given;
    assert_ok(composite_matches(memory, &(composite){.n = COUNT(entries), .entries = entries}, g, &matched));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(matched[i], expected[i]);
    }
    const composite two = {.n = 2, .entries = (const composite_entry[]){entries[2], entries[5]}};
    assert_ok(composite_resolve(memory, &two, g, &given));
    for (node_id id = 0; id < g->n_nodes; id++) {
        assert_true(given[id] == NULL || (given[id] == &two.entries[0]) == (id == g->n_nodes - 1));
    }
    golden_close(&file);
}

static void a_stated_stabiliser_stays(void **state)
{
    (void)state;
    const rule_def *gamma = rule_find("gamma"), *pass = rule_find("pass");
    composite_entry entries[3] = {{.rule = gamma, .parameters = {0.5, NAN}}, {.rule = gamma, .parameters = {0.5, 0.0}}, {.rule = pass}};
    const composite *c;
    assert_true(rule_is_stabilised(gamma) && !rule_is_stabilised(pass));
    assert_ok(composite_complete(memory, &(composite){.n = 3, .entries = entries},
                                 &(composite){.epsilon = 0.25, .proj_bias = true, .softmax_rule = 1}, &c));
    assert_true(c->entries[0].parameters[1] == 0.25 && c->entries[1].parameters[1] == 0.0 && c->entries[0].parameters[0] == 0.5);
    assert_true(c->epsilon == 0.25 && c->proj_bias && c->softmax_rule == 1 && c->n == 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_memory, close_memory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_table_keeps_its_laws), TEST(every_layer_gets_its_rule), TEST(fixed_parameters_are_what_the_names_say),
        TEST(four_groups_follow_the_depth), TEST(matches_are_counted), TEST(a_stated_stabiliser_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
