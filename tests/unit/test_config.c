#include "support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/config.h"

/* Every key that can stand without another's help; bad inputs are made from it by one replacement. */
static const char good[] = "study: tiny\n"                                                                 /* 1 */
                           "data:\n"                                                                       /* 2 */
                           "  reference: train\n"                                                          /* 3 */
                           "  evaluation: val\n"                                                           /* 4 */
                           "models:\n"                                                                     /* 5 */
                           "  - name: net\n"                                                               /* 6 */
                           "    checkpoint: net/model.safetensors\n"                                       /* 7 */
                           "    components: [filters, heads]\n"                                            /* 8 */
                           "    heads: 4\n"                                                                /* 9 */
                           "  - name: other\n"                                                             /* 10 */
                           "    checkpoint: /abs/other.safetensors\n"                                      /* 11 */
                           "criteria:\n"                                                                   /* 12 */
                           "  - name: lrp-epsilon\n"                                                       /* 13 */
                           "    method: lrp\n"                                                             /* 14 */
                           "    epsilon: 1e-3\n"                                                           /* 15 */
                           "  - name: random\n"                                                            /* 16 */
                           "    method: random\n"                                                          /* 17 */
                           "tasks:\n"                                                                      /* 18 */
                           "  classes: [3, 10]\n"                                                          /* 19 */
                           "  seeds: 3\n"                                                                  /* 20 */
                           "  references: [5, 10]\n"                                                       /* 21 */
                           "rates: {from: 0, to: 0.95, step: 0.05}\n"                                      /* 22 */
                           "micro_batch: 8\n";                                                             /* 23 */

static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    status_clear(); /* what a failed test left */
    assert_ok(arena_open("test", &memory));
    return 0;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static status parse(const char *text, size_t size, size_t n_sets, const char *const sets[], config **out)
{
    const file_bytes bytes = {(const unsigned char *)text, size};
    *out = NULL;
    return config_parse(memory, "configs/s.yaml", bytes, n_sets, sets, out);
}

static const config *parse_good(const char *text, size_t n_sets, const char *const sets[])
{
    config *c = NULL;
    assert_ok(parse(text, strlen(text), n_sets, sets, &c));
    assert_non_null(c);
    return c;
}

/* The good text with the first `from` replaced by `to`. */
static const char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    assert_non_null(at);
    const char *text = arena_text(memory, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    assert_non_null(text);
    return text;
}

static void a_good_study_is_read(void **state)
{
    (void)state;
    const config *c = parse_good(good, 0, NULL);
    assert_string_equal(c->path, "configs/s.yaml");
    assert_string_equal(c->text, good);
    assert_string_equal(c->name, "tiny");
    assert_string_equal(c->reference, "configs/train");
    assert_string_equal(c->evaluation, "configs/val");
    assert_int_equal(c->n_models, 2);
    assert_string_equal(c->models[0].name, "net");
    assert_string_equal(c->models[0].checkpoint, "configs/net/model.safetensors");
    assert_int_equal(c->models[0].n_kinds, 2);
    assert_int_equal(c->models[0].kinds[0], COMPONENT_FILTER);
    assert_int_equal(c->models[0].kinds[1], COMPONENT_HEAD);
    assert_int_equal(c->models[0].n_facts, 1);
    assert_string_equal(c->models[0].facts[0].name, "num_heads");
    assert_string_equal(c->models[0].facts[0].value, "4");
    assert_string_equal(c->models[0].facts[0].source, "config");
    assert_string_equal(c->models[1].checkpoint, "/abs/other.safetensors");
    assert_int_equal(c->models[1].n_kinds, 0);
    assert_int_equal(c->models[1].n_facts, 0);
    assert_int_equal(c->n_criteria, 2);
    assert_string_equal(c->criteria[0].name, "lrp-epsilon");
    assert_string_equal(c->criteria[0].method->name, "lrp");
    assert_true(c->criteria[0].parameters[0] == 1e-3);
    assert_string_equal(c->criteria[1].method->name, "random");
    assert_int_equal(c->n_tasks, 2);
    assert_int_equal(c->task_classes[0], 3);
    assert_int_equal(c->task_classes[1], 10);
    assert_int_equal(c->n_seeds, 3);
    assert_int_equal(c->seeds[2], 2);
    assert_int_equal(c->n_references, 2);
    assert_int_equal(c->references[1], 10);
    assert_int_equal(c->n_rates, 20);
    assert_int_equal(c->micro_batch, 8);
    assert_string_equal(c->output, "tiny.h5");
}

