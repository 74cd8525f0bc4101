/* The section `search:` of a study: what it means, how it is written back, and what is refused where. */
#include "config_sample.h"

#include "io/config_schema.h"
#include "io/config_search.h"
#include "nn/op.h"
#include "pruning/aggregate.h"

static const char *rule_of(const config *c, size_t group, size_t i)
{
    assert_true(i < c->search.n_rules[group]);
    return search_preset()->fields[group].choices[c->search.rule[group][i]];
}

static void absent_means_nothing(void **state)
{
    (void)state;
    const config *c = parsed(good, 0, NULL);
    assert_false(c->search.on);
    assert_null(strstr(c->resolved, "search"));
}

/* The space of the paper, judged on the five seeds behind those of the study. */
static void defaults(void **state)
{
    (void)state;
    const config_search *s = &parsed(at_end("search: {}\n"), 0, NULL)->search;
    const config *c = parsed(at_end("search: {}\n"), 0, NULL);
    assert_true(s->on && s->method == SEARCH_EVERYTHING && !s->continuous && s->objective == OBJECTIVE_MEAN);
    for (size_t g = 0; g < SEARCH_GROUPS; g++) {
        static const char *const rules[] = {"epsilon", "z-plus", "gamma", "alpha-beta"};
        assert_int_equal(s->n_rules[g], COUNT(rules));
        for (size_t i = 0; i < COUNT(rules); i++) {
            assert_string_equal(rule_of(c, g, i), rules[i]);
        }
    }
    assert_true(s->n_absolute == 2 && s->absolute[0] == ABSOLUTE_TOKEN && s->absolute[1] == ABSOLUTE_NEVER);
    assert_true(s->n_softmax == 1 && strcmp(softmax_rule_names[s->softmax[0]], "epsilon") == 0);
    assert_true(s->gamma[0] == 0.01 && s->gamma[1] == 10.0 && s->gamma_fc[0] == 0.01 && s->gamma_fc[1] == 10.0);
    assert_true(s->alpha[0] == 1.0 && s->alpha[1] == 4.0 && s->epsilon[0] == 1e-9 && s->epsilon[1] == 0.1);
    assert_true(s->trials == 64 && s->batch == 8 && s->seed == 0 && s->references == 10 && s->split == 0.5 && s->report == 3);
    assert_true(s->eta == 3 && s->confidence == 0.95 && s->first_images == 0.25 && s->first_rates == 5 && s->first_seeds == 3);
    assert_int_equal(s->n_seeds, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(s->seeds[i] == 3 + i); /* tasks.seeds are 0, 1, 2 */
    }
}

static const char every_key[] = "search:\n  method: bayes\n  low: [gamma, epsilon]\n  mid: [alpha-beta]\n  high: [z-plus, gamma, epsilon]\n  fc: [epsilon]\n"
                                "  absolute: [sum, never, token]\n  softmax: [cp, z-plus]\n  continuous: true\n  gamma: [0.125, 2]\n"
                                "  gamma_fc: [0.3333333333333333, 7]\n  alpha: [1.5, 3]\n  epsilon: [1e-12, 1]\n  trials: 11\n  batch: 3\n"
                                "  seed: 9007199254740991\n  eta: 4\n  confidence: 0.75\n  first_images: 0.125\n  first_rates: 7\n  first_seeds: 2\n  seeds: [7, 4, 9223372036854775807]\n  references: 5\n  split: 0.25\n"
                                "  objective: area_macs\n  report: 2\n  at: [0.05, 0.50]\n";

