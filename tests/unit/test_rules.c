#include "support/rule_case.h"

#include <math.h>
#include <string.h>

#include "attribution/composite.h"
#include "nn/stabilise.h"

static arena *memory;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("rule test", &memory)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

/* Relative to the largest expected value, as the golden files state their errors. */
static void assert_close(const char *what, const char *name, size_t n, const float *got, const double *expected,
                         double tolerance)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs((double)got[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        worst = worst_of(worst, off);
    }
    if (!(worst <= tolerance * largest) || largest == 0.0) {
        fail_msg("%s, %s: off by %g, largest value %g", name, what, worst, largest);
    }
}

/* What each data set R_in/<name> of unit_rules.h5 is. */
static const struct {
    const char *golden;
    rule_choice rule;
} expected[] = {
    {"eps1e-6", {"epsilon", {{"epsilon", 1e-6}}, false}},
    {"eps0.1", {"epsilon", {{"epsilon", 0.1}}, false}},
    {"lrp0", {"epsilon", {{"epsilon", 0.0}}, false}},
    {"gamma0.25", {"gamma", {{"gamma", 0.25}}, false}},
    {"gamma0.25_projbias", {"gamma", {{"gamma", 0.25}}, true}},
    {"gamma1", {"gamma", {{"gamma", 1.0}}, false}},
    {"zplus", {"z-plus", {{NULL, 0.0}}, false}},
    {"zplus_projbias", {"z-plus", {{NULL, 0.0}}, true}},
    {"alpha1beta0", {"alpha-beta", {{"alpha", 1.0}}, false}},
    {"alpha1.5beta0.5", {"alpha-beta", {{"alpha", 1.5}}, false}},
    {"alpha2beta1", {"alpha-beta", {{"alpha", 2.0}}, false}},
    {"alpha2beta1_projbias", {"alpha-beta", {{"alpha", 2.0}}, true}},
    {"flat", {"flat", {{NULL, 0.0}}, false}},
    {"wsquare", {"w-square", {{NULL, 0.0}}, false}},
    {"zbox_-2_2", {"z-box", {{"low", -2.0}, {"high", 2.0}, {"units", 1.0}}, false}},
};

static bool is_nonnegative(const rule_case *c)
{
    bool found = true;
    for (size_t i = 0; i < c->n_in; i++) {
        found = found && c->x[i] >= 0.0f;
    }
    return found;
}

/* By signs, by signs of inputs that are known not to be negative, and term by term. The last one is what the others are compared with, and not
 * what runs: with the bias in every term, direct sums in float32 may miss 1e-5 where they nearly cancel, so it is left out there. */
static void check_golden(golden *g, const char *name, const char *golden_name, const rule_choice *choice)
{
    double parameters[MAX_RULE_PARAMETERS];
    rule_case c;
    const rule_def *rule = rule_choice_read(choice, parameters);
    const golden_array r_in = golden_read(g, "%s/R_in/%s", name, golden_name);
    rule_case_read(g, name, &c);
    assert_int_equal(r_in.count, c.n_in);
    const rule_layer ways[] = {{.spread_bias = choice->spread_bias},
                               {.spread_bias = choice->spread_bias, .nonnegative = is_nonnegative(&c)},
                               {.spread_bias = choice->spread_bias, .by_terms = !choice->spread_bias}};
    for (size_t way = 0; way < COUNT(ways); way++) {
        assert_close(golden_name, name, c.n_in, rule_case_relevance(memory, &c, rule, parameters, &ways[way], c.r_out),
                     r_in.real, 1e-5);
    }
    arena_reset(memory);
}

/* Every data set of the file, by its name: one that this test does not know fails it. */
static void every_rule_is_golden(void **state)
{
    (void)state;
    size_t seen[COUNT(expected)] = {0};
    golden *g = golden_open("unit_rules.h5");
    for (size_t i = 0; rule_cases[i] != NULL; i++) {
        const char *const *names;
        char group[64];
        (void)snprintf(group, sizeof group, "%s/R_in", rule_cases[i]);
        const size_t n = golden_members(g, group, &names);
        for (size_t k = 0; k < n; k++) {
            size_t e = 0;
            while (e < COUNT(expected) && strcmp(expected[e].golden, names[k]) != 0) {
                e++;
            }
            if (e == COUNT(expected)) {
                fail_msg("%s/%s: which rule is this?", group, names[k]);
            }
            check_golden(g, rule_cases[i], names[k], &expected[e].rule);
            seen[e]++;
        }
    }
    for (size_t e = 0; e < COUNT(expected); e++) {
        assert_true(seen[e] >= (expected[e].rule.spread_bias ? 4 : 12)); /* the quirk is one of linear layers */
    }
    golden_close(&g);
}

