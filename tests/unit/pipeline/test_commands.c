/* Every command and every option of the tables appears in the help texts, in the man pages and in the completion of each shell. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/commands/help.h"

enum { TEXT_BYTES = 1 << 17 };
static char text[TEXT_BYTES];

/* What `pollard WORD TOPIC` prints to stdout, in `text`. */
static void print(const char *word, const char *topic)
{
    char words[3][64] = {"pollard", "", ""};
    char *argv[] = {words[0], words[1], words[2], NULL};
    cli cl;
    (void)snprintf(words[1], sizeof words[1], "%s", word);
    (void)snprintf(words[2], sizeof words[2], "%s", topic == NULL ? "" : topic);
    assert_ok(cli_parse(topic == NULL ? 2 : 3, argv, &cl));
    FILE *to = tmpfile();
    assert_non_null(to);
    assert_int_equal(fflush(stdout), 0);
    const int terminal = dup(STDOUT_FILENO);
    assert_true(terminal >= 0 && dup2(fileno(to), STDOUT_FILENO) >= 0);
    const status st = cl.command->run(NULL, &cl, 0, NULL);
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(terminal, STDOUT_FILENO) >= 0);
    (void)close(terminal);
    assert_ok(st);
    rewind(to);
    const size_t n = fread(text, 1, sizeof text - 1, to);
    text[n] = '\0';
    assert_true(n > 0 && n < sizeof text - 1);
    (void)fclose(to);
}

static void expect(const char *start, const char *end, const char *what)
{
    const char *at = strstr(start, what);
    if (at == NULL || (end != NULL && at >= end)) {
        fail_msg("'%s' is missing in:\n%.*s", what, end == NULL ? (int)strlen(start) : (int)(end - start), start);
    }
}

/* Calls check(option) for all that `pollard c` takes. */
static void each_option(const command_def *c, void (*check)(const command_option *o))
{
    for (size_t i = 0; i < c->n_options; i++) {
        check(&c->options[i]);
    }
    for (size_t i = 0; i < command_common_count; i++) {
        check(&command_common[i]);
    }
    for (size_t i = 0; i < help_option_count; i++) {
        check(&help_options[i]);
    }
}

static void in_help(const command_option *o)
{
    char entry[128];
    (void)snprintf(entry, sizeof entry, "\n  %-2s%s %s%s%s ", o->brief == NULL ? "" : o->brief,
                   o->brief == NULL ? " " : ",", o->name, o->value == NULL ? "" : " ",
                   o->value == NULL ? "" : o->value);
    expect(text, NULL, entry);
}

static void help_has_all(void **state)
{
    (void)state;
    print("help", NULL);
    for (size_t i = 0; i < command_count; i++) {
        char entry[128];
        (void)snprintf(entry, sizeof entry, "\n  %s ", command_table[i]->name);
        expect(text, NULL, entry);
    }
    for (size_t i = 0; help_word(i) != NULL; i++) {
        expect(text, NULL, help_word(i));
    }
    for (size_t i = 0; i < command_count; i++) {
        print("help", command_table[i]->name);
        each_option(command_table[i], in_help);
        for (size_t k = 0; k < command_table[i]->n_examples; k++) {
            expect(text, NULL, command_table[i]->examples[k].line);
        }
    }
}

/* As roff has it: "\fB\-o\fR, \fB\-\-output\fR \fIRESULT.h5\fR" */
static void in_man(const command_option *o)
{
    char name[64] = "", entry[192];
    for (const char *p = o->name; *p != '\0'; p++) {
        (void)snprintf(name + strlen(name), sizeof name - strlen(name), "%s%c", *p == '-' ? "\\" : "", *p);
    }
    (void)snprintf(entry, sizeof entry, "\\fB%s\\fR%s%s%s\n", name, o->value == NULL ? "" : " \\fI",
                   o->value == NULL ? "" : o->value, o->value == NULL ? "" : "\\fR");
    expect(text, NULL, entry);
    if (o->brief != NULL) {
        (void)snprintf(entry, sizeof entry, "\n\\fB\\%s\\fR, \\fB%s", o->brief, name);
        expect(text, NULL, entry);
    }
}