static void absent_keys_get_their_defaults(void **state)
{
    (void)state;
    const char *text = "study: d\ndata: {reference: a, evaluation: b}\nmodels: [{name: m, checkpoint: c}]\n"
                       "criteria: [{name: x, method: lrp}]\ntasks: {classes: [2]}\n";
    const config *c = parse_good(text, 0, NULL);
    assert_true(c->criteria[0].parameters[0] == c->criteria[0].method->fields[0].def);
    assert_int_equal(c->n_seeds, 5);
    assert_int_equal(c->seeds[4], 4);
    assert_int_equal(c->n_references, 1);
    assert_int_equal(c->references[0], 10);
    assert_int_equal(c->n_rates, 20);
    assert_string_equal(c->rate_text[19], "0.95");
    assert_int_equal(c->micro_batch, 16);
    assert_string_equal(c->output, "d.h5");
}

static void facts_are_canonical(void **state)
{
    (void)state;
    static const char *const sets[] = {"models[1].architecture=vit", "models[1].image_size=16", "models[1].resize=48",
                                       "models[1].crop=16x24", "models[1].mean=[0.50, 0, 1]", "models[1].std=[1, 5e-1, .25]"};
    static const char *const expected[][2] = {{"arch", "vit"}, {"image_size", "16x16"}, {"resize", "48"},
                                              {"crop", "16x24"}, {"mean", "0.5,0,1"}, {"std", "1,0.5,0.25"}};
    const config *c = parse_good(good, COUNT(sets), sets);
    assert_int_equal(c->models[1].n_facts, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_string_equal(c->models[1].facts[i].name, expected[i][0]);
        assert_string_equal(c->models[1].facts[i].value, expected[i][1]);
    }
    static const char *const none[] = {"models[1].resize=none", "models[1].crop=none"};
    c = parse_good(good, COUNT(none), none);
    assert_string_equal(c->models[1].facts[0].value, "none");
    assert_string_equal(c->models[1].facts[1].value, "none");
}

static void rates_are_exact_decimals(void **state)
{
    (void)state;
    const config *c = parse_good(good, 0, NULL);
    for (size_t i = 0; i < c->n_rates; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "0.%02zu", 5 * i); /* hundredths, in integers */
        for (size_t n = strlen(text); n > 1 && (text[n - 1] == '0' || text[n - 1] == '.'); n--) {
            text[n - 1] = '\0';
        }
        assert_string_equal(c->rate_text[i], text);
        assert_true(c->rates[i] == strtod(text, NULL));
    }
    assert_true(c->rates[7] == 0.35 && 7 * 0.05 != 0.35); /* why steps are not multiplied in floating point */
    const char *const tenths[] = {"rates.step=0.1"};
    c = parse_good(good, 1, tenths);
    assert_int_equal(c->n_rates, 10);
    assert_string_equal(c->rate_text[3], "0.3");
    assert_true(c->rates[3] == 0.3);
    const char *const finest[] = {"rates={to: 0.999, step: 0.001}"};
    c = parse_good(good, 1, finest);
    assert_int_equal(c->n_rates, 1000);
    assert_string_equal(c->rate_text[999], "0.999");
    assert_true(c->rates[999] == 0.999);
    const char *const nine[] = {"rates={to: 0.01, step: 0.001000001}"};
    c = parse_good(good, 1, nine);
    assert_int_equal(c->n_rates, 10);
    assert_string_equal(c->rate_text[9], "0.009000009");
    const char *const list[] = {"rates=[-0.0, 0.000000001, 5e-2, 350e-3, 0.50, .75, 0.9000000000000, 950000000000000e-15]"};
    static const char *const expected[] = {"0", "0.000000001", "0.05", "0.35", "0.5", "0.75", "0.9", "0.95"};
    c = parse_good(good, 1, list);
    assert_int_equal(c->n_rates, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_string_equal(c->rate_text[i], expected[i]);
        assert_true(c->rates[i] == strtod(expected[i], NULL));
    }
    assert_true(c->rates[0] == 0.0 && !(1.0 / c->rates[0] < 0.0)); /* no negative zero */
}