static void stabiliser_pushes_away_from_zero(void **state)
{
    (void)state;
    assert_true(stabilise(0.0f, 0.5f) == 0.5f && stabilise(-0.0f, 0.5f) == 0.5f); /* both zeros go up */
    assert_true(stabilise(1.0f, 0.5f) == 1.5f && stabilise(-1.0f, 0.5f) == -1.5f);
}

static void check_places(const graph *g)
{
    const composite_entry entries[] = {
        {.place = PLACE_FIRST, .rule = rule_find("z-plus")},
        {.place = PLACE_LAST, .rule = rule_find("alpha-beta")},
        {.type = "avgpool2d", .rule = rule_find("z-plus")},
        {.rule = rule_find("gamma")},
    };
    composite c = {.n = 2, .entries = entries + 2};
    const composite_entry *const *of;
    assert_fails(composite_resolve(memory, &c, g, &of), ST_CONFIG, "features.avgpool", "avgpool2d",
                 "not for such layers", NULL);
    c = (composite){.n = 2, .entries = entries};
    assert_fails(composite_resolve(memory, &c, g, &of), ST_CONFIG, "features.4", NULL);
    const composite_entry complete[] = {entries[0], entries[1], entries[3]};
    c = (composite){.n = COUNT(complete), .entries = complete};
    assert_ok(composite_resolve(memory, &c, g, &of));
    assert_ptr_equal(of[1], &complete[0]);
    assert_ptr_equal(of[3], &complete[2]);
    assert_ptr_equal(of[6], &complete[1]);
}

static void first_matching_entry_wins(void **state)
{
    (void)state;
    const node nodes[] = {
        {.op = &op_input, .name = "input"},
        {.op = &op_conv2d, .name = "features.0", .group = GROUP_LOW},
        {.op = &op_relu, .name = "features.0.relu", .group = GROUP_LOW},
        {.op = &op_conv2d, .name = "features.4", .group = GROUP_HIGH},
        {.op = &op_linear, .name = "classifier.0", .group = GROUP_FC},
        {.op = &op_linear, .name = "classifier.3", .group = GROUP_FC},
        {.op = &op_linear, .name = "neck", .group = GROUP_HIGH},
        {.op = &op_avgpool2d, .name = "features.avgpool", .group = GROUP_HIGH},
    };
    const graph g = {.n_nodes = COUNT(nodes), .nodes = nodes};
    const composite_entry entries[] = {
        {.name_pattern = "classifier.[0-2]", .rule = rule_find("z-plus")},
        {.type = "conv2d", .group = GROUP_HIGH, .rule = rule_find("alpha-beta")},
        {.group = GROUP_FC, .rule = rule_find("gamma")},
        {.type = "conv2d", .rule = rule_find("epsilon")},
        {.name_pattern = "features.*", .rule = rule_find("z-plus")},
        {.type = "avgpool*", .group = GROUP_LOW, .rule = rule_find("z-plus")},
        {.type = "linear", .group = GROUP_HIGH, .rule = rule_find("alpha-beta")},
    };
    const composite c = {.n = COUNT(entries), .entries = entries};
    const composite_entry *const *of;
    assert_ok(composite_resolve(memory, &c, &g, &of));
    assert_null(of[0]);
    assert_ptr_equal(of[1], &entries[3]);
    assert_null(of[2]); /* a layer with a rule of its own, though patterns match its name */
    assert_ptr_equal(of[3], &entries[1]);
    assert_ptr_equal(of[4], &entries[0]);
    assert_ptr_equal(of[5], &entries[2]);
    assert_ptr_equal(of[6], &entries[6]);
    assert_null(of[7]); /* linear, but with a rule of its own */
    const composite short_one = {.n = 2, .entries = entries};
    assert_fails(composite_resolve(memory, &short_one, &g, &of), ST_CONFIG, "features.0", "low",
                 "none of its 2 entries", NULL);
    check_places(&g);
    const composite_entry misplaced = {.type = "avgpool2d", .rule = rule_find("z-plus")};
    const composite wrong = {.n = 1, .entries = &misplaced};
    assert_fails(composite_resolve(memory, &wrong, &g, &of), ST_CONFIG, "features.0",
                 NULL); /* of the layer that comes first */
    const composite *everywhere;
    assert_ok(composite_epsilon(memory, 1e-3, &everywhere));
    assert_ok(composite_resolve(memory, everywhere, &g, &of));
    assert_string_equal(of[5]->rule->name, "epsilon");
    assert_true(of[5]->parameters[of[5]->rule->epsilon_field] == 1e-3 && everywhere->epsilon == 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_golden),
        cmocka_unit_test(stabiliser_pushes_away_from_zero),
        cmocka_unit_test(first_matching_entry_wins),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, set_up, tear_down);
}
