/* Man pages in roff, from the texts of --help: pollard(1), pollard-run(1), ... and pollard-config(5), ... */
#include <ctype.h>
#include <string.h>

#include "pipeline/commands/help.h"
#include "revision.h"

enum { SECTION_COMMAND = 1, SECTION_TOPIC = 5 };

/* One letter; those that roff or a font would change are spelt out. */
static void put_letter(FILE *to, char letter)
{
    static const char letters[] = "\\-'`^~\"";
    static const char *const roff[] = {"\\e", "\\-", "\\(aq", "\\(ga", "\\(ha", "\\(ti", "\\(dq"};
    const char *at = letter == '\0' ? NULL : strchr(letters, letter);
    if (at != NULL) {
        (void)fputs(roff[at - letters], to);
    } else {
        (void)fputc(letter, to);
    }
}

/* A line of its own that is no request, even where it begins with a dot. */
static void put_plain(FILE *to, const char *text)
{
    (void)fputs("\\&", to);
    for (; *text != '\0'; text++) {
        put_letter(to, *text);
    }
}

/* Running text: `words` become bold, an empty line begins a paragraph. */
static void put_text(FILE *to, const char *text)
{
    bool bold = false;
    (void)fputs("\\&", to);
    for (; *text != '\0'; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            (void)fputs("\n.PP\n\\&", to);
            text++;
        } else if (*text == '`') {
            bold = !bold;
            (void)fputs(bold ? "\\fB" : "\\fR", to);
        } else {
            put_letter(to, *text);
        }
    }
    (void)fputc('\n', to);
}

static void put_heading(FILE *to, const char *page, int section, const char *summary)
{
    (void)fputs(".TH \"POLLARD", to);
    for (const char *p = page == NULL ? "" : page; *p != '\0'; p++) {
        (void)fprintf(to, "%s%c", p == page ? "\\-" : "", (char)toupper((unsigned char)*p));
    }
    (void)fprintf(to, "\" \"%d\" \"\" \"pollard %s\" \"Pollard\"\n.SH NAME\npollard%s%s \\- ", section, POLLARD_VERSION,
                  page == NULL ? "" : "\\-", page == NULL ? "" : page);
    put_text(to, summary);
}

static void put_option(FILE *to, const command_option *o)
{
    (void)fputs(".TP\n\\fB", to);
    for (const char *p = o->brief == NULL ? "" : o->brief; *p != '\0'; p++) {
        put_letter(to, *p);
    }
    (void)fputs(o->brief == NULL ? "" : "\\fR, \\fB", to);
    for (const char *p = o->name; *p != '\0'; p++) {
        put_letter(to, *p);
    }
    (void)fputs("\\fR", to);
    if (o->value != NULL) {
        (void)fprintf(to, " \\fI%s\\fR", o->value);
    }
    (void)fputc('\n', to);
    put_text(to, o->help);
}

/* Those of all commands. */
static void put_common_options(FILE *to)
{
    for (size_t i = 0; i < command_common_count; i++) {
        put_option(to, &command_common[i]);
    }
    for (size_t i = 0; i < help_option_count; i++) {
        put_option(to, &help_options[i]);
    }
}

/* The command as it is typed: neither filled nor justified. */
static void put_example(FILE *to, const command_example *e)
{
    (void)fputs(".PP\n.nf\n", to);
    put_plain(to, e->line);
    (void)fputs("\n.fi\n.RS 4\n", to);
    put_text(to, e->what);
    (void)fputs(".RE\n", to);
}

static void put_synopsis(FILE *to, const command_def *c)
{
    (void)fprintf(to, ".SH SYNOPSIS\n\\fBpollard %s\\fR", c->name);
    if (c->operand.name != NULL) {
        (void)fprintf(to, c->operand.required ? " \\fI%s\\fR" : " [\\fI%s\\fR]", c->operand.name);
    }
    for (size_t i = 0; i < c->n_options; i++) {
        const command_option *o = &c->options[i];
        (void)fputs(" [\\fB", to);
        for (const char *p = o->brief != NULL ? o->brief : o->name; *p != '\0'; p++) {
            put_letter(to, *p);
        }
        (void)fputs("\\fR", to);
        if (o->value != NULL) {
            (void)fprintf(to, " \\fI%s\\fR", o->value);
        }
        (void)fputs(o->kind == OPTION_SET ? "]..." : "]", to);
    }
    (void)fputc('\n', to);
}

static void put_exits(FILE *to)
{
    (void)fputs(".SH EXIT STATUS\n", to);
    for (size_t i = 0; i < help_exit_count; i++) {
        (void)fprintf(to, ".TP\n.B %d\n", help_exits[i].code);
        put_text(to, help_exits[i].what);
    }
}

