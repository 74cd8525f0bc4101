/* The key `composite:` of a criterion: what it means, how it is written back, and what is refused where. */
#include "config_sample.h"

#include <math.h>
#include <stdlib.h>

#include "io/config_composite.h"
#include "io/config_schema.h"

/* The good study with these lines in its first criterion, which begin in line 16. */
static const char *in_criterion(const char *lines)
{
    return changed("    epsilon: 1e-3\n", arena_text(memory, "    epsilon: 1e-3\n%s", lines));
}

static const config_criterion *criterion_of(const char *text, size_t n_sets, const char *const sets[])
{
    config *c;
    assert_ok(parse(text, strlen(text), n_sets, sets, &c));
    return &c->criteria[0];
}

/* What the method makes of it, as results say it. */
static const char *completed(const config_criterion *k)
{
    const composite *c;
    const criterion_setup setup = {.parameters = k->parameters, .composite = k->composite};
    assert_ok(k->method->composite(memory, &setup, &c));
    const char *text = composite_text(memory, c);
    assert_non_null(text);
    return text;
}

static void every_form_gives_its_list(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "[{rule: epsilon, epsilon: 0.001}]"}, /* the default; its stabiliser is the criterion's */
        {"    composite: z-plus\n", "[{rule: z-plus, epsilon: 0.001}]"},
        {"    composite: {preset: gamma}\n", "[{rule: gamma, gamma: 0.25, epsilon: 0.001}]"},
        {"    composite: {preset: gamma, gamma: 0.5}\n", "[{rule: gamma, gamma: 0.5, epsilon: 0.001}]"},
        {"    composite: heuristic\n", "[{rule: z-plus, epsilon: 1e-09}]"}, /* has one of its own */
        {"    composite: epsilon-plus-flat\n",
         "[{place: first, rule: flat, epsilon: 0.001}, {type: conv2d, rule: z-plus, epsilon: 0.001}, {rule: epsilon, epsilon: 0.001}]"},
        {"    composite: {preset: four-groups, low: gamma, mid: alpha-beta, high: z-plus, gamma: 0.1, alpha: 1.5}\n",
         "[{group: low, rule: gamma, gamma: 0.1, epsilon: 0.001}, {group: mid, rule: alpha-beta, alpha: 1.5, epsilon: 0.001}, "
         "{group: high, rule: z-plus, epsilon: 0.001}, {group: fc, rule: epsilon, epsilon: 0.001}, {rule: epsilon, epsilon: 0.001}]"},
        {"    composite: {preset: four-groups, fc: gamma, gamma: 0.1, gamma_fc: 0.05}\n",
         "[{group: low, rule: epsilon, epsilon: 0.001}, {group: mid, rule: epsilon, epsilon: 0.001}, "
         "{group: high, rule: epsilon, epsilon: 0.001}, {group: fc, rule: gamma, gamma: 0.05, epsilon: 0.001}, "
         "{rule: epsilon, epsilon: 0.001}]"},
        {"    composite:\n      - {match: \"features.*\", type: conv2d, group: low, place: first, rule: gamma, gamma: 2}\n"
         "      - rule: epsilon\n        epsilon: 0\n",
         "[{match: \"features.*\", type: conv2d, group: low, place: first, rule: gamma, gamma: 2, epsilon: 0.001}, "
         "{rule: epsilon, epsilon: 0}]"},
        {"    composite: [{type: relu, rule: pass}, {place: last, rule: z-box, low: -2.5, units: input}, {rule: z-plus}]\n",
         "[{type: relu, rule: pass}, {place: last, rule: z-box, low: -2.5, high: 1, units: input, epsilon: 0.001}, "
         "{rule: z-plus, epsilon: 0.001}]"},
        {"    composite: [{match: 'a\"b\\c#: d', type: '*', rule: gradient}]\n",
         "[{match: \"a\\\"b\\\\c#: d\", type: \"*\", rule: gradient}]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(completed(criterion_of(in_criterion(cases[i][0]), 0, NULL)), cases[i][1]);
    }
}

