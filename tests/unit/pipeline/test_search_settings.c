/* Settings of a search as criteria of a study. */
#include "unit/pipeline/search_sample.h"

#include <math.h>

#include "core/rng.h"
#include "io/config_schema.h"
#include "nn/op.h"
#include "pruning/aggregate.h"

enum { A_FILE = 64 };

static settings_space space_of(const plan *p, size_t model)
{
    settings_space s;
    assert_ok(settings_open(memory, &p->study.config->search, &p->study.models[model], &s));
    return s;
}

/* Four rules for each of four groups, by |R| or by R, and the treatments of the softmax where there is one. */
static void the_space_is_that_of_the_paper(void **state)
{
    (void)state;
    static const struct {
        const char *search;
        size_t cnn, vit;
    } cases[] = {
        {"", 512, 512},
        {"softmax: [epsilon, through, gradient]", 512, 3 * 512},
        {"softmax: [through, epsilon, z-plus, gradient]", 512, 4 * 512},
        {"low: [gamma], mid: [epsilon, gamma], fc: [z-plus, epsilon, gamma], absolute: [token, sum, never]", 72, 72},
        {"method: bayes, continuous: true", 512, 512},
    };
    const char *const *names = softmax_rule_names; /* the cases are made of them below */
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *search = cases[i].search;
        if (strncmp(search, "softmax", 7) == 0) {
            search = cases[i].vit == 3 * 512 ? arena_text(memory, "softmax: [%s, %s, %s]", names[0], names[1], names[2])
                                             : arena_text(memory, "softmax: [%s, %s, %s, %s]", names[1], names[0], names[3], names[2]);
        }
        const plan *p = open_plan(tasks, search);
        for (size_t m = 0; m < MODELS; m++) {
            const settings_space s = space_of(p, m);
            assert_int_equal(space_combinations(&s.space), m == VIT ? cases[i].vit : cases[i].cnn);
            assert_int_equal(s.softmax, m == VIT);
        }
    }
}

/* From the output down; what no walk depends on is not among it. */
static void groups_are_walked_from_the_output(void **state)
{
    (void)state;
    static const char *const names[] = {"softmax", "fc", "high", "mid", "low"};
    const plan *p = open_plan(tasks, "method: bayes, continuous: true");
    for (size_t m = 0; m < MODELS; m++) {
        const settings_space s = space_of(p, m);
        size_t walked[SEARCH_GROUPS + 1];
        const size_t n = settings_walked(&s, walked), without = COUNT(names) - n;
        assert_int_equal(without, m == VIT ? 0 : 1);
        for (size_t i = 0; i < n; i++) {
            assert_string_equal(s.space.dimension[walked[i]].name, names[i + without]);
        }
    }
}

static double parameter_of(const config_criterion *c, const char *name)
{
    size_t i = 0;
    while (strcmp(c->method->fields[i].name, name) != 0) {
        i++;
    }
    return c->parameters[i];
}

/* The word that a choice of the point stands for. */
static const char *word_at(const settings_space *s, size_t dimension, double choice)
{
    const char *words = s->choices[dimension];
    for (size_t i = 0; i < (size_t)choice; i++) {
        words += strcspn(words, ",") + 1;
    }
    return arena_text(scratch, "%.*s", (int)strcspn(words, ","), words);
}

/* What the walk will take of a criterion. */
static const composite *completed(const study *s, size_t model, const config_criterion *c)
{
    const composite *out = NULL;
    const study_model *m = &s->models[model];
    const criterion_setup setup = {.graph = m->logits_graph, .backend = s->backend, .batch = 1, .parameters = c->parameters, .composite = c->composite};
    assert_ok(c->method->composite(scratch, &setup, &out));
    return out;
}

static void assert_same_rules(const graph *g, const composite *a, const composite *b, const char *what)
{
    const composite_entry *const *of_a, *const *of_b;
    assert_true(a->epsilon == b->epsilon && a->softmax_rule == b->softmax_rule && a->proj_bias == b->proj_bias);
    assert_ok(composite_resolve(scratch, a, g, &of_a));
    assert_ok(composite_resolve(scratch, b, g, &of_b));
    for (node_id id = 0; id < g->n_nodes; id++) {
        assert_int_equal(of_a[id] == NULL, of_b[id] == NULL);
        if (of_a[id] == NULL) {
            continue;
        }
        if (of_a[id]->rule != of_b[id]->rule) {
            fail_msg("%s: node %s: expected %s, found %s", what, g->nodes[id].name, of_b[id]->rule->name, of_a[id]->rule->name);
        }
        for (size_t i = 0; i < of_a[id]->rule->n_fields; i++) {
            if (of_a[id]->parameters[i] != of_b[id]->parameters[i]) {
                fail_msg("%s: node %s: %s of %s: expected %.17g, found %.17g", what, g->nodes[id].name, of_a[id]->rule->fields[i].name, of_a[id]->rule->name,
                         of_b[id]->parameters[i], of_a[id]->parameters[i]);
            }
        }
    }
}

