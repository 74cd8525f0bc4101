/* The section `tasks` of a study: drawn and stated class subsets. */
#include "unit/config_sample.h"

#define SUBSETS "  subsets:\n    - name: pets\n      classes: [cat, \"dog \\\"x\\\"\", 7]\n    - {name: _2, classes: [\"3\", null1]}\n"

static const config *parse_good(const char *text)
{
    config *c = NULL;
    assert_ok(parse(text, strlen(text), 0, NULL, &c));
    return c;
}

static void check_subsets(const config *c, size_t n_drawn)
{
    assert_int_equal(c->n_tasks, n_drawn + 2);
    assert_int_equal(c->n_subsets, 2);
    assert_int_equal(c->task_classes[n_drawn], 3);
    assert_int_equal(c->task_classes[n_drawn + 1], 2);
    assert_string_equal(c->task_name[n_drawn], "pets");
    assert_string_equal(c->task_name[n_drawn + 1], "_2");
    assert_string_equal(c->subsets[0].class[0], "cat");
    assert_string_equal(c->subsets[0].class[1], "dog \"x\"");
    assert_string_equal(c->subsets[0].class[2], "7");
    assert_string_equal(c->subsets[1].class[0], "3");
}

static void stated_subsets_follow_drawn_ones(void **state)
{
    (void)state;
    const config *c = parse_good(changed("  seeds: 3\n", SUBSETS "  seeds: 3\n"));
    check_subsets(c, 2);
    assert_int_equal(c->task_classes[0], 3);
    assert_string_equal(c->task_name[0], "3");
    assert_string_equal(c->task_name[1], "10");
    assert_string_equal(c->subsets[0].where[2], "configs/s.yaml:22:35: tasks.subsets[0].classes[2]");
    const config *again = parse_good(c->resolved);
    check_subsets(again, 2);
    assert_string_equal(again->resolved, c->resolved);
}

static void a_study_may_have_stated_subsets_alone(void **state)
{
    (void)state;
    const config *c = parse_good(changed("  classes: [3, 10]\n", SUBSETS));
    check_subsets(c, 0);
    assert_null(strstr(c->resolved, "  classes: [")); /* no empty list, which would be refused */
    check_subsets(parse_good(c->resolved), 0);
}

static void a_study_without_subsets_names_its_tasks(void **state)
{
    (void)state;
    const config *c = parse_good(good);
    assert_int_equal(c->n_tasks, 2);
    assert_int_equal(c->n_subsets, 0);
    assert_string_equal(c->task_name[1], "10");
    assert_null(strstr(c->resolved, "subsets"));
}

/* Where a class stands is kept for when it turns out not to be there; of an override it is the override. */
static void overrides_have_their_own_place(void **state)
{
    (void)state;
    const char *const sets[] = {"tasks.subsets=[{name: a, classes: [x, y]}]"};
    config *c = NULL;
    assert_ok(parse(good, strlen(good), 1, sets, &c));
    assert_string_equal(c->subsets[0].where[1], "--set tasks.subsets=[{name: a, classes: [x, y]}]: tasks.subsets[0].classes[1]");
}