/* What results say reads as the list that it came from, to the last bit of every number. */
static void the_list_in_full_is_a_study(void **state)
{
    (void)state;
    for (size_t p = 0; p < preset_count; p++) {
        const char *lines = arena_text(memory, "    composite: %s\n", preset_table[p].name);
        const char *full = completed(criterion_of(in_criterion(lines), 0, NULL));
        const char *again = arena_text(memory, "    composite: %s\n", full);
        assert_string_equal(completed(criterion_of(in_criterion(again), 0, NULL)), full);
    }
    const char *third = "    composite: [{rule: gamma, gamma: 0.33333333333333331, epsilon: 1e-300}]\n";
    const config_criterion *k = criterion_of(in_criterion(third), 0, NULL);
    assert_true(k->composite->entries[0].parameters[0] == 1.0 / 3.0 && k->composite->entries[0].parameters[1] == 1e-300);
    k = criterion_of(in_criterion(arena_text(memory, "    composite: %s\n", completed(k))), 0, NULL);
    assert_true(k->composite->entries[0].parameters[0] == 1.0 / 3.0 && k->composite->entries[0].parameters[1] == 1e-300);
}

static void a_resolved_study_is_the_same(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "    composite: epsilon\n"},
        {"    composite: {preset: gamma}\n", "    composite: {preset: gamma, gamma: 0.25}\n"},
        {"    composite: {preset: epsilon-gamma-box, units: input, low: -3}\n",
         "    composite: {preset: epsilon-gamma-box, gamma: 0.25, low: -3, high: 1, units: input}\n"},
        {"    composite: {preset: four-groups, mid: z-plus}\n",
         "    composite: {preset: four-groups, low: epsilon, mid: z-plus, high: epsilon, fc: epsilon, gamma: 0.25, gamma_fc: 0.25, alpha: 2}\n"},
        {"    softmax: epsilon\n    proj_bias: reference\n    composite: [{match: '-x', rule: gamma}, {rule: epsilon, epsilon: 0.1}]\n",
         "    composite:\n      - {match: \"-x\", rule: gamma, gamma: 0.25}\n      - {rule: epsilon, epsilon: 0.1}\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = in_criterion(cases[i][0]);
        config *c, *again;
        assert_ok(parse(text, strlen(text), 0, NULL, &c));
        if (strstr(c->resolved, cases[i][1]) == NULL) {
            fail_msg("case %zu: expected '%s' in\n%s", i, cases[i][1], c->resolved);
        }
        assert_ok(parse(c->resolved, strlen(c->resolved), 0, NULL, &again));
        assert_string_equal(again->resolved, c->resolved);
        assert_string_equal(completed(&again->criteria[0]), completed(&c->criteria[0]));
        assert_memory_equal(again->criteria[0].parameters, c->criteria[0].parameters, sizeof c->criteria[0].parameters);
        assert_null(strstr(strstr(c->resolved, "method: random"), "composite:")); /* only where the method takes one */
    }
}