static void put_see_also(FILE *to, const char *page)
{
    const char *divide = page == NULL ? "" : ", ";
    (void)fprintf(to, ".SH SEE ALSO\n%s", page == NULL ? "" : "\\fBpollard\\fR(1)");
    for (size_t i = 0; help_word(i) != NULL; i++) {
        if (page == NULL || strcmp(page, help_word(i)) != 0) {
            (void)fprintf(to, "%s\\fBpollard\\-%s\\fR(%d)", divide, help_word(i),
                          i < command_count ? SECTION_COMMAND : SECTION_TOPIC);
            divide = ", ";
        }
    }
    (void)fputc('\n', to);
}

static void page_of_command(FILE *to, const command_def *c)
{
    put_heading(to, c->name, SECTION_COMMAND, c->summary);
    put_synopsis(to, c);
    (void)fputs(".SH DESCRIPTION\n", to);
    put_text(to, c->text);
    (void)fputs(".SH OPTIONS\n", to);
    for (size_t i = 0; i < c->n_options; i++) {
        put_option(to, &c->options[i]);
    }
    put_common_options(to);
    if (c->n_examples > 0) {
        (void)fputs(".SH EXAMPLES\n", to);
    }
    for (size_t i = 0; i < c->n_examples; i++) {
        put_example(to, &c->examples[i]);
    }
    put_exits(to);
    put_see_also(to, c->name);
}

static void page_of_program(FILE *to)
{
    put_heading(to, NULL, SECTION_COMMAND, "explain a vision network, prune what is irrelevant, measure what is left");
    (void)fputs(".SH SYNOPSIS\n\\fBpollard\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIFILE\\fR]\n.SH DESCRIPTION\n",
                to);
    put_text(to, help_what);
    (void)fputs(".SH COMMANDS\n", to);
    for (size_t i = 0; i < command_count; i++) {
        (void)fprintf(to, ".TP\n\\fBpollard\\-%s\\fR(%d)\n", command_table[i]->name, SECTION_COMMAND);
        put_text(to, command_table[i]->summary);
    }
    (void)fputs(".SH TOPICS\n", to);
    for (size_t i = 0; i < help_topic_count; i++) {
        (void)fprintf(to, ".TP\n\\fBpollard\\-%s\\fR(%d)\n", help_topics[i].name, SECTION_TOPIC);
        put_text(to, help_topics[i].summary);
    }
    (void)fputs(".SH OPTIONS\n", to);
    put_common_options(to);
    put_exits(to);
    put_see_also(to, NULL);
}

/* As --help prints it, line by line; it goes through a file because it is printed to one. */
static status page_of_topic(FILE *to, const help_topic *t)
{
    char line[1024];
    FILE *text = tmpfile();
    if (text == NULL) {
        return FAIL(ST_ENVIRONMENT, "a temporary file cannot be made; is the folder of temporary files full?");
    }
    t->print(text);
    rewind(text);
    put_heading(to, t->name, SECTION_TOPIC, t->summary);
    (void)fputs(".SH DESCRIPTION\n.nf\n", to);
    while (fgets(line, sizeof line, text) != NULL) {
        const bool ends = line[0] != '\0' && line[strlen(line) - 1] == '\n';
        line[strcspn(line, "\n")] = '\0';
        put_plain(to, line);
        (void)fputs(ends ? "\n" : "", to);
    }
    (void)fputs(".fi\n", to);
    put_see_also(to, t->name);
    (void)fclose(text);
    return STATUS_OK;
}

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    const command_def *command = cl->topic == NULL ? NULL : command_find(cl->topic);
    const help_topic *topic = cl->topic == NULL ? NULL : help_topic_find(cl->topic);
    if (topic != NULL) {
        return page_of_topic(stdout, topic);
    }
    if (command != NULL) {
        page_of_command(stdout, command);
    } else {
        page_of_program(stdout);
    }
    return STATUS_OK;
}

static const command_example examples[] = {
    {"pollard man run | man -l -", "reads the page about `pollard run`"},
};

const command_def command_man = {
    .name = "man",
    .summary = "print a man page",
    .text = "Prints the man page about the program, about a command, or about one of the topics of `pollard help`, in "
            "roff. "
            "`cmake --install` puts all of them where `man pollard` finds them.",
    .operand = {.name = "PAGE", .what = "page", .word = help_word},
    .examples = examples,
    .n_examples = COUNT(examples),
    .run = run,
};