/* The preset with the rules that the point's words name. */
static const composite *preset_of(const settings_space *s, const double point[])
{
    const preset_def *four = preset_find("four-groups");
    double parameters[MAX_PRESET_PARAMETERS];
    const composite *out = NULL;
    for (size_t i = 0; i < four->n_fields; i++) {
        parameters[i] = four->fields[i].def;
        for (size_t d = 0; d < s->space.n; d++) {
            if (strcmp(s->space.dimension[d].name, four->fields[i].name) == 0 && four->fields[i].choices != NULL) {
                size_t k = 0;
                while (strcmp(four->fields[i].choices[k], word_at(s, d, point[d])) != 0) {
                    k++;
                }
                parameters[i] = (double)k;
            }
        }
    }
    assert_ok(preset_build(scratch, four, parameters, "preset", &out));
    return out;
}

static void settings_are_the_presets(void **state)
{
    (void)state;
    const plan *p = open_plan(tasks, arena_text(memory, "fc: [z-plus, alpha-beta, epsilon, gamma], softmax: [%s, %s]", softmax_rule_names[1], softmax_rule_names[0]));
    for (size_t m = 0; m < MODELS; m++) {
        const settings_space s = space_of(p, m);
        double point[SPACE_MOST_DIMENSIONS];
        size_t n = 0;
        space_first(&s.space, point);
        do {
            config_criterion c;
            arena_reset(scratch);
            assert_ok(settings_criterion(scratch, &s, point, "setting", &c));
            config_criterion same = c;
            same.composite = preset_of(&s, point);
            assert_same_rules(p->study.models[m].logits_graph, completed(&p->study, m, &c), completed(&p->study, m, &same), networks[m]);
            assert_string_equal(aggregate_absolutes[(size_t)parameter_of(&c, "absolute")], word_at(&s, 4, point[4]));
            assert_true(parameter_of(&c, "audit") == 0.0);
            assert_int_equal(parameter_of(&c, "softmax"), m == VIT ? 1 - (int)point[5] : 0);
            n++;
        } while (space_next(&s.space, point));
        assert_int_equal(n, m == VIT ? 1024 : 512);
    }
}

/* ---- as text ---- */

static void assert_same_criterion(const config_criterion *a, const config_criterion *b)
{
    const char *of_a, *of_b;
    assert_string_equal(a->name, b->name);
    assert_true(a->method == b->method && a->composite->n == b->composite->n);
    assert_memory_equal(a->parameters, b->parameters, a->method->n_fields * sizeof(double));
    assert_memory_equal(&a->ranking, &b->ranking, sizeof a->ranking);
    for (size_t i = 0; i < a->composite->n; i++) {
        const composite_entry *x = &a->composite->entries[i], *y = &b->composite->entries[i];
        assert_true(x->rule == y->rule && x->group == y->group && x->place == y->place && x->name_pattern == NULL && y->name_pattern == NULL);
        for (size_t k = 0; k < x->rule->n_fields; k++) {
            assert_true(x->parameters[k] == y->parameters[k] || (isnan(x->parameters[k]) && isnan(y->parameters[k])));
        }
    }
    assert_ok(settings_scoring(memory, a, &of_a));
    assert_ok(settings_scoring(memory, b, &of_b));
    assert_string_equal(of_a, of_b);
}

/* n criteria as the study that their texts make has them. */
static void assert_texts_give_them_again(size_t n, const config_criterion made[])
{
    const char *text = "study: again\ndata: {reference: a, evaluation: b}\nmodels: [{name: net, checkpoint: net.safetensors}]\n"
                       "tasks: {classes: [2], seeds: 1, references: [1]}\ncriteria:\n";
    config *c = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *one;
        assert_ok(settings_text(memory, &made[i], &one));
        text = arena_text(memory, "%s  - %s\n", text, one);
        assert_non_null(text);
    }
    assert_ok(config_parse(memory, "again.yaml", (file_bytes){(const unsigned char *)text, strlen(text)}, 0, NULL, &c));
    assert_int_equal(c->n_criteria, n);
    for (size_t i = 0; i < n; i++) {
        assert_same_criterion(&c->criteria[i], &made[i]);
    }
}

