#include <stdlib.h>

#include "config_sample.h"
#include "io/config_schema.h"

static const config *parse_good(const char *text, size_t n_sets, const char *const sets[])
{
    config *c = NULL;
    assert_ok(parse(text, strlen(text), n_sets, sets, &c));
    assert_non_null(c);
    return c;
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
    assert_int_equal(c->criteria[0].ranking.order, RANKING_LEAST_FIRST);
    assert_int_equal(c->criteria[0].ranking.scope, RANKING_GLOBAL);
    assert_true(c->criteria[0].ranking.floor == 0.0);
    assert_int_equal(c->prediction, PREDICTION_RESTRICTED);
    assert_int_equal(c->n_seeds, 5);
    assert_int_equal(c->seeds[4], 4);
    assert_int_equal(c->n_references, 1);
    assert_int_equal(c->references[0], 10);
    assert_int_equal(c->n_rates, 20);
    assert_string_equal(c->rate_text[19], "0.95");
    assert_int_equal(c->micro_batch, 16);
    assert_int_equal(c->decode_threads, 1);
    assert_string_equal(c->backend, "auto");
    assert_int_equal(c->rows, ROWS_STREAM);
    assert_non_null(strstr(c->resolved, "\nrows: stream\n"));
    assert_true(!c->spectrum && c->spectrum_lapack == 4096);
    assert_non_null(strstr(c->resolved, "\nspectrum: false\nspectrum_lapack: 4096\n"));
    assert_false(c->winograd);
    assert_non_null(strstr(c->resolved, "convolutions: direct\n"));
    assert_string_equal(c->output, "d.h5");
}

static const char *fact_of(const config_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_facts; i++) {
        if (strcmp(m->facts[i].name, name) == 0) {
            return m->facts[i].value;
        }
    }
    return "(absent)";
}

/* Where images come from and what is done with them; read, written, and read again. */
static void images_are_described(void **state)
{
    (void)state;
    static const char *const sets[] = {"data.reference_list=lists/train.txt", "data.evaluation_list=/abs/val.csv", "data.sampling=torch",
                                       "models[0].preprocess=torchvision", "models[0].evaluation_preprocess=reference",
                                       "models[1].preprocess=timm", "models[1].interpolation=bilinear", "models[1].crop_fraction=0.9"};
    const config *c = parse_good(good, COUNT(sets), sets);
    for (int round = 0; round < 2; round++) {
        assert_string_equal(c->reference_list, "configs/lists/train.txt");
        assert_string_equal(c->evaluation_list, "/abs/val.csv");
        assert_int_equal(c->sampling, SAMPLING_TORCH);
        assert_string_equal(fact_of(&c->models[0], "preprocess"), "torchvision");
        assert_string_equal(fact_of(&c->models[0], "evaluation_preprocess"), "reference");
        assert_string_equal(fact_of(&c->models[1], "preprocess"), "timm");
        assert_string_equal(fact_of(&c->models[1], "interpolation"), "bilinear");
        assert_string_equal(fact_of(&c->models[1], "crop_pct"), "0.9");
        c = parse_good(c->resolved, 0, NULL);
    }
    c = parse_good(good, 0, NULL);
    assert_null(c->reference_list);
    assert_null(c->evaluation_list);
    assert_int_equal(c->sampling, SAMPLING_POLLARD);
}