static void the_resolved_text_gives_the_same_study(void **state)
{
    (void)state;
    static const char *const sets[] = {"models[0].mean=[0.5, 0.25, 0.125]", "models[0].resize=none", "models[1].image_size=224",
                                       "output='a \"b\" \\ #c: é'", "tasks.seeds=[9223372036854775807, 0]",
                                       "criteria[0].epsilon=0.1", "rates=[0, 0.3, 0.7]", "data.reference='null'"};
    const config *c = parse_good(good, COUNT(sets), sets);
    const config *again = parse_good(c->resolved, 0, NULL);
    assert_string_equal(again->resolved, c->resolved);
    assert_string_equal(again->output, "a \"b\" \\ #c: é");
    assert_string_equal(again->reference, "configs/null");
    assert_true(again->seeds[0] == INT64_MAX && again->seeds[1] == 0);
    assert_true(again->criteria[0].parameters[0] == 0.1);
    assert_string_equal(again->models[0].facts[2].value, "0.5,0.25,0.125");
    /* paths as they were written, defaults filled in */
    static const char *const parts[] = {"  evaluation: val\n", "    checkpoint: net/model.safetensors\n", "    components: [filters, heads]\n",
                                        "  seeds: [9223372036854775807, 0]\n", "rates: [0, 0.3, 0.7]\n", "micro_batch: 8\n",
                                        "    epsilon: 0.1\n", "    image_size: 224x224\n", "    resize: none\n"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        assert_non_null(strstr(c->resolved, parts[i]));
    }
    c = parse_good(good, 0, NULL);
    assert_non_null(strstr(c->resolved, "  seeds: [0, 1, 2]\n"));
    assert_non_null(strstr(c->resolved, "rates: [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35,"));
    assert_non_null(strstr(c->resolved, "output: tiny.h5\n"));
    assert_string_equal(parse_good(c->resolved, 0, NULL)->resolved, c->resolved);
}

static void overrides_win(void **state)
{
    (void)state;
    static const char *const sets[] = {"tasks.seeds=2",       "rates.step=0.1",         "models[0].name=x",
                                       "micro_batch=4",       "criteria[0].epsilon=0",  "tasks.classes=[3]",
                                       "output=r=1.h5",       "tasks.seeds=[7, 1]",     "models[1].components=[neurons]",
                                       "criteria[1]={name: again, method: magnitude}"};
    const config *c = parse_good(good, COUNT(sets), sets);
    assert_int_equal(c->n_seeds, 2);
    assert_int_equal(c->seeds[0], 7); /* the later of two */
    assert_int_equal(c->n_rates, 10);
    assert_string_equal(c->models[0].name, "x");
    assert_int_equal(c->micro_batch, 4);
    assert_true(c->criteria[0].parameters[0] == 0.0);
    assert_int_equal(c->n_tasks, 1);
    assert_string_equal(c->output, "r=1.h5");
    assert_int_equal(c->models[1].kinds[0], COMPONENT_NEURON);
    assert_string_equal(c->criteria[1].name, "again");
    assert_string_equal(c->criteria[1].method->name, "magnitude");
    const char *const whole[] = {"rates={}", "rates.to=0.5"};
    assert_int_equal(parse_good(good, 2, whole)->n_rates, 11);
    const char *const into_nothing[] = {"rates.step=0.5"};
    assert_int_equal(parse_good(changed("rates: {from: 0, to: 0.95, step: 0.05}", "rates:"), 1, into_nothing)->n_rates, 2);
}

typedef struct override_case {
    const char *set, *message;
} override_case;