static void bad_subsets_are_named(void **state)
{
    static const struct {
        const char *subsets, *place, *message;
    } cases[] = {
        {"  subsets: []\n", "20:12", "tasks.subsets: expected a list of 1 to 100 elements, found 0"},
        {"  subsets: [pets]\n", "20:13", "tasks.subsets[0]: expected a section with the keys name, classes, found 'pets'"},
        {"  subsets: [{name: a}]\n", "20:13", "tasks.subsets[0]: the key 'classes' is missing; expected a list of names or numbers of classes"},
        {"  subsets: [{classes: [a, b]}]\n", "20:13", "tasks.subsets[0]: the key 'name' is missing"},
        {"  subsets: [{name: a, class: [a, b]}]\n", "20:23", "tasks.subsets[0].class: unknown key; did you mean 'classes'?"},
        {"  subsets: [{name: a, classes: [a]}]\n", "20:32", "tasks.subsets[0].classes: expected a list of 2 to 100000 elements, found 1"},
        {"  subsets: [{name: a, classes: cat}]\n", "20:32", "tasks.subsets[0].classes: expected a list of names or numbers of classes, found 'cat'"},
        {"  subsets: [{name: a, classes: [a, [b]]}]\n", "20:36", "tasks.subsets[0].classes[1]: expected a name or number of a class, found a list"},
        {"  subsets: [{name: a, classes: [a, null]}]\n", "20:36", "expected a name or number of a class, found nothing"},
        {"  subsets: [{name: a, classes: [a, \"b\\nc\"]}]\n", "20:36", "without control characters or line ends"},
        {"  subsets: [{name: 10, classes: [a, b]}]\n", "20:20", "tasks.subsets[0].name: expected a name that is no number"},
        {"  subsets: [{name: a/b, classes: [a, b]}]\n", "20:20", "tasks.subsets[0].name: expected a name"},
        {"  subsets: [{name: a, classes: [a, b]}, {name: a, classes: [a, b]}]\n", "20:48",
         "tasks.subsets[1].name: expected a name of its own, found 'a', which subsets[0] has already"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        config *c;
        const char *text = changed("  seeds: 3\n", arena_text(memory, "%s  seeds: 3\n", cases[i].subsets));
        assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, arena_text(memory, "configs/s.yaml:%s: ", cases[i].place),
                     cases[i].message, NULL);
    }
}

/* Which models and numbers of references a criterion is for; its scores are those of any other that says the same of scores. */
static void a_criterion_may_be_for_some(void **state)
{
    (void)state;
    const config *all = parse_good(good);
    assert_int_equal(all->criteria[0].n_models + all->criteria[0].n_references, 0);
    const config *c = parse_good(changed("    epsilon: 1e-3\n", "    epsilon: 1e-3\n    models: [other, net]\n    references: [10]\n"));
    assert_int_equal(c->criteria[0].n_models, 2);
    assert_int_equal(c->criteria[0].models[0], 0);
    assert_int_equal(c->criteria[0].models[1], 1);
    assert_int_equal(c->criteria[0].n_references, 1);
    assert_int_equal(c->criteria[0].references[0], 10);
    assert_int_equal(c->criteria[1].n_models + c->criteria[1].n_references, 0);
    assert_string_equal(c->scoring[0], all->scoring[0]);
    const config *again = parse_good(c->resolved);
    assert_string_equal(again->resolved, c->resolved);
    assert_int_equal(again->criteria[0].n_models, 2);
    assert_int_equal(again->criteria[0].references[0], 10);
}

static void bad_restrictions_are_named(void **state)
{
    static const struct {
        const char *from, *to, *place, *message;
    } cases[] = {
        {"epsilon: 1e-3", "models: [nat]", "15:14", "criteria[0].models[0]: expected the name of a model of this study, found 'nat'; did you mean 'net'?"},
        {"epsilon: 1e-3", "models: [net, net]", "15:19", "criteria[0].models[1]: expected each model once, found 'net' again; it is [0] already"},
        {"epsilon: 1e-3", "models: []", "15:13", "expected a list of 1 to 256 elements, found 0"},
        {"epsilon: 1e-3", "models: net", "15:13", "criteria[0].models: expected a list of names, found 'net'"},
        {"epsilon: 1e-3", "references: [5, 7]", "15:21", "criteria[0].references[1]: expected one of the numbers in tasks.references, found 7"},
        {"epsilon: 1e-3", "references: [10, 5]", "15:22", "criteria[0].references[1]: expected more than 10 (the list ascends), found 5"},
        {"    method: random", "    method: random\n    references: [10]", "18:17",
         "criteria[1].references: expected no such key, since 'random' looks at no images; leave it out"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        config *c;
        const char *text = changed(cases[i].from, cases[i].to);
        assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, arena_text(memory, "configs/s.yaml:%s: ", cases[i].place),
                     cases[i].message, NULL);
    }
    const char *const sets[] = {"models=[net]"};
    config_criterion alone;
    assert_fails(config_criterion_parse(memory, "lrp", 1, sets, &alone), ST_CONFIG, "since there is no study whose models it could name", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stated_subsets_follow_drawn_ones),
        TEST(a_study_may_have_stated_subsets_alone),
        TEST(a_study_without_subsets_names_its_tasks),
        TEST(overrides_have_their_own_place),
        TEST(bad_subsets_are_named),
        TEST(a_criterion_may_be_for_some),
        TEST(bad_restrictions_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