static void facts_are_canonical(void **state)
{
    (void)state;
    static const char *const sets[] = {"models[1].architecture=vit",  "models[1].image_size=16",
                                       "models[1].resize=48",         "models[1].crop=16x24",
                                       "models[1].mean=[0.50, 0, 1]", "models[1].std=[1, 5e-1, .25]"};
    static const char *const expected[][2] = {{"arch", "vit"},   {"image_size", "16x16"}, {"resize", "48"},
                                              {"crop", "16x24"}, {"mean", "0.5,0,1"},     {"std", "1,0.5,0.25"}};
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
    const char *const list[] = {
        "rates=[-0.0, 0.000000001, 5e-2, 350e-3, 0.50, .75, 0.9000000000000, 950000000000000e-15]"};
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
    static const char *const sets[] = {"models[0].mean=[0.5, 0.25, 0.125]",
                                       "models[0].resize=none",
                                       "models[1].image_size=224",
                                       "output='a \"b\" \\ #c: é'",
                                       "tasks.seeds=[9223372036854775807, 0]",
                                       "criteria[0].epsilon=0.1",
                                       "criteria[0].scope=layer",
                                       "criteria[1].order=most-first",
                                       "criteria[1].floor=0.25",
                                       "prediction=masked",
                                       "rates=[0, 0.3, 0.7]",
                                       "data.reference='null'"};
    const config *c = parse_good(good, COUNT(sets), sets);
    const config *again = parse_good(c->resolved, 0, NULL);
    assert_string_equal(again->resolved, c->resolved);
    assert_string_equal(again->output, "a \"b\" \\ #c: é");
    assert_string_equal(again->reference, "configs/null");
    assert_true(again->seeds[0] == INT64_MAX && again->seeds[1] == 0);
    assert_true(again->criteria[0].parameters[0] == 0.1);
    assert_int_equal(again->criteria[0].ranking.scope, RANKING_LAYER);
    assert_int_equal(again->criteria[1].ranking.order, RANKING_MOST_FIRST);
    assert_true(again->criteria[1].ranking.floor == 0.25);
    assert_int_equal(again->prediction, PREDICTION_MASKED);
    assert_string_equal(again->models[0].facts[2].value, "0.5,0.25,0.125");
    /* paths as they were written, defaults filled in */
    static const char *const parts[] = {"  evaluation: val\n",
                                        "    checkpoint: net/model.safetensors\n",
                                        "    components: [filters, heads]\n",
                                        "  seeds: [9223372036854775807, 0]\n",
                                        "rates: [0, 0.3, 0.7]\n",
                                        "micro_batch: 8\n",
                                        "decode_threads: 1\n",
                                        "    epsilon: 0.1\n",
                                        "    order: least-first\n    scope: layer\n    floor: 0\n",
                                        "    order: most-first\n    scope: global\n    floor: 0.25\n",
                                        "prediction: masked\n",
                                        "    image_size: 224x224\n",
                                        "    resize: none\n"};
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
    static const char *const sets[] = {"tasks.seeds=2",
                                       "rates.step=0.1",
                                       "models[0].name=x",
                                       "micro_batch=4",
                                       "decode_threads=3",
                                       "backend=onednn", /* built in or not */
                                       "rows=keep",
                                       "spectrum=true",
                                       "spectrum_lapack=300",
                                       "convolutions=winograd",
                                       "criteria[0].epsilon=0",
                                       "tasks.classes=[3]",
                                       "output=r=1.h5",
                                       "tasks.seeds=[7, 1]",
                                       "models[1].components=[neurons]",
                                       "criteria[1]={name: again, method: magnitude}"};
    const config *c = parse_good(good, COUNT(sets), sets);
    assert_int_equal(c->n_seeds, 2);
    assert_int_equal(c->seeds[0], 7); /* the later of two */
    assert_int_equal(c->n_rates, 10);
    assert_string_equal(c->models[0].name, "x");
    assert_int_equal(c->micro_batch, 4);
    assert_int_equal(c->decode_threads, 3);
    assert_string_equal(c->backend, "onednn");
    assert_non_null(strstr(c->resolved, "backend: onednn\n"));
    assert_int_equal(c->rows, ROWS_KEEP);
    assert_non_null(strstr(c->resolved, "\nrows: keep\n"));
    assert_true(c->spectrum && c->spectrum_lapack == 300);
    assert_non_null(strstr(c->resolved, "\nspectrum: true\nspectrum_lapack: 300\n"));
    assert_true(c->winograd);
    assert_non_null(strstr(c->resolved, "convolutions: winograd\n"));
    assert_true(c->criteria[0].parameters[0] == 0.0);
    assert_int_equal(c->n_tasks, 1);
    assert_string_equal(c->output, "r=1.h5");
    assert_int_equal(c->models[1].kinds[0], COMPONENT_NEURON);
    assert_string_equal(c->criteria[1].name, "again");
    assert_string_equal(c->criteria[1].method->name, "magnitude");
    const char *const whole[] = {"rates={}", "rates.to=0.5"};
    assert_int_equal(parse_good(good, 2, whole)->n_rates, 11);
    const char *const into_nothing[] = {"rates.step=0.5"};
    assert_int_equal(parse_good(changed("rates: {from: 0, to: 0.95, step: 0.05}", "rates:"), 1, into_nothing)->n_rates,
                     2);
}

