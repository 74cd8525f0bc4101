#include "pipeline/cli.h"

#include <string.h>

#include "core/text.h"
#include "pipeline/commands/command.h"

enum { MOST_WORDS = 64 }; /* that a mistyped one is compared with */

static bool is_option(const char *word, const char *brief, const char *full)
{
    return (brief != NULL && strcmp(word, brief) == 0) || strcmp(word, full) == 0;
}

/* `about` is the command whose help lists what there is, with a blank in front, or "" for that of the program. */
static status unknown(const char *what, const char *word, size_t n, const char *const list[], const char *about)
{
    const char *close = text_closest(word, n, list);
    if (close != NULL) {
        return FAIL(ST_USAGE, "unknown %s '%s'; did you mean '%s'? `pollard%s --help` lists them all", what, word, close, about);
    }
    return FAIL(ST_USAGE, "unknown %s '%s'; `pollard%s --help` lists them all", what, word, about);
}

static size_t collect(const char *(*word)(size_t i), const char *list[MOST_WORDS])
{
    size_t n = 0;
    while (n < MOST_WORDS && word(n) != NULL) {
        list[n] = word(n);
        n++;
    }
    return n;
}

static bool known(const char *text, const char *(*word)(size_t i))
{
    for (size_t i = 0; word(i) != NULL; i++) {
        if (strcmp(text, word(i)) == 0) {
            return true;
        }
    }
    return false;
}

/* "run, plan, ... or version" */
static void list_text(const char *(*word)(size_t i), size_t size, char text[])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; word(i) != NULL && used < size; i++) {
        const char *divide = i == 0 ? "" : word(i + 1) == NULL ? " or " : ", ";
        const int more = snprintf(text + used, size - used, "%s%s", divide, word(i));
        used += more < 0 ? 0 : (size_t)more;
    }
}

/* The option that `word` is or begins with, as in --output=FILE: *value is then what follows, else NULL. */
static const command_option *match(size_t n, const command_option list[], const char *word, const char **value)
{
    const size_t length = strcspn(word, "=");
    *value = NULL;
    for (size_t i = 0; i < n; i++) {
        const command_option *o = &list[i];
        if (is_option(word, o->brief, o->name)) {
            return o;
        }
        if (o->value != NULL && word[length] == '=' && strlen(o->name) == length &&
            strncmp(word, o->name, length) == 0) {
            *value = word + length + 1;
            return o;
        }
    }
    return NULL;
}

/* An option of other commands is named with them; anything else is compared with all that this command takes. */
static status refuse_option(const char *word, const command_def *command)
{
    char owners[256] = "", about[32];
    const char *names[MOST_WORDS], *value;
    size_t n = 0, used = 0;
    for (size_t i = 0; i < command_count; i++) {
        const command_def *c = command_table[i];
        if (match(c->n_options, c->options, word, &value) != NULL && used < sizeof owners) {
            const int more =
                snprintf(owners + used, sizeof owners - used, "%s`pollard %s`", used == 0 ? "" : ", ", c->name);
            used += more < 0 ? 0 : (size_t)more;
        }
    }
    if (used > 0) {
        return FAIL(ST_USAGE, "%s belongs to %s", word, owners);
    }
    for (size_t i = 0; i < command->n_options && n < MOST_WORDS; i++) {
        names[n++] = command->options[i].name;
    }
    for (size_t i = 0; i < command_common_count && n < MOST_WORDS; i++) {
        names[n++] = command_common[i].name;
    }
    if (n + 2 <= MOST_WORDS) {
        names[n++] = "--help";
        names[n++] = "--version";
    }
    (void)snprintf(about, sizeof about, " %s", command->name);
    return unknown("option", word, n, names, about);
}

static status take_set(const char *word, cli *out)
{
    if (strchr(word, '=') == NULL || word[0] == '=') {
        return FAIL(ST_USAGE, "--set %s: expected KEY=VALUE, such as tasks.seeds=2", word);
    }
    if (out->n_sets == CLI_MAX_SETS) {
        return FAIL(ST_USAGE, "--set: at most %d of them; put the rest into the config", (int)CLI_MAX_SETS);
    }
    out->sets[out->n_sets++] = word;
    return STATUS_OK;
}