static void bad_overrides_are_named(void **state)
{
    (void)state;
    static const override_case cases[] = {
        {"tasks.sedes=2", "--set tasks.sedes=2: tasks.sedes: unknown key; did you mean 'seeds'?"},
        {"task.seeds=2", "--set task.seeds=2: task: unknown key; did you mean 'tasks'?"},
        {"zzzzzzzzzzzz=1", "--set zzzzzzzzzzzz=1: zzzzzzzzzzzz: unknown key; allowed here: study, data, models,"},
        {"tasks.seeds", "--set tasks.seeds: expected key=value"},
        {"=3", "--set =3: expected key=value"},
        {"tasks.=3", "--set tasks.=3: expected key=value"},
        {"tasks seeds=3", "expected key=value"},
        {"models[0=3", "expected key=value"},
        {"models[]=3", "expected key=value"},
        {"models[-1].name=x", "expected key=value"},
        {"models[2].name=x", "--set models[2].name=x: models: expected an element from [0] to [1], found [2]"},
        {"models[99999999999999999999].name=x", "expected an element from [0] to [1]"},
        {"data[0]=x", "--set data[0]=x: data: is a section in the study file and has no element [0]"},
        {"models.name=x", "--set models.name=x: models: is a list in the study file and has no key 'name'"},
        {"study.name=x", "--set study.name=x: study: is 'tiny' in the study file and has no key 'name'"},
        {"tasks.seeds=", "--set tasks.seeds=: tasks.seeds: expected a list of seeds or a count in [1, 10000], found nothing"},
        {"tasks.classes=[3", "--set tasks.classes=[3: not YAML: "},
        {"tasks.classes=[3]\n---\n[4]", "expected one document"},
        {"rates=[0, 0.5, 1.2]", "--set rates=[0, 0.5, 1.2]: rates[2]: expected a number in [0, 1), found 1.2"},
        {"output=\033[2J", "found the control character 0x1b"},
        {"output=&a x", "anchors (&name) and aliases (*name) are not used"},
        {"data={reference: x}", "--set data={reference: x}: data: the key 'evaluation' is missing; expected a path"},
        {"micro_batch=\"8\"", "expected an integer in [1, 1024], found the quoted text '8'; leave out the quotes"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        config *c;
        assert_fails(parse(good, sizeof good - 1, 1, &cases[i].set, &c), ST_CONFIG, cases[i].message, NULL);
        assert_null(c);
    }
}

typedef struct bad_case {
    const char *from, *to;     /* in the good text; from NULL: `to` is the whole text */
    const char *place, *part;  /* "line:column", and what the message holds */
} bad_case;

static const bad_case bad_cases[] = {
    /* keys */
    {"micro_batch: 8", "micro_bach: 8", "23:1", "micro_bach: unknown key; did you mean 'micro_batch'?"},
    {"evaluation: val", "evaluation: val\n  banana: x", "5:3",
     "data.banana: unknown key; allowed here: reference, evaluation"},
    {"    heads: 4", "    head: 4", "9:5", "models[0].head: unknown key; did you mean 'heads'?"},
    {"    epsilon: 1e-3", "    epsilom: 1e-3", "15:5", "criteria[0].epsilom: unknown key; did you mean 'epsilon'?"},
    {"    method: random", "    method: random\n    epsilon: 1", "18:5",
     "criteria[1].epsilon: unknown key; allowed here: name, method"},
    {"step: 0.05", "setp: 0.05", "22:28", "rates.setp: unknown key; did you mean 'step'?"},
    {"micro_batch: 8", "micro_batch: 8\nstudy: b", "24:1",
     "study: the key is given a second time; it stands already in line 1"},
    {"  seeds: 3", "  seeds: 3\n  seeds: 3", "21:3", "tasks.seeds: the key is given a second time"},
    {"study: tiny\n", "", "1:1", "the key 'study' is missing"},
    {"data:\n  reference: train\n  evaluation: val\n", "", "1:1",
     "the key 'data' is missing; expected a section with the keys reference"},
    {"  reference: train\n", "", "3:3", "data: the key 'reference' is missing; expected a path"},
    {"    checkpoint: net/model.safetensors\n", "", "6:5", "models[0]: the key 'checkpoint' is missing"},
    {"    method: lrp\n    epsilon: 1e-3\n", "", "13:5",
     "criteria[0]: the key 'method' is missing; expected one of lrp, "},
    {"  classes: [3, 10]\n", "", "19:3",
     "tasks: the key 'classes' is missing; expected a list of integers in [2, 100000]"},
    {"study: tiny", "<<: {study: a}", "1:1", "merge keys (<<) are not used in study files"},
    {"study: tiny", "[a]: tiny", "1:1", "expected a key, found a list"},
    {"study: tiny", ": tiny", "1:", "expected a key, found none"},
    /* names, texts, paths */
    {"study: tiny", "study:", "1:1", "study: expected a name, found nothing"},
    {"study: tiny", "study: null", "1:8", "study: expected a name, found nothing"},
    {"study: tiny", "study: [tiny]", "1:8", "study: expected a name, found a list"},
    {"study: tiny", "study: a/b", "1:8",
     "expected a name (at most 64 letters, digits, _ - and ., the first a letter, digit or _), found 'a/b'"},
    {"study: tiny", "study: ..", "1:8", "found '..'"},
    {"study: tiny", "study: 01234567890123456789012345678901234567890123456789012345678901234", "1:8",
     "expected a name (at most 64"},
    {"name: other", "name: net", "10:11",
     "models[1].name: expected a name of its own, found 'net', which models[0] has already"},
    {"name: random", "name: lrp-epsilon", "16:11",
     "criteria[1].name: expected a name of its own, found 'lrp-epsilon', which criteria[0]"},
    {"reference: train", "reference: \"a\\nb\"", "3:14",
     "data.reference: expected a path without control characters or line ends, found the quoted text 'a\\x0ab'"},
    {"reference: train", "reference: \"a\\0b\"", "3:14", "found the quoted text 'a\\x00b'"},
    {"reference: train", "reference: \"\"", "3:14", "expected a path, found the quoted text ''"},
    {"reference: train", "reference: {a: b}", "3:", "expected a path, found a section"},
    /* sections and lists */
    {"data:\n  reference: train\n  evaluation: val", "data: train", "2:7",
     "data: expected a section with the keys reference, evaluation, found 'train'"},
    {"components: [filters, heads]", "components: filters", "8:17",
     "expected a list of any of filters, neurons, heads, found 'filters'"},
    {"components: [filters, heads]", "components: []", "8:17", "expected a list of 1 to 3 elements, found 0"},
    {"[filters, heads]", "[filters, hats]", "8:27",
     "models[0].components[1]: expected one of filters, neurons, heads, found 'hats'"},
    {"[filters, heads]", "[filter]", "8:18", "did you mean 'filters'?"},
    {"[filters, heads]", "[heads, filters, heads]", "8:34",
     "components[2]: expected each kind once, found 'heads' again"},
    {"[filters, heads]", "[filters, [heads]]", "8:27", "found a list"},
    {"    method: lrp", "    method: ltp", "14:13",
     "criteria[0].method: expected one of lrp, magnitude, random, found 'ltp'; did you mean 'lrp'?"},
    {"    heads: 4", "    mean: [0.5, 0.5]", "9:11", "models[0].mean: expected a list of exactly 3 elements, found 2"},
    {"    heads: 4", "    std: [0.5, 0, 0.5]", "9:16", "models[0].std[1]: expected a number in [0.001, 1], found 0"},
    {"    heads: 4", "    image_size: 16by16", "9:17", "expected a size N or HxW in [1, 65535], found '16by16'"},
    {"    heads: 4", "    resize: 0x16", "9:13", "expected none or size N or HxW in [1, 65535], found '0x16'"},
    {"    heads: 4", "    crop: 16x", "9:11", "found '16x'"},
    {"    heads: 4", "    crop: 99999999999999999999x1", "9:11", "found '99999999999999999999x1'"},
    /* numbers */
    {"micro_batch: 8", "micro_batch: 0", "23:14", "micro_batch: expected an integer in [1, 1024], found 0"},
    {"micro_batch: 8", "micro_batch: 1025", "23:14", "found 1025"},
    {"micro_batch: 8", "micro_batch: -8", "23:14", "found -8"},
    {"micro_batch: 8", "micro_batch: 8.0", "23:14", "found 8.0"},
    {"micro_batch: 8", "micro_batch: 010", "23:14", "found 010"},
    {"micro_batch: 8", "micro_batch: 18446744073709551624", "23:14",
     "expected an integer in [1, 1024], found 18446744073709551624"},
    {"micro_batch: 8", "micro_batch: many", "23:14", "found 'many'"},
    {"    heads: 4", "    heads: '4'", "9:12",
     "models[0].heads: expected an integer in [1, 4096], found the quoted text '4'; leave out the quotes"},
    {"epsilon: 1e-3", "epsilon: 2", "15:14", "criteria[0].epsilon: expected a number in [0, 1], found 2"},
    {"epsilon: 1e-3", "epsilon: .nan", "15:14", "expected a number in [0, 1], found '.nan'"},
    {"epsilon: 1e-3", "epsilon: nan", "15:14", "found 'nan'"},
    {"epsilon: 1e-3", "epsilon: 0x1p-3", "15:14", "found '0x1p-3'"},
    {"epsilon: 1e-3", "epsilon: 1e999", "15:14", "expected a number in [0, 1], found 1e999"},
    {"epsilon: 1e-3", "epsilon: 1e", "15:14", "found 1e"},
    {"epsilon: 1e-3", "epsilon:", "15:5", "criteria[0].epsilon: expected a number in [0, 1], found nothing"},
    {"epsilon: 1e-3", "absolute: yes", "15:15", "criteria[0].absolute: expected true or false, found 'yes'"},
    /* tasks */
    {"classes: [3, 10]", "classes: 3", "19:12", "tasks.classes: expected a list of integers in [2, 100000], found 3"},
    {"classes: [3, 10]", "classes: [1, 10]", "19:13", "tasks.classes[0]: expected an integer in [2, 100000], found 1"},
    {"classes: [3, 10]", "classes: [10, 3]", "19:17",
     "tasks.classes[1]: expected more than 10 (the list ascends), found 3"},
    {"classes: [3, 10]", "classes: [3, 3]", "19:16", "expected more than 3"},
    {"references: [5, 10]", "references: [0]", "21:16",
     "tasks.references[0]: expected an integer in [1, 1000000], found 0"},
    {"references: [5, 10]", "references: []", "21:15", "expected a list of 1 to 100 elements, found 0"},
    {"seeds: 3", "seeds: 0", "20:10", "tasks.seeds: expected a list of seeds or a count in [1, 10000], found 0"},
    {"seeds: 3", "seeds: 10001", "20:10", "found 10001"},
    {"seeds: 3", "seeds: [4, 2, 4]", "20:17",
     "tasks.seeds[2]: expected distinct seeds, found 4 again; it is [0] already"},
    {"seeds: 3", "seeds: [9223372036854775808]", "20:11",
     "expected an integer in [0, 2^63), found 9223372036854775808"},
    /* rates */
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 0.5, 0.75, 1.2]", "22:23",
     "rates[3]: expected a number in [0, 1), found 1.2"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 0.5, 1]", "22:17", "rates[2]: expected a number in [0, 1), found 1"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 0.99999999999999999999]", "22:12",
     "expected a number in [0, 1), found 0.99999999999999999999"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0.05, 0.1]", "22:9",
     "rates[0]: expected 0, found 0.05; the first rate has to be 0, which measures the accuracy before pruning"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 0.5, 0.50]", "22:17",
     "rates[2]: expected a rate above the one before it (rates ascend), found 0.50"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 0.1234567891]", "22:12",
     "expected a number with at most 9 decimal places, found 0.1234567891"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 1e-10]", "22:12",
     "expected a number with at most 9 decimal places, found 1e-10"},
    {"{from: 0, to: 0.95, step: 0.05}", "[0, 1e-99999999999999999999]", "22:12",
     "expected a number with at most 9 decimal places"},
    {"{from: 0, to: 0.95, step: 0.05}", "[]", "22:8", "expected a list of 1 to 1000 elements, found 0"},
    {"{from: 0, to: 0.95, step: 0.05}", "0.5", "22:8",
     "rates: expected a section of from, to, step or list of ascending numbers in [0, 1), found 0.5"},
    {"from: 0,", "from: 0.1,", "22:15", "rates.from: expected 0, found 0.1; the first rate has to be 0"},
    {"to: 0.95", "to: 1", "22:22", "rates.to: expected a number in [0, 1), found 1"},
    {"step: 0.05", "step: 0", "22:34", "rates.step: expected a number in [0.001, 1), found 0"},
    {"step: 0.05", "step: -0.05", "22:34", "rates.step: expected a number in [0.001, 1), found -0.05"},
};