static void every_key_counts(void **state)
{
    (void)state;
    const config *c = parsed(at_end(every_key), 0, NULL);
    const config_search *s = &c->search;
    assert_true(s->on && s->method == SEARCH_BY_BAYES && s->continuous && s->objective == OBJECTIVE_MACS);
    assert_true(s->n_rules[0] == 2 && s->n_rules[1] == 1 && s->n_rules[2] == 3 && s->n_rules[3] == 1);
    assert_string_equal(rule_of(c, 0, 0), "gamma");
    assert_string_equal(rule_of(c, 0, 1), "epsilon");
    assert_string_equal(rule_of(c, 1, 0), "alpha-beta");
    assert_string_equal(rule_of(c, 2, 0), "z-plus");
    assert_string_equal(rule_of(c, 2, 2), "epsilon");
    assert_string_equal(rule_of(c, 3, 0), "epsilon");
    assert_true(s->n_absolute == 3 && s->absolute[0] == ABSOLUTE_SUM && s->absolute[1] == ABSOLUTE_NEVER && s->absolute[2] == ABSOLUTE_TOKEN);
    assert_int_equal(s->n_softmax, 2);
    assert_string_equal(softmax_rule_names[s->softmax[0]], "cp");
    assert_string_equal(softmax_rule_names[s->softmax[1]], "z-plus");
    assert_true(s->gamma[0] == 0.125 && s->gamma[1] == 2.0 && s->gamma_fc[0] == 0.3333333333333333 && s->gamma_fc[1] == 7.0);
    assert_true(s->alpha[0] == 1.5 && s->alpha[1] == 3.0 && s->epsilon[0] == 1e-12 && s->epsilon[1] == 1.0);
    assert_true(s->trials == 11 && s->batch == 3 && s->seed == 9007199254740991 && s->references == 5 && s->split == 0.25 && s->report == 2);
    assert_true(s->n_at == 2 && s->at[0] == 0.05 && s->at[1] == 0.5);
    assert_true(s->eta == 4 && s->confidence == 0.75 && s->first_images == 0.125 && s->first_rates == 7 && s->first_seeds == 2);
    assert_true(s->n_seeds == 3 && s->seeds[0] == 7 && s->seeds[1] == 4 && s->seeds[2] == INT64_MAX);
    const char *const sets[] = {"search.trials=99", "search.low=[z-plus]"};
    const config *set = parsed(c->resolved, 2, sets);
    assert_int_equal(set->search.trials, 99);
    assert_string_equal(rule_of(set, 0, 0), "z-plus");
}

/* A count of seeds is of those behind the largest one of the study, wherever it stands. */
static void counted_seeds_follow_those_of_the_study(void **state)
{
    (void)state;
    const char *text = arena_text(memory, "%ssearch: {seeds: 2}\n", changed("seeds: 3", "seeds: [5, 90, 7]"));
    const config_search *s = &parsed(text, 0, NULL)->search;
    assert_true(s->n_seeds == 2 && s->seeds[0] == 91 && s->seeds[1] == 92);
    const char *last = arena_text(memory, "%ssearch: {seeds: 2}\n", changed("seeds: 3", "seeds: [9223372036854775805]"));
    s = &parsed(last, 0, NULL)->search;
    assert_true(s->seeds[1] == INT64_MAX);
    (void)parsed(parsed(last, 0, NULL)->resolved, 0, NULL);
}

/* Seeds are below 2^63, also those that nobody wrote. */
static void too_large_seeds_leave_none_to_search(void **state)
{
    (void)state;
    static const char *const lines[] = {"search: {}\n", "search: {seeds: 2}\n"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        const char *text = arena_text(memory, "%s%s", changed("seeds: 3", "seeds: [1, 9223372036854775806]"), lines[i]);
        config *c;
        assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, "search.seeds: expected a list", "9223372036854775806", NULL);
    }
}

/* Whatever number of references a study may have, its search may have. */
static void many_references_are_read_again(void **state)
{
    (void)state;
    const config *c = parsed(arena_text(memory, "%ssearch: {}\n", changed("references: [5, 10]", "references: [5, 1000000]")), 0, NULL);
    assert_int_equal(parsed(c->resolved, 0, NULL)->search.references, 1000000);
}

