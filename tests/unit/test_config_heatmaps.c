/* The section `heatmaps:` of a study: what it means, how it is written back, and what is refused where. */
#include "config_sample.h"

#include "io/config_composite.h"
#include "io/config_heatmaps.h"
#include "io/config_schema.h"
#include "nn/op.h"

static const char *rules_of(const config *c)
{
    const composite *complete;
    const config_criterion *e = &c->heatmaps.explanation;
    const criterion_setup setup = {.parameters = e->parameters, .composite = e->composite};
    assert_string_equal(e->method->name, "lrp");
    assert_ok(e->method->composite(memory, &setup, &complete));
    return composite_text(memory, complete);
}

static void absent_means_nothing(void **state)
{
    (void)state;
    const config *c = parsed(good, 0, NULL);
    assert_int_equal(c->heatmaps.images, 0);
    assert_null(strstr(c->resolved, "heatmaps"));
}

static void defaults(void **state)
{
    (void)state;
    const config *c = parsed(at_end("heatmaps: {images: 3}\n"), 0, NULL);
    assert_int_equal(c->heatmaps.images, 3);
    assert_false(c->heatmaps.keep);
    for (size_t i = 0; i < c->n_rates; i++) {
        assert_true(c->heatmaps.rate[i]);
    }
    assert_true(c->heatmaps.criterion[0] && c->heatmaps.criterion[1]);
    assert_string_equal(rules_of(c), "[{type: conv2d, place: first, rule: z-box, low: 0, high: 1, units: pixels, epsilon: 1e-06}, "
                                     "{type: conv2d, rule: gamma, gamma: 0.25, epsilon: 1e-06}, {rule: epsilon, epsilon: 1e-06}]");
}

static void every_key_counts(void **state)
{
    (void)state;
    const config *c = parsed(at_end("heatmaps:\n  images: 1\n  rates: [0.10, 5e-1]\n  criteria: [random]\n  composite: epsilon-plus\n"
                                  "  epsilon: 0.001\n  softmax: cp\n  keep: true\n"),
                             0, NULL);
    size_t n = 0;
    for (size_t i = 0; i < c->n_rates; i++) {
        n += c->heatmaps.rate[i];
    }
    assert_true(n == 3 && c->heatmaps.rate[0] && c->heatmaps.rate[2] && c->heatmaps.rate[10]); /* 0 without being asked for */
    assert_true(!c->heatmaps.criterion[0] && c->heatmaps.criterion[1] && c->heatmaps.keep);
    assert_string_equal(rules_of(c), "[{type: conv2d, rule: z-plus, epsilon: 0.001}, {rule: epsilon, epsilon: 0.001}]");
    assert_true(heatmaps_parameter(&c->heatmaps, HEATMAPS_EPSILON) == 0.001);
    assert_string_equal(softmax_rule_names[(size_t)heatmaps_parameter(&c->heatmaps, HEATMAPS_SOFTMAX)], "cp");
    const char *const sets[] = {"heatmaps.images=7", "heatmaps.rates=[0.95]"};
    assert_int_equal(parsed(c->resolved, 2, sets)->heatmaps.images, 7);
}

/* The parameters of the explanation are those of the method lrp: same range, same default. */
static void parameters_are_those_of_lrp(void **state)
{
    (void)state;
    const criterion_def *lrp = parsed(at_end("heatmaps: {images: 1}\n"), 0, NULL)->heatmaps.explanation.method;
    for (size_t key = HEATMAPS_EPSILON; key <= HEATMAPS_SOFTMAX; key++) {
        const field *mine = &heatmaps_section.settings[key].field;
        size_t i = 0;
        while (strcmp(lrp->fields[i].name, mine->name) != 0) {
            i++;
        }
        assert_true(lrp->fields[i].kind == mine->kind && lrp->fields[i].def == mine->def && lrp->fields[i].choices == mine->choices);
        assert_true(mine->kind != FIELD_REAL || (lrp->fields[i].min == mine->min && lrp->fields[i].max == mine->max));
    }
}