static void every_bad_input_is_placed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_cases); i++) {
        const bad_case *b = &bad_cases[i];
        const char *text = changed(b->from, b->to);
        char place[64];
        config *c;
        (void)snprintf(place, sizeof place, "configs/s.yaml:%s", b->place);
        const status st = parse(text, strlen(text), 0, NULL, &c);
        if (status_ok(st) || strncmp(status_message(), place, strlen(place)) != 0) {
            fail_msg("case %zu (%s): expected an error at %s, got: %s", i, b->to, place, status_message());
        }
        assert_fails(st, ST_CONFIG, b->part, NULL);
        assert_null(c);
        arena_reset(memory);
    }
}

typedef struct hostile_case {
    const char *text;
    size_t size; /* 0: strlen */
    const char *place, *part;
} hostile_case;

static const hostile_case hostile_cases[] = {
    {"", 0, "1:1: ", "expected a study, found an empty file"},
    {"# only a comment\n", 0, "1:1: ", "expected a study, found an empty file"},
    {"---\n...\n", 0, "1:1: ", "found an empty file"},
    {"~\n", 0, "1:1: ", "found an empty file"},
    {"- a\n- b\n", 0, "1:1: ", "expected keys like study: and data:, found a list"},
    {"hello\n", 0, "1:1: ", "expected keys like study: and data:, found 'hello'"},
    {"study: a\n---\nstudy: b\n", 0, "2:1: ", "expected one document, found the start of another (---)"},
    {"study: &x a\ndata: *x\n", 0, "1:11: ", "anchors (&name) and aliases (*name) are not used in study files"},
    {"study: *x\n", 0, "1:9: ", "anchors (&name) and aliases (*name) are not used"},
    {"study: !!str a\n", 0, "1:14: ", "tags (!name) are not used in study files"},
    {"study: !x\n", 0, "1:1: ", "tags (!name) are not used"},
    {"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", 0, "1:7: ", "anchors"},
    {"study: a\ndata: [1, 2\n", 0, "3:1: ", "not YAML: "},
    {"study: a\ndata:\n\t- b\n", 0, "3:1: ", "not YAML: "},
    {"study: \"a\n", 0, "1:9: ", "not YAML: double-quoted scalar without closing quote"},
    {"study: a: b\n", 0, "1:9: ", "not YAML: "},
    {"study: a]\ndata: ]\n", 0, "2:7: ", "not YAML: "},
    {"study: a\0b\n", 11, "1:9: ", "expected text, found the control character 0x00"},
    {"study: a\n\0", 10, "2:1: ", "found the control character 0x00"},
    {"study: a\033[2J\n", 0, "1:9: ", "found the control character 0x1b"},
    {"study: \xc3\xa9\xff\n", 0, "1:9: ", "expected UTF-8, found the byte 0xff"},
    {"study: \xc0\xaf\n", 0, "1:8: ", "expected UTF-8, found the byte 0xc0"},
    {"study: \xed\xa0\x80\n", 0, "1:8: ", "expected UTF-8, found the byte 0xed"},
    {"study: \xf4\x90\x80\x80\n", 0, "1:8: ", "expected UTF-8, found the byte 0xf4"},
    {"study: \xe2\x82", 0, "1:8: ", "expected UTF-8, found the byte 0xe2"},
    {"study: \xc2\x9b\n", 0, "1:8: ", "found the control character 0x9b"},
    {"a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", 0, "1:19: ", "expected at most 16 levels of nesting"},
    {"\xc3\xa9: {\xc3\xa9: [\xc3\xa9, \"]\n", 0, "1:", "not YAML"},
};