static void check_texts(const settings_space *s, size_t n, const double points[])
{
    static config_criterion made[A_FILE];
    for (size_t i = 0; i < n; i++) {
        assert_ok(settings_criterion(memory, s, points + i * s->space.n, arena_text(memory, "setting-%zu", i), &made[i]));
    }
    assert_texts_give_them_again(n, made);
    for (size_t i = 1; i < n; i++) { /* equal texts: the same setting; in a tree, the same but for `absolute` */
        const char *before, *own, *before_in_tree, *own_in_tree;
        assert_ok(settings_scoring(memory, &made[i - 1], &before));
        assert_ok(settings_scoring(memory, &made[i], &own));
        assert_ok(settings_scoring_in_tree(memory, &made[i - 1], &before_in_tree));
        assert_ok(settings_scoring_in_tree(memory, &made[i], &own_in_tree));
        double a[SPACE_MOST_DIMENSIONS], b[SPACE_MOST_DIMENSIONS];
        memcpy(a, points + (i - 1) * s->space.n, s->space.n * sizeof *a);
        memcpy(b, points + i * s->space.n, s->space.n * sizeof *b);
        assert_int_equal(strcmp(before, own) == 0, space_equal(&s->space, a, b));
        a[4] = b[4];
        assert_int_equal(strcmp(before_in_tree, own_in_tree) == 0, space_equal(&s->space, a, b));
    }
}

static void texts_are_criteria_of_a_study(void **state)
{
    (void)state;
    const plan *p = open_plan(tasks, arena_text(memory, "softmax: [%s, %s]", softmax_rule_names[0], softmax_rule_names[2]));
    for (size_t m = 0; m < MODELS; m += VIT) {
        const settings_space s = space_of(p, m);
        static double points[A_FILE * SPACE_MOST_DIMENSIONS];
        bool more = true;
        space_first(&s.space, points);
        while (more) {
            size_t n = 1;
            for (; n < A_FILE; n++) {
                memcpy(points + n * s.space.n, points + (n - 1) * s.space.n, s.space.n * sizeof *points);
                if (!space_next(&s.space, points + n * s.space.n)) {
                    break;
                }
            }
            check_texts(&s, n, points);
            memcpy(points, points + (n - 1) * s.space.n, s.space.n * sizeof *points);
            more = space_next(&s.space, points);
        }
    }
}

/* ---- values ---- */

