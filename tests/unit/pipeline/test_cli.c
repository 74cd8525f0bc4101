#include "support/support.h"

#include <string.h>

#include "pipeline/commands/help.h"

enum { MOST_WORDS = 16, MOST_LETTERS = 64 };

typedef struct line {
    const char *words[MOST_WORDS]; /* behind "pollard", ended by NULL */
} line;

static status parse(line l, cli *out)
{
    static char kept[MOST_WORDS + 1][MOST_LETTERS]; /* cli points into it */
    char *argv[MOST_WORDS + 1];
    int argc = 0;
    (void)snprintf(kept[argc], MOST_LETTERS, "pollard");
    argv[argc++] = kept[0];
    for (size_t i = 0; l.words[i] != NULL; i++, argc++) {
        (void)snprintf(kept[argc], MOST_LETTERS, "%s", l.words[i]);
        argv[argc] = kept[argc];
    }
    return cli_parse(argc, argv, out);
}

static void a_full_run_line(void **state)
{
    (void)state;
    cli c;
    assert_ok(parse((line){{"run", "-v", "a.yaml", "-o", "r.h5", "--set", "a.b=1", "--set=c=x=y"}}, &c));
    assert_string_equal(c.command->name, "run");
    assert_string_equal(c.file, "a.yaml");
    assert_string_equal(c.output, "r.h5");
    assert_int_equal(c.n_sets, 2);
    assert_string_equal(c.sets[0], "a.b=1");
    assert_string_equal(c.sets[1], "c=x=y");
    assert_true(c.verbose);
    assert_ok(parse((line){{"run", "a.yaml", "--output=r.h5"}}, &c));
    assert_string_equal(c.output, "r.h5");
    assert_ok(parse((line){{"inspect", "f"}}, &c));
    assert_string_equal(c.command->name, "inspect");
}

static void help_is_found_everywhere(void **state)
{
    (void)state;
    const line with_topic[] = {{{"--help", "run"}}, {{"run", "--help"}}, {{"run", "x.yaml", "-h"}}, {{"help", "run"}}};
    cli c;
    for (size_t i = 0; i < COUNT(with_topic); i++) {
        assert_ok(parse(with_topic[i], &c));
        assert_string_equal(c.command->name, "help");
        assert_string_equal(c.topic, "run");
    }
    assert_ok(parse((line){{"--help"}}, &c));
    assert_null(c.topic);
    assert_ok(parse((line){{"run", "--version"}}, &c));
    assert_string_equal(c.command->name, "version");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    const struct {
        line l;
        const char *message;
    } cases[] = {
        {{{NULL}}, "expected a command"},
        {{{"rnu", "a"}}, "did you mean 'run'"},
        {{{"-o", "x"}}, "expected a command first"},
        {{{"run"}}, "expected the name of a file behind it, as in `pollard run CONFIG`"},
        {{{"run", "a", "b"}}, "'b': nothing more was expected here; `pollard run --help` tells"},
        {{{"run", "a", "-o"}}, "expected a value"},
        {{{"run", "a", "-o", ""}}, "found nothing"},
        {{{"run", "a", "--set", "x"}}, "expected KEY=VALUE"},
        {{{"run", "a", "--set", "=x"}}, "expected KEY=VALUE"},
        {{{"run", "a", "--sett", "x=1"}}, "did you mean '--set'? `pollard run --help` lists them all"},
        {{{"run", "a", "--wibble"}}, "unknown option '--wibble'; `pollard run --help` lists them all"},
        {{{"wibble"}}, "unknown command 'wibble'; `pollard --help` lists them all"},
        {{{"completion", "tcsh"}}, "completion: expected bash, zsh or fish, found 'tcsh'"},
        {{{"inspect", "a", "-o", "x"}}, "belongs to `pollard run`"},
        {{{"help", "confg"}}, "did you mean 'config'"},
        {{{"--help", "confg"}}, "did you mean 'config'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        cli c;
        assert_fails(parse(cases[i].l, &c), ST_USAGE, cases[i].message, NULL);
    }
}

static void help_names_every_criterion(void **state)
{
    (void)state;
    char text[16384] = "";
    FILE *to = tmpfile();
    assert_non_null(to);
    help_print(to, "criteria");
    help_print(to, NULL);
    help_print(to, "run");
    help_print(to, "inspect");
    rewind(to);
    const size_t n = fread(text, 1, sizeof text - 1, to);
    text[n] = '\0';
    (void)fclose(to);
    const char *const expected[] = {"lrp", "magnitude", "random", "epsilon", "pollard inspect", "--set", "Exit codes"};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_non_null(strstr(text, expected[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_run_line),
        cmocka_unit_test(help_is_found_everywhere),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_names_every_criterion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