/* What a call prints to stderr and stdout, as a number of bytes. */
static status parse_watched(const char *text, size_t size, config **out, long *printed)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/printed", scratch_folder());
    (void)fflush(NULL);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), was_out = dup(1), was_err = dup(2);
    assert_true(fd >= 0 && was_out >= 0 && was_err >= 0);
    assert_true(dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
    const status st = parse(text, size, 0, NULL, out);
    (void)fflush(NULL);
    assert_true(dup2(was_out, 1) == 1 && dup2(was_err, 2) == 2);
    *printed = (long)lseek(fd, 0, SEEK_END);
    (void)close(was_out);
    (void)close(was_err);
    (void)close(fd);
    (void)unlink(path);
    return st;
}

static void hostile_yaml_gives_one_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostile_cases); i++) {
        const hostile_case *h = &hostile_cases[i];
        char place[64];
        config *c;
        long printed = 0;
        (void)snprintf(place, sizeof place, "configs/s.yaml:%s", h->place);
        const status st = parse_watched(h->text, h->size > 0 ? h->size : strlen(h->text), &c, &printed);
        if (status_ok(st) || strncmp(status_message(), place, strlen(place)) != 0) {
            fail_msg("case %zu: expected an error at %s, got: %s", i, place, status_message());
        }
        assert_null(strchr(status_message(), '\n'));
        assert_fails(st, ST_CONFIG, h->part, NULL);
        assert_int_equal(printed, 0);
    }
}