static void every_method_and_objective_has_its_name(void **state)
{
    (void)state;
    static const char *const methods[CONFIG_SEARCH_METHODS] = {"exhaustive", "random", "sobol", "bayes", "halving"};
    static const char *const objectives[CONFIG_OBJECTIVES] = {"a_pr_mean", "a_pr_trapezoid", "area_parameters", "area_macs", "accuracy_at"};
    for (size_t i = 0; i < COUNT(methods); i++) {
        assert_int_equal(parsed(at_end(arena_text(memory, "search: {method: %s}\n", methods[i])), 0, NULL)->search.method, i);
    }
    for (size_t i = 0; i < COUNT(objectives); i++) {
        assert_int_equal(parsed(at_end(arena_text(memory, "search: {objective: %s, at: [0.5]}\n", objectives[i])), 0, NULL)->search.objective, i);
        assert_string_equal(search_objective_names[i], objectives[i]);
    }
    assert_null(search_objective_names[CONFIG_OBJECTIVES]);
}

static void assert_same(const config_search *a, const config_search *b)
{
    assert_true(a->on == b->on && a->method == b->method && a->continuous == b->continuous && a->objective == b->objective);
    for (size_t g = 0; g < SEARCH_GROUPS; g++) {
        assert_int_equal(a->n_rules[g], b->n_rules[g]);
        assert_memory_equal(a->rule[g], b->rule[g], a->n_rules[g] * sizeof a->rule[g][0]);
    }
    assert_true(a->n_absolute == b->n_absolute && a->n_softmax == b->n_softmax && a->n_seeds == b->n_seeds);
    assert_memory_equal(a->absolute, b->absolute, a->n_absolute * sizeof a->absolute[0]);
    assert_memory_equal(a->softmax, b->softmax, a->n_softmax * sizeof a->softmax[0]);
    assert_memory_equal(a->seeds, b->seeds, a->n_seeds * sizeof a->seeds[0]);
    for (size_t i = 0; i < 2; i++) { /* to the last bit */
        assert_true(a->gamma[i] == b->gamma[i] && a->gamma_fc[i] == b->gamma_fc[i] && a->alpha[i] == b->alpha[i] && a->epsilon[i] == b->epsilon[i]);
    }
    assert_true(a->trials == b->trials && a->batch == b->batch && a->seed == b->seed && a->references == b->references && a->split == b->split &&
                a->report == b->report);
    assert_true(a->eta == b->eta && a->confidence == b->confidence && a->first_images == b->first_images && a->first_rates == b->first_rates &&
                a->first_seeds == b->first_seeds && a->n_at == b->n_at);
    assert_memory_equal(a->at, b->at, a->n_at * sizeof a->at[0]);
}

static void a_resolved_study_is_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "search: {}\n",
        every_key,
        "search: {method: random, gamma: [0.1234567890123456, 3.3333333333333335], epsilon: [1.0000000000000002e-10, 0.1], split: 0.30000000000000004}\n",
        "search: {method: sobol, low: [epsilon], mid: [epsilon], high: [epsilon], fc: [epsilon], absolute: [never], seeds: [3]}\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        const config *c = parsed(at_end(lines[i]), 0, NULL), *again = parsed(c->resolved, 0, NULL);
        assert_string_equal(again->resolved, c->resolved);
        assert_non_null(strstr(c->resolved, "\nsearch:\n"));
        assert_same(&again->search, &c->search);
    }
}