static void a_resolved_study_is_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "heatmaps: {images: 3}\n",
        "heatmaps: {images: 2, keep: true, rates: [0], criteria: [lrp-epsilon], softmax: z-plus, composite: {preset: gamma, gamma: 2}}\n",
        "heatmaps:\n  images: 1\n  composite:\n    - {place: first, rule: flat}\n    - rule: epsilon\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        const config *c = parsed(at_end(lines[i]), 0, NULL), *again = parsed(c->resolved, 0, NULL);
        assert_string_equal(again->resolved, c->resolved);
        assert_string_equal(rules_of(again), rules_of(c));
        assert_int_equal(again->heatmaps.images, c->heatmaps.images);
        assert_true(again->heatmaps.keep == c->heatmaps.keep);
        assert_memory_equal(again->heatmaps.rate, c->heatmaps.rate, c->n_rates * sizeof(bool));
        assert_memory_equal(again->heatmaps.criterion, c->heatmaps.criterion, c->n_criteria * sizeof(bool));
    }
}

static void bad_sections_are_placed(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *part;
    } cases[] = {
        {"heatmaps: 3\n", "24:11: heatmaps: expected a section with the keys images, rates, criteria"},
        {"heatmaps:\n", "heatmaps: expected a section"},
        {"heatmaps: {}\n", "heatmaps: the key 'images' is missing; expected an integer in [1, 1000000]"},
        {"heatmaps: {images: 0}\n", "24:20: heatmaps.images: expected an integer in [1, 1000000], found 0"},
        {"heatmaps: {images: -1}\n", "found -1"},
        {"heatmaps: {images: 1e99}\n", "found 1e99"},
        {"heatmaps: {images: 1, image: 2}\n", "heatmaps.image: unknown key; did you mean 'images'?"},
        {"heatmaps: {images: 1, rates: 0.5}\n", "heatmaps.rates: expected a list of numbers in [0, 1), found 0.5"},
        {"heatmaps: {images: 1, rates: []}\n", "expected a list of 1 to 1000 elements, found 0"},
        {"heatmaps: {images: 1, rates: [0.33]}\n", "24:31: heatmaps.rates[0]: expected one of the study's rates, found 0.33; the nearest is 0.35"},
        {"heatmaps: {images: 1, rates: [1]}\n", "expected a number in [0, 1), found 1"},
        {"heatmaps: {images: 1, rates: [nan]}\n", "found 'nan'"},
        {"heatmaps: {images: 1, rates: [0.5, 0.1]}\n", "heatmaps.rates[1]: expected more than 0.5 (the list ascends), found 0.1"},
        {"heatmaps: {images: 1, rates: [0.5, 0.5]}\n", "expected more than 0.5"},
        {"heatmaps: {images: 1, criteria: random}\n", "heatmaps.criteria: expected a list of texts, found 'random'"},
        {"heatmaps: {images: 1, criteria: []}\n", "expected a list of 1 to 256 elements, found 0"},
        {"heatmaps: {images: 1, criteria: [randon]}\n",
         "heatmaps.criteria[0]: expected the name of one of the study's criteria, found 'randon'; did you mean 'random'?"},
        {"heatmaps: {images: 1, criteria: [random, random]}\n", "heatmaps.criteria[1]: expected each criterion once, found 'random' again"},
        {"heatmaps: {images: 1, criteria: [\"a\\0b\"]}\n", "heatmaps.criteria[0]: expected a"},
        {"heatmaps: {images: 1, composite: }\n", "heatmaps.composite: expected a name of a preset"},
        {"heatmaps: {images: 1, composite: gama}\n", "heatmaps.composite: expected one of epsilon, "},
        {"heatmaps: {images: 1, composite: [{rule: gamma, alpha: 2}]}\n", "heatmaps.composite[0].alpha: the rule 'gamma' has no such parameter"},
        {"heatmaps: {images: 1, epsilon: 2}\n", "heatmaps.epsilon: expected a number in [0, 1], found 2"},
        {"heatmaps: {images: 1, softmax: hard}\n", "heatmaps.softmax: expected one of epsilon, "},
        {"heatmaps: {images: 1, keep: maybe}\n", "heatmaps.keep: expected true or false, found 'maybe'"},
        {"heatmaps: {images: 1}\nheatmaps: {images: 2}\n", "heatmaps: the key is given a second time"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = at_end(cases[i].lines);
        config *c;
        assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, cases[i].part, NULL);
        arena_reset(memory);
    }
}

static void damaged_sections_never_crash(void **state)
{
    (void)state;
    damage_everywhere("heatmaps: {images: 12, rates: [0, 0.5], criteria: [random], composite: {preset: gamma, gamma: 1}, keep: true}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(absent_means_nothing),
        TEST(defaults),
        TEST(every_key_counts),
        TEST(parameters_are_those_of_lrp),
        TEST(a_resolved_study_is_the_same),
        TEST(bad_sections_are_placed),
        TEST(damaged_sections_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