/* `unit` repeated after `head` up to about `size` bytes. */
static const char *repeated(const char *head, const char *unit, size_t size)
{
    const size_t n = strlen(unit);
    char *text = arena_alloc(memory, size + n + strlen(head) + 1, 1);
    assert_non_null(text);
    size_t used = (size_t)snprintf(text, size, "%s", head);
    for (; used < size; used += n) {
        memcpy(text + used, unit, n);
    }
    return text;
}

static void large_files_are_refused_quickly(void **state)
{
    (void)state;
    enum { MEBI = 1 << 20 };
    static const struct {
        const char *head, *unit, *part;
        size_t size;
    } cases[] = {
        {"study: a\n", "# padding\n", "expected at most 1048576 bytes", MEBI + 1},
        {"a: ", "[", "expected at most 16 levels of nesting", MEBI - 16},
        {"", "- ", "expected at most 16 levels of nesting", MEBI - 16},
        {"", "? ", "expected a key", MEBI - 16},
        {"a: ", "{a: ", "expected at most 16 levels of nesting", MEBI - 16},
        {"seeds: [", "1,", "expected at most 100000 values", MEBI - 16},
        {"", "k: v\n", "expected at most 100000 values", MEBI - 16},
        {"study: ", "x", "the key 'data' is missing", MEBI - 16}, /* one long text is YAML */
        {"study: \"", "x", "not YAML", MEBI - 16},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = repeated(cases[i].head, cases[i].unit, cases[i].size);
        config *c;
        assert_fails(parse(text, strlen(text), 0, NULL, &c), ST_CONFIG, cases[i].part, NULL);
        arena_reset(memory);
    }
}

