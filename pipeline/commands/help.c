#include "pipeline/commands/help.h"

#include <string.h>

#include "io/config.h"
#include "io/config_schema.h"
#include "pipeline/doctor/check.h"

enum { WIDTH = 100, MARGIN = 2, GAP = 2 };

const char help_what[] =
    "Pollard explains a trained vision network on reference images, removes what the explanation calls "
    "irrelevant, and measures what is left.";

const command_option help_options[] = {
    {"--help", "-h", OPTION_FLAG, 0, NULL, "more about this"},
    {"--version", NULL, OPTION_FLAG, 0, NULL, "versions of the program and its libraries"},
};
const size_t help_option_count = COUNT(help_options);

const help_exit help_exits[] = {
    {ST_OK, "done"},
    {ST_USAGE, "command line"},
    {ST_DATA, "bad data"},
    {ST_NO_INPUT, "input missing"},
    {ST_ENVIRONMENT, "environment"},
    {ST_BUG, "a bug of ours"},
    {ST_CANT_WRITE, "cannot write"},
    {ST_STOPPED, "stopped early"},
    {ST_CONFIG, "bad config"},
};
const size_t help_exit_count = COUNT(help_exits);

static void print_field(FILE *to, const field *f)
{
    const setting s = {.field = *f};
    (void)fprintf(to, "    %-12s %s, default %s: %s\n", f->name, setting_form(&s).text, value_text(&s, f->def).text, f->help);
}

/* "    rules        epsilon, gamma, ...": where a method takes a composite. */
static void print_names(FILE *to, const setting *s)
{
    (void)fprintf(to, "    %-12s ", s->field.name);
    for (size_t i = 0; setting_choice(s, i) != NULL; i++) {
        (void)fprintf(to, "%s%s", i == 0 ? "" : ", ", setting_choice(s, i));
    }
    (void)fputc('\n', to);
}

static void print_criteria(FILE *to)
{
    (void)fprintf(to, "Methods that score components, as `method:` of a criterion in the config, with their keys:\n");
    for (size_t i = 0; i < criterion_count; i++) {
        const criterion_def *c = criterion_table[i];
        (void)fprintf(to, "\n  %s: %s\n", c->name, c->help);
        for (size_t k = 0; k < c->n_fields; k++) {
            print_field(to, &c->fields[k]);
        }
        if (c->takes_composite) {
            (void)fprintf(to, "    %-12s %s: %s\n", composite_setting.field.name, composite_setting.form, composite_setting.field.help);
            print_names(to, &preset_section.settings[PRESET_NAME]);
            print_names(to, &entry_section.settings[ENTRY_RULE]);
        }
    }
    (void)fputs("\nKeys of a criterion of any method:\n", to);
    for (size_t k = CRITERION_METHOD + 1; k < CRITERION_KEYS; k++) {
        const setting *s = &criterion_section.settings[k];
        (void)fprintf(to, "    %-12s %s: %s\n", s->field.name, setting_form(s).text, s->field.help);
    }
}

static void print_rules(FILE *to)
{
    (void)fputs("Relevance rules for the entries of `composite:`, and the presets, lists of entries that have a name; each with\n"
                "its own keys. Formulas and sources are in docs/attribution.md, how to write a list in docs/composites.md.\n", to);
    config_print_rules(to);
}

static void print_checks(FILE *to)
{
    (void)fputs("What `pollard doctor` looks at, in this order:\n\n", to);
    for (size_t i = 0; i < check_count; i++) {
        (void)fprintf(to, "  %-12s %s\n", check_table[i]->name, check_table[i]->help);
    }
}

const help_topic help_topics[] = {
    {"config", "every key of a study file, with its default and range", config_print_help},
    {"criteria", "every criterion, with its parameters", print_criteria},
    {"rules", "every relevance rule and every named composite, with their parameters", print_rules},
    {"checks", "what `pollard doctor` checks", print_checks},
};
const size_t help_topic_count = COUNT(help_topics);

const help_topic *help_topic_find(const char *name)
{
    for (size_t i = 0; i < help_topic_count; i++) {
        if (strcmp(help_topics[i].name, name) == 0) {
            return &help_topics[i];
        }
    }
    return NULL;
}

const char *help_word(size_t i)
{
    if (i < command_count) {
        return command_table[i]->name;
    }
    return i - command_count < help_topic_count ? help_topics[i - command_count].name : NULL;
}