/* Options with a value take it from behind a = or from the next word. */
static status parse_option(int argc, char *const argv[], int *i, cli *out)
{
    const command_def *c = out->command;
    const char *word = argv[*i], *value = NULL;
    const command_option *o = match(c->n_options, c->options, word, &value);
    if (o == NULL) {
        o = match(command_common_count, command_common, word, &value);
    }
    if (o == NULL) {
        return refuse_option(word, c);
    }
    void *place = (char *)out + o->place;
    if (o->kind == OPTION_FLAG) {
        *(bool *)place = true;
        return STATUS_OK;
    }
    if (value == NULL && *i + 1 >= argc) {
        return FAIL(ST_USAGE, "%s: expected a value behind it, found the end of the command line", word);
    }
    if (value == NULL) {
        value = argv[++*i];
    }
    if (o->kind == OPTION_SET) {
        return take_set(value, out);
    }
    if (value[0] == '\0') {
        return FAIL(ST_USAGE, "%s: expected %s, found nothing", o->brief != NULL ? o->brief : o->name,
                    o->kind == OPTION_FILE ? "the name of a file" : "a value");
    }
    *(const char **)place = value;
    return STATUS_OK;
}

static status parse_word(const char *word, cli *out)
{
    const command_operand *operand = &out->command->operand;
    const char **place = operand->word != NULL ? &out->topic : &out->file;
    if (operand->name == NULL || *place != NULL) {
        return FAIL(ST_USAGE, "'%s': nothing more was expected here; `pollard %s --help` tells what is", word, out->command->name);
    }
    if (operand->word != NULL && !known(word, operand->word)) {
        const char *list[MOST_WORDS];
        char choices[256];
        if (!operand->required) { /* commands and topics */
            return unknown(operand->what, word, collect(operand->word, list), list, "");
        }
        list_text(operand->word, sizeof choices, choices);
        return FAIL(ST_USAGE, "%s: expected %s, found '%s'", out->command->name, choices, word);
    }
    *place = word;
    return STATUS_OK;
}

static status parse_command(const char *word, cli *out)
{
    const char *list[MOST_WORDS];
    out->command = command_find(word);
    return out->command == NULL ? unknown("command", word, collect(command_name, list), list, "") : STATUS_OK;
}

/* --help and --version win wherever they stand: `pollard run --help` is help about run. */
static bool wants_text(int argc, char *const argv[], cli *out)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            out->command = &command_version;
            return true;
        }
        if (is_option(argv[i], "-h", "--help")) {
            const char *other = i > 1 ? argv[1] : i + 1 < argc ? argv[i + 1] : NULL;
            out->command = &command_help;
            out->topic = other != NULL && known(other, command_help.operand.word) ? other : NULL;
            return other == NULL || i > 1 || out->topic != NULL;
        }
    }
    return false;
}

static status check_operand(const cli *cl)
{
    const command_operand *operand = &cl->command->operand;
    char choices[256];
    if (!operand->required || cl->file != NULL || cl->topic != NULL) {
        return STATUS_OK;
    }
    if (operand->word == NULL) {
        return FAIL(ST_USAGE, "%s: expected the name of a file behind it, as in `pollard %s %s`", cl->command->name, cl->command->name, operand->name);
    }
    list_text(operand->word, sizeof choices, choices);
    return FAIL(ST_USAGE, "%s: expected a %s behind it: %s", cl->command->name, operand->what, choices);
}

status cli_parse(int argc, char *const argv[], cli *out)
{
    int i = 1;
    *out = (cli){.command = &command_help};
    if (argc < 2) {
        return FAIL(ST_USAGE, "expected a command; try `pollard --help`, or `pollard run configs/digits.yaml`");
    }
    if (wants_text(argc, argv, out)) {
        return STATUS_OK;
    }
    if (is_option(argv[1], "-h", "--help")) {
        i++;
    } else if (argv[1][0] != '-') {
        TRY(parse_command(argv[i++], out));
    } else {
        char choices[256];
        list_text(command_name, sizeof choices, choices);
        return FAIL(ST_USAGE, "'%s': expected a command first: %s", argv[1], choices);
    }
    for (; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            TRY(parse_option(argc, argv, &i, out));
        } else {
            TRY(parse_word(argv[i], out));
        }
    }
    return check_operand(out);
}
