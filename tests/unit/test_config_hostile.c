#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "config_sample.h"

typedef struct bad_case {
    const char *from, *to;    /* in the good text; from NULL: `to` is the whole text */
    const char *place, *part; /* "line:column", and what the message holds */
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
     "data: expected a section with the keys reference, evaluation, reference_list, evaluation_list, sampling, found 'train'"},
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
     "random, found 'ltp'; did you mean 'lrp'?"},
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
    {"micro_batch: 8", "decode_threads: 65", "23:17", "decode_threads: expected an integer in [0, 64], found 65"},
    {"micro_batch: 8", "decode_threads: auto", "23:17", "found 'auto'"},
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
    /* rankings */
    {"    method: random", "    method: random\n    order: last-first", "18:12",
     "criteria[1].order: expected one of least-first, most-first, found 'last-first'; did you mean 'least-first'?"},
    {"    method: random", "    scope: local\n    method: random", "17:12",
     "criteria[1].scope: expected one of global, layer, found 'local'"},
    {"    method: random", "    method: random\n    floor: 1", "18:12",
     "criteria[1].floor: expected a number in [0, 1), found 1"},
    {"    method: random", "    method: random\n    floor: -0.1", "18:12", "expected a number in [0, 1), found -0.1"},
    {"    method: random", "    method: random\n    scope: layer\n    floor: 0.1", "19:12",
     "criteria[1].floor: expected 0 beside 'scope: layer', which takes the same share of every layer, found 0.1"},
    {"micro_batch: 8", "prediction: [masked]", "23:13", "prediction: expected one of restricted, masked, found a list"},
    {"epsilon: 1e-3", "absolute: yes", "15:15", "criteria[0].absolute: expected one of token, sample, sum, never, found 'yes'"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_bad_input_is_placed),
        TEST(hostile_yaml_gives_one_message),
        TEST(large_files_are_refused_quickly),
        TEST(damaged_studies_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