/* Rankings do not change scores; every parameter of the method may. */
static void scoring_is_all_that_decides_scores(void **state)
{
    (void)state;
    const char *text = "study: d\ndata: {reference: a, evaluation: b}\nmodels: [{name: m, checkpoint: c}]\ntasks: {classes: [2]}\n"
                       "criteria:\n  - {name: a, method: lrp}\n  - {name: b, method: lrp, epsilon: 1e-6, order: most-first}\n"
                       "  - {name: c, method: lrp, scope: layer}\n  - {name: d, method: lrp, floor: 0.5}\n"
                       "  - {name: e, method: lrp, epsilon: 0.1}\n  - {name: f, method: lrp, absolute: never}\n"
                       "  - {name: g, method: random}\n";
    const config *c = parse_good(text, 0, NULL);
    for (size_t i = 0; i < c->n_criteria; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_equal(strcmp(c->scoring[i], c->scoring[k]) == 0, i < 4);
        }
    }
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
        {"tasks.seeds=",
         "--set tasks.seeds=: tasks.seeds: expected a list of seeds or a count in [1, 10000], found nothing"},
        {"tasks.classes=[3", "--set tasks.classes=[3: not YAML: "},
        {"tasks.classes=[3]\n---\n[4]", "expected one document"},
        {"rates=[0, 0.5, 1.2]", "--set rates=[0, 0.5, 1.2]: rates[2]: expected a number in [0, 1), found 1.2"},
        {"output=\033[2J", "found the control character 0x1b"},
        {"output=&a x", "anchors (&name) and aliases (*name) are not used"},
        {"data={reference: x}", "--set data={reference: x}: data: the key 'evaluation' is missing; expected a path"},
        {"prediction=maskd", "expected one of restricted, masked, found 'maskd'; did you mean 'masked'?"},
        {"backend=onedn", "expected one of auto, onednn, openblas, found 'onedn'; did you mean 'onednn'?"},
        {"rows=kep", "--set rows=kep: rows: expected one of stream, keep, auto, found 'kep'; did you mean 'keep'?"},
        {"rows=atuo", "expected one of stream, keep, auto, found 'atuo'; did you mean 'auto'?"},
        {"spectrum=yes", "--set spectrum=yes: spectrum: expected true or false, found 'yes'"},
        {"spectrum_lapack=0", "--set spectrum_lapack=0: spectrum_lapack: expected an integer in [1, 32768], found 0"},
        {"convolutions=wino", "--set convolutions=wino: convolutions: expected one of direct, winograd, found 'wino'"},
        {"micro_batch=\"8\"", "expected an integer in [1, 1024], found the quoted text '8'; leave out the quotes"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        config *c;
        assert_fails(parse(good, sizeof good - 1, 1, &cases[i].set, &c), ST_CONFIG, cases[i].message, NULL);
        assert_null(c);
    }
}

/* A criterion's section holds both kinds of keys. */
static void parameters_do_not_hide_the_keys_of_every_criterion(void **state)
{
    (void)state;
    for (size_t m = 0; m < criterion_count; m++) {
        for (size_t f = 0; f < criterion_table[m]->n_fields; f++) {
            for (size_t k = 0; k < CRITERION_KEYS; k++) {
                assert_string_not_equal(criterion_table[m]->fields[f].name, criterion_section.settings[k].field.name);
            }
        }
    }
}

/* A backend that is named must have what is asked for; `auto` takes what there is. */
static void a_backend_without_winograd_contradicts_it(void **state)
{
    (void)state;
    static const char *const sets[] = {"backend=openblas", "convolutions=winograd", "convolutions=direct"};
    config *c;
    assert_fails(parse(good, sizeof good - 1, 2, sets, &c), ST_CONFIG,
                 "--set convolutions=winograd: convolutions: expected direct, since `backend: openblas` has no other, found winograd",
                 "`backend: auto`", NULL);
    assert_false(parse_good(good, 3, sets)->winograd);
    assert_true(parse_good(good, 1, &sets[1])->winograd);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_study_is_read),
        TEST(absent_keys_get_their_defaults),
        TEST(images_are_described), TEST(facts_are_canonical),
        TEST(rates_are_exact_decimals),
        TEST(the_resolved_text_gives_the_same_study),
        TEST(overrides_win),
        TEST(scoring_is_all_that_decides_scores),
        TEST(bad_overrides_are_named),
        TEST(parameters_do_not_hide_the_keys_of_every_criterion),
        TEST(a_backend_without_winograd_contradicts_it),
        TEST(help_names_every_key),
        TEST(the_manual_agrees_with_the_tables),
        TEST(the_first_study_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