static size_t dimension_of(const settings_space *s, const char *name)
{
    size_t i = 0;
    while (i < s->space.n && strcmp(s->space.dimension[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* The value that an entry has of a parameter of its rule; NaN: none. */
static double entry_value(const composite_entry *e, const char *parameter)
{
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        if (strcmp(e->rule->fields[i].name, parameter) == 0) {
            return e->parameters[i];
        }
    }
    return (double)NAN;
}

static void check_values(const settings_space *s, const double point[])
{
    static const char *const groups[] = {"low", "mid", "high", "fc"};
    static const struct {
        const char *rule, *parameter;
    } of[] = {{"gamma", "gamma"}, {"alpha-beta", "alpha"}, {"epsilon", "epsilon"}};
    config_criterion c;
    assert_ok(settings_criterion(scratch, s, point, "setting", &c));
    for (size_t g = 0; g < COUNT(groups); g++) {
        const composite_entry *e = &c.composite->entries[g];
        assert_string_equal(depth_group_name(e->group), groups[g]);
        assert_string_equal(e->rule->name, word_at(s, g, point[g]));
        for (size_t k = 0; k < COUNT(of); k++) {
            const size_t d = dimension_of(s, arena_text(scratch, "%s.%s", groups[g], of[k].parameter));
            const bool chosen = strcmp(e->rule->name, of[k].rule) == 0;
            if (d == s->space.n) { /* nothing of the rule is searched in this group */
                assert_false(chosen);
                continue;
            }
            assert_int_equal(isnan(point[d]), !chosen);
            assert_true(!chosen || entry_value(e, of[k].parameter) == point[d]);
        }
        assert_true(strcmp(e->rule->name, "epsilon") == 0 || isnan(entry_value(e, "epsilon"))); /* the criterion's own */
    }
    assert_true(c.composite->entries[4].group == GROUP_NONE && isnan(entry_value(&c.composite->entries[4], "epsilon")));
}

static void values_exist_where_their_rule_does(void **state)
{
    (void)state;
    const plan *p = open_plan(tasks, "method: bayes, continuous: true, mid: [alpha-beta, epsilon], high: [z-plus], gamma: [0.5, 0.75], gamma_fc: [0.01, 0.02], "
                                     "alpha: [1.5, 1.75], epsilon: [1e-8, 1e-7]");
    const settings_space s = space_of(p, 0);
    static const struct {
        const char *name;
        double min, max;
        field_scale scale;
    } expected[] = {{"low.gamma", 0.5, 0.75, SCALE_LOG}, {"low.alpha", 1.5, 1.75, SCALE_LINEAR}, {"low.epsilon", 1e-8, 1e-7, SCALE_LOG},
                    {"mid.alpha", 1.5, 1.75, SCALE_LINEAR}, {"mid.epsilon", 1e-8, 1e-7, SCALE_LOG}, {"fc.gamma", 0.01, 0.02, SCALE_LOG},
                    {"fc.alpha", 1.5, 1.75, SCALE_LINEAR}, {"fc.epsilon", 1e-8, 1e-7, SCALE_LOG}};
    assert_int_equal(s.space.n, 5 + COUNT(expected));
    assert_int_equal(s.space.n_continuous, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        const space_dimension *d = &s.space.dimension[5 + i];
        assert_string_equal(d->name, expected[i].name);
        assert_true(d->min == expected[i].min && d->max == expected[i].max && d->scale == expected[i].scale);
        assert_string_equal(s.choices[5 + i], "");
    }
    static double points[A_FILE * SPACE_MOST_DIMENSIONS];
    for (uint32_t i = 0; i < A_FILE; i++) {
        double unit[SPACE_MOST_DIMENSIONS];
        for (uint32_t d = 0; d < s.space.n; d++) {
            unit[d] = rng_uniform(3, RNG_TEST, d, i);
        }
        space_from_unit(&s.space, unit, points + i * s.space.n);
        check_values(&s, points + i * s.space.n);
    }
    check_texts(&s, A_FILE, points); /* no digit of a value is lost */
}

/* Scales are those of the rules' own tables, and whatever range a study may state is one that the rule takes. */
static void ranges_are_within_those_of_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *dimension, *rule, *parameter;
        size_t key;
    } of[] = {{"low.gamma", "gamma", "gamma", SEARCH_GAMMA}, {"fc.gamma", "gamma", "gamma", SEARCH_GAMMA_FC}, {"mid.alpha", "alpha-beta", "alpha", SEARCH_ALPHA},
              {"high.epsilon", "epsilon", "epsilon", SEARCH_EPSILON}};
    const plan *p = open_plan(tasks, "method: bayes, continuous: true");
    const settings_space s = space_of(p, 0);
    assert_int_equal(s.space.n, 5 + 4 * 3);
    for (size_t i = 0; i < COUNT(of); i++) {
        const rule_def *rule = rule_find(of[i].rule);
        const field *stated = &search_section.settings[of[i].key].field, *own = NULL;
        assert_non_null(rule);
        for (size_t k = 0; k < rule->n_fields; k++) {
            own = strcmp(rule->fields[k].name, of[i].parameter) == 0 ? &rule->fields[k] : own;
        }
        const size_t d = dimension_of(&s, of[i].dimension);
        assert_true(own != NULL && d < s.space.n);
        assert_true(stated->min >= own->min && stated->max <= own->max);
        assert_true(s.space.dimension[d].scale == own->scale && s.space.dimension[d].min >= stated->min && s.space.dimension[d].max <= stated->max);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(the_space_is_that_of_the_paper),
        TEST_WITH_MEMORY(groups_are_walked_from_the_output),
        TEST_WITH_MEMORY(settings_are_the_presets),
        TEST_WITH_MEMORY(texts_are_criteria_of_a_study),
        TEST_WITH_MEMORY(values_exist_where_their_rule_does),
        TEST_WITH_MEMORY(ranges_are_within_those_of_the_rules),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