static void overrides_reach_entries(void **state)
{
    (void)state;
    const char *text = in_criterion("    composite: [{group: low, rule: gamma}, {rule: epsilon}]\n");
    static const char *const sets[] = {"criteria[0].composite[0].gamma=0.5", "criteria[0].composite[1].rule=z-plus",
                                       "criteria[0].composite[0].group=mid", "criteria[0].epsilon=0.25"};
    assert_string_equal(completed(criterion_of(text, COUNT(sets), sets)),
                        "[{group: mid, rule: gamma, gamma: 0.5, epsilon: 0.25}, {rule: z-plus, epsilon: 0.25}]");
    static const char *const whole[] = {"criteria[0].composite=epsilon-plus"};
    assert_string_equal(completed(criterion_of(text, 1, whole)),
                        "[{type: conv2d, rule: z-plus, epsilon: 0.001}, {rule: epsilon, epsilon: 0.001}]");
    static const char *const into_section[] = {"criteria[0].composite={preset: gamma}", "criteria[0].composite.gamma=3"};
    assert_string_equal(completed(criterion_of(text, 2, into_section)), "[{rule: gamma, gamma: 3, epsilon: 0.001}]");
    static const char *const bad[][2] = {
        {"criteria[0].composite[2].rule=gamma",
         "--set criteria[0].composite[2].rule=gamma: criteria[0].composite: expected an element from [0] to [1], found [2]"},
        {"criteria[0].composite[1].gamma=1",
         "--set criteria[0].composite[1].gamma=1: criteria[0].composite[1].gamma: the rule 'epsilon' has no such parameter; it belongs to gamma"},
        {"criteria[1].composite=gamma", "criteria[1].composite: unknown key"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        config *c;
        assert_fails(parse(text, strlen(text), 1, &bad[i][0], &c), ST_CONFIG, bad[i][1], NULL);
    }
}

/* Without a study: the keys of one criterion. */
static void a_criterion_can_stand_alone(void **state)
{
    (void)state;
    config_criterion k;
    static const char *const sets[] = {"composite={preset: gamma, gamma: 1}", "epsilon=0.5", "name=mine"};
    assert_ok(config_criterion_parse(memory, "lrp", COUNT(sets), sets, &k));
    assert_string_equal(k.name, "mine");
    assert_string_equal(completed(&k), "[{rule: gamma, gamma: 1, epsilon: 0.5}]");
    assert_true(strncmp(criterion_text(memory, &k), "lrp composite={preset: gamma, gamma: 1} epsilon=0.5 ", 52) == 0);
    assert_ok(config_criterion_parse(memory, "lrp", 0, NULL, &k));
    assert_true(strncmp(criterion_text(memory, &k), "lrp composite=epsilon epsilon=1e-06 ", 36) == 0);
    static const char *const list[] = {"composite=[{rule: gamma}]"};
    assert_ok(config_criterion_parse(memory, "lrp", 1, list, &k));
    assert_true(strncmp(criterion_text(memory, &k), "lrp composite=list epsilon=1e-06 ", 33) == 0);
    assert_true(isnan(k.composite->entries[0].parameters[1])); /* completed by the method alone */
    static const char *const bad[] = {"composit=gamma"};
    assert_fails(config_criterion_parse(memory, "lrp", 1, bad, &k), ST_CONFIG,
                 "--set composit=gamma: criteria[0].composit: unknown key; did you mean 'composite'?", NULL);
}

typedef struct bad_composite {
    const char *lines, *place, *part;
} bad_composite;

static void bad_composites_are_placed(void **state)
{
    (void)state;
    static const bad_composite cases[] = {
        /* the key itself */
        {"    composite: zplus\n", "16:16", "criteria[0].composite: expected one of epsilon, z-plus, "},
        {"    composite: zplus\n", "16:16", "found 'zplus'; did you mean 'z-plus'?"},
        {"    composite:\n", "16:5", "criteria[0].composite: expected a name of a preset, section of preset and its parameters, or list of sections, found nothing"},
        {"    composite: []\n", "16:16", "expected a list of 1 to 256 elements, found 0"},
        {"    composite: [epsilon]\n", "16:17", "criteria[0].composite[0]: expected a section with the keys match, type, group, place, rule, found 'epsilon'"},
        {"    composite: [[rule]]\n", "16:17", "criteria[0].composite[0]: expected a section with the keys match, type, group, place, rule, found a list"},
        {"    composit: gamma\n", "16:5", "criteria[0].composit: unknown key; did you mean 'composite'?"},
        /* presets */
        {"    composite: {}\n", "16:", "criteria[0].composite: the key 'preset' is missing; expected one of epsilon, z-plus,"},
        {"    composite: {presset: gamma}\n", "16:17", "unknown key; did you mean 'preset'?"},
        {"    composite: {preset: gama}\n", "16:25", "criteria[0].composite.preset: expected one of epsilon, "},
        {"    composite: {preset: gama}\n", "16:25", "found 'gama'; did you mean 'gamma'?"},
        {"    composite: {preset: z-plus, gamma: 1}\n", "16:33", "criteria[0].composite.gamma: unknown key; allowed here: preset"},
        {"    composite: {preset: gamma, gamma: -1}\n", "16:39", "expected a number in [0, 1000000], found -1"},
        {"    composite: {preset: four-groups, low: z-box}\n", "16:43", "criteria[0].composite.low: expected one of epsilon, z-plus, gamma, alpha-beta, found 'z-box'"},
        {"    composite: {preset: four-groups, alpha: 0.5}\n", "16:45", "expected a number in [1, 100], found 0.5"},
        {"    composite: {preset: gamma, preset: z-plus}\n", "16:32", "the key is given a second time"},
        /* entries */
        {"    composite: [{rule: gamma}, {rule: gama}]\n", "16:39", "criteria[0].composite[1].rule: expected one of epsilon, "},
        {"    composite: [{rule: gamma}, {rule: gama}]\n", "16:39", "found 'gama'; did you mean 'gamma'?"},
        {"    composite:\n      - rule: gamma\n        gamma: 1e7\n", "18:16", "criteria[0].composite[0].gamma: expected a number in [0, 1000000], found 1e7"},
        {"    composite:\n      - rule: gamma\n        epsilon: -1\n", "18:18", "expected a number in [0, 1], found -1"},
        {"    composite:\n      - rule: gamma\n        gamma: '1'\n", "18:16", "found the quoted text '1'; leave out the quotes"},
        {"    composite:\n      - rule: z-plus\n        gamma: 1\n", "18:9", "criteria[0].composite[0].gamma: the rule 'z-plus' has no such parameter; it belongs to gamma"},
        {"    composite:\n      - rule: gradient\n        epsilon: 1\n", "18:9", "the rule 'gradient' has no such parameter; it belongs to epsilon, z-plus, gamma,"},
        {"    composite:\n      - rule: z-box\n        units: metres\n", "18:16", "expected one of pixels, input, found 'metres'"},
        {"    composite:\n      - group: low\n        gamma: 1\n", "17:9", "criteria[0].composite[0]: the key 'rule' is missing; 'gamma' is a parameter of gamma"},
        {"    composite:\n      - group: low\n", "17:9", "criteria[0].composite[0]: the key 'rule' is missing; expected one of epsilon, "},
        {"    composite:\n      - ruel: gamma\n", "17:9", "criteria[0].composite[0].ruel: unknown key; did you mean 'rule'?"},
        {"    composite:\n      - rule: gamma\n        gama: 1\n", "18:9", "unknown key; did you mean 'gamma'?"},
        {"    composite:\n      - rule: gamma\n        beta: 1\n", "18:9", "unknown key; allowed here: match, type, group, place, rule, gamma, epsilon"},
        {"    composite:\n      - rule: gamma\n        rule: gamma\n", "18:9", "the key is given a second time"},
        /* conditions */
        {"    composite:\n      - {group: top, rule: gamma}\n", "17:17", "criteria[0].composite[0].group: expected one of low, mid, high, fc, found 'top'"},
        {"    composite:\n      - {place: second, rule: gamma}\n", "17:17", "expected one of first, last, found 'second'"},
        {"    composite:\n      - {type: conv, rule: gamma}\n", "17:16", "criteria[0].composite[0].type: expected a type of layers or a pattern that fits one (conv2d, linear, "},
        {"    composite:\n      - {type: conv, rule: gamma}\n", "17:16", "found 'conv'; did you mean 'conv2d'?"},
        {"    composite:\n      - {type: input, rule: pass}\n", "17:16", "found 'input'"},
        {"    composite:\n      - {match: '', rule: gamma}\n", "17:17", "expected a pattern, found the quoted text ''"},
        {"    composite:\n      - {match: [a], rule: gamma}\n", "17:17", "expected a pattern, found a list"},
        /* rules for other layers */
        {"    composite:\n      - {rule: norm}\n", "17:16", "the rule 'norm' is not for convolutions and linear layers, which an entry without 'type' means"},
        {"    composite:\n      - {type: relu, rule: gamma}\n", "17:28", "the rule 'gamma' is not for layers of type 'relu'"},
        {"    composite:\n      - {type: add, rule: pass}\n", "17:27", "the rule 'pass' is not for layers of type 'add'"},
        {"    composite:\n      - {type: relu, rule: norm}\n", "17:28", "the rule 'norm' is not for layers of type 'relu'"},
        /* keys beside it */
        {"    softmax: zplus\n", "16:14", "criteria[0].softmax: expected one of epsilon, "},
        {"    proj_bias: paper\n", "16:16", "criteria[0].proj_bias: expected one of textbook, reference, found 'paper'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = in_criterion(cases[i].lines);
        char place[64];
        config *c;
        (void)snprintf(place, sizeof place, "configs/s.yaml:%s", cases[i].place);
        const status st = parse(text, strlen(text), 0, NULL, &c);
        if (status_ok(st) || strncmp(status_message(), place, strlen(place)) != 0) {
            fail_msg("case %zu (%s): expected an error at %s, got: %s", i, cases[i].lines, place, status_message());
        }
        assert_fails(st, ST_CONFIG, cases[i].part, NULL);
        arena_reset(memory);
    }
}

/* Every single byte of the lists replaced by what YAML and the tables care about: read or refused, never a crash. */
static void damaged_composites_never_crash(void **state)
{
    (void)state;
    static const char letters[] = "\0[]{}:,-'\"&*!#\n\t 0x~";
    static const char *const lines[] = {
        "    composite: [{match: 'f*', type: conv2d, group: low, place: first, rule: gamma, gamma: 0.25}, {rule: epsilon}]\n",
        "    composite: {preset: four-groups, low: gamma, mid: z-plus, gamma_fc: 0.05}\n",
    };
    for (size_t k = 0; k < COUNT(lines); k++) {
        const char *text = in_criterion(lines[k]);
        const size_t size = strlen(text), from = (size_t)(strstr(text, lines[k]) - text);
        char *copy = strdup(text);
        assert_non_null(copy);
        for (size_t at = from; at < from + strlen(lines[k]); at++) {
            for (size_t i = 0; i < sizeof letters - 1; i++) {
                config *c;
                copy[at] = letters[i];
                const status st = parse(copy, size, 0, NULL, &c);
                assert_true(status_ok(st) || st.code == ST_CONFIG);
                status_clear();
                if (at % 16 == 0) {
                    arena_reset(memory);
                }
            }
            copy[at] = lines[k][at - from];
        }
        free(copy);
        arena_reset(memory);
    }
}

static void long_lists_have_an_end(void **state)
{
    (void)state;
    enum { ENTRY = 24 };
    char *lines = arena_alloc(memory, MOST_ENTRIES + 2, ENTRY);
    size_t used = (size_t)sprintf(lines, "    composite:\n");
    for (size_t i = 0; i < MOST_ENTRIES; i++) {
        used += (size_t)sprintf(lines + used, "      - {rule: gamma}\n");
    }
    assert_int_equal(criterion_of(in_criterion(lines), 0, NULL)->composite->n, MOST_ENTRIES);
    (void)sprintf(lines + used, "      - {rule: gamma}\n");
    const char *text = in_criterion(lines);
    config *c;
    assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, "expected a list of 1 to 256 elements, found 257", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_form_gives_its_list),
        TEST(the_list_in_full_is_a_study),
        TEST(a_resolved_study_is_the_same),
        TEST(overrides_reach_entries),
        TEST(a_criterion_can_stand_alone),
        TEST(bad_composites_are_placed),
        TEST(damaged_composites_never_crash),
        TEST(long_lists_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