static void bad_sections_are_placed(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *part;
    } cases[] = {
        {"search: 3\n", "24:9: search: expected a section with the keys method, low, mid"},
        {"search:\n", "search: expected a section"},
        {"search: [bayes]\n", "24:9: search: expected a section"},
        {"search: {}\nsearch: {}\n", "search: the key is given a second time"},
        {"search: {metod: bayes}\n", "24:10: search.metod: unknown key; did you mean 'method'?"},
        {"search: {method: grid}\n", "24:18: search.method: expected one of exhaustive, random, sobol, bayes, halving, found 'grid'"},
        {"search: {low: epsilon}\n", "24:15: search.low: expected a list of any of epsilon, z-plus, gamma, alpha-beta, found 'epsilon'"},
        {"search: {low: []}\n", "24:15: search.low: expected a list of 1 to 8 elements, found 0"},
        {"search: {mid: [flat]}\n", "24:16: search.mid[0]: expected one of epsilon, z-plus, gamma, alpha-beta, found 'flat'"},
        {"search: {high: [gama]}\n", "search.high[0]: expected one of epsilon, z-plus, gamma, alpha-beta, found 'gama'; did you mean 'gamma'?"},
        {"search: {fc: [gamma, epsilon, gamma]}\n", "24:31: search.fc[2]: expected each choice once, found 'gamma' again"},
        {"search: {fc: [[gamma]]}\n", "search.fc[0]: expected one of epsilon, z-plus, gamma, alpha-beta, found a list"},
        {"search: {low: [epsilon, z-plus, gamma, alpha-beta, epsilon, z-plus, gamma, alpha-beta, gamma]}\n", "expected a list of 1 to 8 elements, found 9"},
        {"search: {absolute: [sample]}\n", "24:20: search.absolute: expected token, sum or never, found sample"},
        {"search: {absolute: [token, signed]}\n", "24:28: search.absolute[1]: expected one of token, sample, sum, never, found 'signed'"},
        {"search: {absolute: []}\n", "search.absolute: expected a list of 1 to 8 elements, found 0"},
        {"search: {softmax: [hard]}\n", "24:20: search.softmax[0]: expected one of epsilon, z-plus, z-plus-bias, cp, found 'hard'"},
        {"search: {softmax: [cp, cp]}\n", "search.softmax[1]: expected each choice once, found 'cp' again"},
        {"search: {continuous: yes}\n", "24:22: search.continuous: expected true or false, found 'yes'"},
        {"search: {method: halving, continuous: true}\n", "24:39: search.continuous: expected false with the method halving"},
        {"search: {objective: accuracy_at}\n", "24:21: search.objective: expected search.at beside it"},
        {"search: {at: [0.05, 0.07]}\n", "24:21: search.at[1]: expected one of the study's rates, found 0.07; the nearest is 0.05"},
        {"search: {at: []}\n", "24:14: search.at"},
        {"search: {eta: 1}\n", "24:15: search.eta: expected an integer in [2, 100], found 1"},
        {"search: {confidence: 1}\n", "24:22: search.confidence"},
        {"search: {first_images: 0}\n", "24:24: search.first_images"},
        {"search: {continuous: true}\n", "24:22: search.continuous: expected false with the method exhaustive, which cannot try all values, found true; take "
                                         "method: bayes"},
        {"search: {gamma: 1}\n", "24:17: search.gamma: expected a list of 2 numbers in [1e-06, 1000000], found 1"},
        {"search: {gamma: [1]}\n", "search.gamma: expected a list of exactly 2 elements, found 1"},
        {"search: {gamma: [1, 2, 3]}\n", "search.gamma: expected a list of exactly 2 elements, found 3"},
        {"search: {gamma: [0, 1]}\n", "24:18: search.gamma[0]: expected a number in [1e-06, 1000000], found 0"},
        {"search: {gamma: [1, inf]}\n", "search.gamma[1]: expected a number in [1e-06, 1000000], found 'inf'"},
        {"search: {gamma: [nan, 1]}\n", "search.gamma[0]: expected a number in [1e-06, 1000000], found 'nan'"},
        {"search: {gamma: [1, 1]}\n", "24:17: search.gamma: expected a smaller number and a larger one, found 1 and 1"},
        {"search: {gamma_fc: [2, 1]}\n", "24:20: search.gamma_fc: expected a smaller number and a larger one, found 2 and 1"},
        {"search: {alpha: [0.5, 2]}\n", "24:18: search.alpha[0]: expected a number in [1, 100], found 0.5"},
        {"search: {epsilon: [1e-13, 1]}\n", "24:20: search.epsilon[0]: expected a number in [1e-12, 1], found 1e-13"},
        {"search: {epsilon: [1e-9, 2]}\n", "24:26: search.epsilon[1]: expected a number in [1e-12, 1], found 2"},
        {"search: {trials: 0}\n", "24:18: search.trials: expected an integer in [1, 4096], found 0"},
        {"search: {trials: 4097}\n", "search.trials: expected an integer in [1, 4096], found 4097"},
        {"search: {batch: 0}\n", "24:17: search.batch: expected an integer in [1, 1024], found 0"},
        {"search: {batch: 1e99}\n", "search.batch: expected an integer in [1, 1024], found 1e99"},
        {"search: {seed: -1}\n", "24:16: search.seed: expected an integer in [0, 9007199254740992], found -1"},
        {"search: {seed: 9007199254740993}\n", "search.seed: expected an integer in [0, 9007199254740992], found 9007199254740993"},
        {"search: {seeds: 0}\n", "24:17: search.seeds: expected a list of seeds or a count in [1, 10000], found 0"},
        {"search: {seeds: []}\n", "24:17: search.seeds: expected a list of 1 to 10000 elements, found 0"},
        {"search: {seeds: [9, 9]}\n", "24:21: search.seeds[1]: expected distinct seeds, found 9 again; it is [0] already"},
        {"search: {seeds: [5, 2]}\n", "24:17: search.seeds: expected seeds that are not in tasks.seeds, on which the best settings are judged again, found 2"},
        {"search: {seeds: [-1]}\n", "24:18: search.seeds[0]: expected an integer in [0, 2^63), found -1"},
        {"search: {seeds: [9223372036854775808]}\n", "search.seeds[0]: expected an integer in [0, 2^63), found 9223372036854775808"},
        {"search: {seeds: {}}\n", "24:17: search.seeds: expected a list of seeds or a count"},
        {"search: {references: 7}\n", "24:22: search.references: expected one of tasks.references, found 7"},
        {"search: {references: [5]}\n", "24:22: search.references: expected an integer"},
        {"search: {split: 0}\n", "24:17: search.split: expected a number in [0.01, 0.99], found 0"},
        {"search: {split: 1}\n", "search.split: expected a number in [0.01, 0.99], found 1"},
        {"search: {objective: accuracy}\n",
         "24:21: search.objective: expected one of a_pr_mean, a_pr_trapezoid, area_parameters, area_macs, accuracy_at, found 'accuracy'"},
        {"search: {report: 0}\n", "24:18: search.report: expected an integer in [1, 100], found 0"},
        {"search: {report: \"3\"}\n", "24:18: search.report: expected an integer in [1, 100], found the quoted text '3'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = at_end(cases[i].lines);
        config *c;
        assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, cases[i].part, NULL);
        arena_reset(memory);
    }
}