static void check_read_or_refused(const char *text, size_t size)
{
    config *c;
    const status st = parse(text, size, 0, NULL, &c);
    if (!status_ok(st)) {
        assert_fails(st, ST_CONFIG, "configs/s.yaml:", NULL);
    }
    arena_reset(memory);
}

/* Every beginning of a good study, and the study with any one byte changed, is read or refused with a place. */
static void damaged_studies_never_crash(void **state)
{
    (void)state;
    static const char damage[] = "[{\"&\t\xe9:-";
    static char text[sizeof good];
    for (size_t i = 0; i < sizeof good - 1; i++) {
        check_read_or_refused(good, i);
        for (size_t kind = 0; kind < sizeof damage - 1; kind++) {
            memcpy(text, good, sizeof good);
            text[i] = damage[kind];
            check_read_or_refused(text, sizeof good - 1);
        }
    }
}

static const char *help_text(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    config_print_help(file);
    const long size = ftell(file);
    assert_true(size > 0);
    char *text = arena_alloc(memory, (size_t)size + 1, 1);
    assert_non_null(text);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    (void)fclose(file);
    return text;
}

static void help_names_every_key(void **state)
{
    (void)state;
    const char *help = help_text();
    const config *c = parse_good(good, 0, NULL);
    for (const char *line = c->resolved; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        char key[64];
        if (sscanf(line, " - %63[a-z_]:", key) == 1 || sscanf(line, " %63[a-z_]:", key) == 1) {
            assert_non_null(strstr(help, key));
        }
    }
    for (size_t m = 0; m < criterion_count; m++) {
        assert_non_null(strstr(help, criterion_table[m]->help));
    }
}

/* docs/config.md holds the help between two markers, so neither can change without the other. */
static void the_manual_agrees_with_the_tables(void **state)
{
    (void)state;
    static const char begin[] = "<!-- begin: pollard --help config -->\n```text\n", end[] = "```\n<!-- end -->\n";
    file_bytes doc;
    assert_ok(file_read(memory, source_path("docs/config.md"), (size_t)1 << 20, &doc));
    const char *from = strstr((const char *)doc.data, begin);
    assert_non_null(from);
    from += strlen(begin);
    const char *to = strstr(from, end);
    assert_non_null(to);
    const char *shown = arena_text(memory, "%.*s", (int)(to - from), from);
    assert_non_null(shown);
    assert_string_equal(shown, help_text());
}

static void the_first_study_is_good(void **state)
{
    (void)state;
    file_bytes text;
    config *c = NULL;
    assert_ok(file_read(memory, source_path("configs/digits.yaml"), (size_t)1 << 20, &text));
    assert_ok(config_parse(memory, "configs/digits.yaml", text, 0, NULL, &c));
    assert_int_equal(c->n_models, 3);
    assert_int_equal(c->n_criteria, 3);
    assert_int_equal(c->n_seeds, 5);
    assert_int_equal(c->n_tasks, 2);
    assert_int_equal(c->n_rates, 20);
    assert_string_equal(c->reference, "configs/../examples/digits/data/train");
    config *again = NULL;
    const file_bytes resolved = {(const unsigned char *)c->resolved, strlen(c->resolved)};
    assert_ok(config_parse(memory, "configs/digits.yaml", resolved, 0, NULL, &again));
    assert_string_equal(again->resolved, c->resolved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_memory, close_memory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_study_is_read),
        TEST(absent_keys_get_their_defaults),
        TEST(facts_are_canonical),
        TEST(rates_are_exact_decimals),
        TEST(the_resolved_text_gives_the_same_study),
        TEST(overrides_win),
        TEST(bad_overrides_are_named),
        TEST(every_bad_input_is_placed),
        TEST(hostile_yaml_gives_one_message),
        TEST(large_files_are_refused_quickly),
        TEST(damaged_studies_never_crash),
        TEST(help_names_every_key),
        TEST(the_manual_agrees_with_the_tables),
        TEST(the_first_study_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