/* Words of `text` from column `at` on; further lines begin at `indent`, an empty line divides paragraphs. Ends the line. */
static void wrap(FILE *to, int at, int indent, const char *text)
{
    bool first = true;
    while (*text != '\0') {
        const int length = (int)strcspn(text, " \n");
        if (!first && at + 1 + length > WIDTH) {
            (void)fprintf(to, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        (void)fprintf(to, "%s%.*s", first ? "" : " ", length, text);
        at += length + (first ? 0 : 1);
        first = false;
        text += length;
        if (text[0] == '\n' && text[1] == '\n') {
            (void)fprintf(to, "\n\n%*s", indent, "");
            at = indent;
            first = true;
        }
        text += strspn(text, " \n");
    }
    (void)fputc('\n', to);
}

/* "  left      right, wrapped" */
static void print_row(FILE *to, int column, const char *left, const char *right)
{
    (void)fprintf(to, "%*s%-*s%*s", MARGIN, "", column, left, GAP, "");
    wrap(to, MARGIN + column + GAP, MARGIN + column + GAP, right);
}

typedef struct cell {
    char text[64];
} cell;

static cell command_cell(const command_def *c)
{
    cell out;
    const char *name = c->operand.name;
    (void)snprintf(out.text, sizeof out.text, name == NULL || c->operand.required ? "%s%s%s" : "%s%s[%s]", c->name,
                   name == NULL ? "" : " ", name == NULL ? "" : name);
    return out;
}

static cell option_cell(const command_option *o)
{
    cell out;
    (void)snprintf(out.text, sizeof out.text, "%-4s%s%s%s", o->brief == NULL ? "" : o->brief, o->name,
                   o->value == NULL ? "" : " ", o->value == NULL ? "" : o->value);
    if (o->brief != NULL) {
        out.text[strlen(o->brief)] = ',';
    }
    return out;
}

static int widest(int so_far, const char *text)
{
    const int n = (int)strlen(text);
    return n > so_far ? n : so_far;
}

static void print_options(FILE *to, const command_def *c)
{
    const command_option *lists[] = {c->options, command_common, help_options};
    const size_t counts[] = {c->n_options, command_common_count, help_option_count};
    int column = 0;
    for (size_t l = 0; l < COUNT(lists); l++) {
        for (size_t i = 0; i < counts[l]; i++) {
            column = widest(column, option_cell(&lists[l][i]).text);
        }
    }
    (void)fputs("\nOptions:\n", to);
    for (size_t l = 0; l < COUNT(lists); l++) {
        for (size_t i = 0; i < counts[l]; i++) {
            print_row(to, column, option_cell(&lists[l][i]).text, lists[l][i].help);
        }
    }
}

static void print_usage(FILE *to, const command_def *c)
{
    (void)fprintf(to, "pollard %s", command_cell(c).text);
    for (size_t i = 0; i < c->n_options; i++) {
        const command_option *o = &c->options[i];
        (void)fprintf(to, " [%s%s%s]%s", o->brief != NULL ? o->brief : o->name, o->value == NULL ? "" : " ",
                      o->value == NULL ? "" : o->value, o->kind == OPTION_SET ? "..." : "");
    }
    (void)fputc('\n', to);
}

static void print_command(FILE *to, const command_def *c)
{
    print_usage(to, c);
    (void)fputc('\n', to);
    wrap(to, 0, 0, c->text);
    print_options(to, c);
    if (c->n_examples > 0) {
        (void)fputs("\nExamples:\n", to);
    }
    for (size_t i = 0; i < c->n_examples; i++) {
        (void)fprintf(to, "  %s\n      %s\n", c->examples[i].line, c->examples[i].what);
    }
}

static void print_exits(FILE *to)
{
    char text[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < help_exit_count && used < sizeof text; i++) {
        const int more = snprintf(text + used, sizeof text - used, "%s%d %s", i == 0 ? "Exit codes: " : ", ",
                                  help_exits[i].code, help_exits[i].what);
        used += more < 0 ? 0 : (size_t)more;
    }
    wrap(to, 0, 0, text);
}

static void print_program(FILE *to)
{
    int column = widest(0, "    --version");
    wrap(to, 0, 0, help_what);
    for (size_t i = 0; i < command_count; i++) {
        column = widest(column, command_cell(command_table[i]).text);
    }
    (void)fputs("\nCommands, each after `pollard`:\n", to);
    for (size_t i = 0; i < command_count; i++) {
        print_row(to, column, command_cell(command_table[i]).text, command_table[i]->summary);
    }
    (void)fputs("\nMore with `pollard --help COMMAND`, and about:\n", to);
    for (size_t i = 0; i < help_topic_count; i++) {
        print_row(to, column, help_topics[i].name, help_topics[i].summary);
    }
    (void)fputs("\nOptions of every command:\n", to);
    for (size_t i = 0; i < command_common_count; i++) {
        print_row(to, column, option_cell(&command_common[i]).text, command_common[i].help);
    }
    for (size_t i = 0; i < help_option_count; i++) {
        print_row(to, column, option_cell(&help_options[i]).text, help_options[i].help);
    }
    (void)fputc('\n', to);
    print_exits(to);
}

void help_print(FILE *to, const char *topic)
{
    const command_def *c = topic == NULL ? NULL : command_find(topic);
    const help_topic *t = topic == NULL ? NULL : help_topic_find(topic);
    if (c != NULL) {
        print_command(to, c);
    } else if (t != NULL) {
        t->print(to);
    } else {
        print_program(to);
    }
}

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    help_print(stdout, cl->topic);
    return STATUS_OK;
}

const command_def command_help = {
    .name = "help",
    .summary = "more about a command, or about a topic",
    .text = "Prints what there is to know about a command, about the keys of a study file (`config`), the criteria "
            "(`criteria`), the relevance rules of composites (`rules`), or what doctor checks (`checks`). `pollard --help TOPIC` and `pollard COMMAND --help` are "
            "the same.",
    .operand = {.name = "TOPIC", .what = "help topic", .word = help_word},
    .run = run,
};