/* The best settings become criteria, whose names are kept for them. */
static void names_of_the_best_are_taken(void **state)
{
    (void)state;
    const char *text = arena_text(memory, "%ssearch: {}\n", changed("name: random", "name: tuned-net"));
    config *c;
    assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG,
                 "24:9: search: expected no criterion whose name begins with 'tuned', as those of the best settings do, found 'tuned-net'", NULL);
    (void)parsed(changed("name: random", "name: tuned-net"), 0, NULL); /* without a search it is a name like others */
}

static void damaged_sections_never_crash(void **state)
{
    (void)state;
    damage_everywhere("search: {method: bayes, low: [gamma, epsilon], absolute: [never], continuous: true, alpha: [1, 2.5], seeds: [7, 8], split: 0.5}\n");
    damage_everywhere("search: {method: halving, eta: 2, confidence: 0.9, first_images: 0.5, first_rates: 2, first_seeds: 1, at: [0.05, 0.5], objective: accuracy_at}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(absent_means_nothing),
        TEST(defaults),
        TEST(every_key_counts),
        TEST(counted_seeds_follow_those_of_the_study),
        TEST(too_large_seeds_leave_none_to_search),
        TEST(many_references_are_read_again),
        TEST(every_method_and_objective_has_its_name),
        TEST(a_resolved_study_is_the_same),
        TEST(bad_sections_are_placed),
        TEST(names_of_the_best_are_taken),
        TEST(damaged_sections_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
