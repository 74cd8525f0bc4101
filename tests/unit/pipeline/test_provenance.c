#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/provenance.h"

static const char *command(arena *a, int argc, const char *const words[])
{
    char *argv[8];
    for (int i = 0; i < argc; i++) {
        argv[i] = arena_text(a, "%s", words[i]);
    }
    const char *text = provenance_command(a, argc, argv);
    assert_non_null(text);
    return text;
}

static void words_are_quoted_as_shells_read_them(void **state)
{
    (void)state;
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    assert_string_equal(command(a, 3, (const char *const[]){"pollard", "run", "a/b.yaml"}), "pollard run a/b.yaml");
    assert_string_equal(command(a, 2, (const char *const[]){"pollard", ""}), "pollard ''");
    assert_string_equal(command(a, 2, (const char *const[]){"x", "tasks.classes=[3, 10]"}),
                        "x 'tasks.classes=[3, 10]'");
    assert_string_equal(command(a, 2, (const char *const[]){"x", "it's"}), "x 'it'\\''s'");
    assert_string_equal(command(a, 2, (const char *const[]){"x", "''"}), "x ''\\'''\\'''");
    arena_close(&a);
}

/* A shell is the judge. */
static void a_shell_reads_them_back(void **state)
{
    (void)state;
    static const char *const words[] = {"printf", "%s|", "a b",  "$HOME `id`", "it's",
                                        "\"q\"",  "*",   "a\\b", "",           "\xc3\xa9;#"};
    char line[256] = "", *argv[COUNT(words)];
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    for (size_t i = 0; i < COUNT(words); i++) {
        argv[i] = arena_text(a, "%s", words[i]);
    }
    FILE *shell = popen(provenance_command(a, (int)COUNT(words), argv), "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(shell);
    assert_non_null(fgets(line, sizeof line, shell));
    assert_int_equal(pclose(shell), 0);
    assert_string_equal(line, "a b|$HOME `id`|it's|\"q\"|*|a\\b||\xc3\xa9;#|");
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_quoted_as_shells_read_them),
        cmocka_unit_test(a_shell_reads_them_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