static void man_pages_have_all(void **state)
{
    (void)state;
    print("man", NULL);
    for (size_t i = 0; help_word(i) != NULL; i++) {
        char entry[128];
        (void)snprintf(entry, sizeof entry, "pollard\\-%s\\fR(%d)", help_word(i), i < command_count ? 1 : 5);
        expect(text, NULL, entry);
    }
    for (size_t i = 0; i < command_count; i++) {
        print("man", command_table[i]->name);
        each_option(command_table[i], in_man);
    }
}

static const char *part, *part_end; /* of `text`: what belongs to one command */

static void between(const char *start, const char *end)
{
    part = strstr(text, start);
    if (part == NULL) {
        fail_msg("'%s' is missing", start);
    }
    part_end = strstr(part + strlen(start), end);
}

static void in_bash(const command_option *o)
{
    char entry[64];
    (void)snprintf(entry, sizeof entry, "%s%s%s ", o->brief == NULL ? "" : o->brief, o->brief == NULL ? "" : " ",
                   o->name);
    expect(part, part_end, entry);
}

static void in_zsh(const command_option *o)
{
    char entry[64];
    (void)snprintf(entry, sizeof entry, "%s%s[", o->name, o->value == NULL ? "" : "=");
    expect(part, part_end, entry);
    if (o->brief != NULL) {
        (void)snprintf(entry, sizeof entry, "'%s[", o->brief);
        expect(part, part_end, entry);
    }
}

static const command_def *fish_command; /* NULL: of every command */

static void in_fish(const command_option *o)
{
    char entry[192];
    (void)snprintf(entry, sizeof entry, "\ncomplete -c pollard -n '%s%s' %s%s%s-l %s ",
                   fish_command == NULL ? "true" : "__fish_seen_subcommand_from ",
                   fish_command == NULL ? "" : fish_command->name, o->brief == NULL ? "" : "-s ",
                   o->brief == NULL ? "" : o->brief + 1, o->brief == NULL ? "" : " ", o->name + 2);
    expect(text, NULL, entry);
}

static void bash_has_all(void **state)
{
    (void)state;
    char start[64];
    print("completion", "bash");
    for (size_t i = 0; i < command_count; i++) {
        between("1:*) options=", ";;");
        expect(part, part_end, command_table[i]->name);
        (void)snprintf(start, sizeof start, "*:%s) options=", command_table[i]->name);
        between(start, ";;");
        each_option(command_table[i], in_bash);
    }
}

static void zsh_has_all(void **state)
{
    (void)state;
    char start[64];
    print("completion", "zsh");
    for (size_t i = 0; i < command_count; i++) {
        (void)snprintf(start, sizeof start, "'%s:", command_table[i]->name);
        expect(text, NULL, start);
        (void)snprintf(start, sizeof start, "\n        %s)\n", command_table[i]->name);
        between(start, ";;");
        each_option(command_table[i], in_zsh);
    }
}

static void fish_has_all(void **state)
{
    (void)state;
    print("completion", "fish");
    for (size_t i = 0; i < command_count; i++) {
        char entry[128];
        fish_command = command_table[i];
        (void)snprintf(entry, sizeof entry, "__fish_use_subcommand' -a %s -d ", fish_command->name);
        expect(text, NULL, entry);
        for (size_t k = 0; k < fish_command->n_options; k++) {
            in_fish(&fish_command->options[k]);
        }
        fish_command = NULL;
        each_option(&(command_def){.name = "none"}, in_fish);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_has_all), cmocka_unit_test(man_pages_have_all), cmocka_unit_test(bash_has_all),
        cmocka_unit_test(zsh_has_all),  cmocka_unit_test(fish_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
