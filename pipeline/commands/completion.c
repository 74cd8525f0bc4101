/* Completion of the command line for three shells, from the table of commands. */
#include <string.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/help.h"

/* Calls put(to, option) for every option of a command, or for those of all commands where it is NULL. */
static void each_option(FILE *to, const command_def *c, void (*put)(FILE *to, const command_option *o))
{
    for (size_t i = 0; c != NULL && i < c->n_options; i++) {
        put(to, &c->options[i]);
    }
    for (size_t i = 0; i < command_common_count; i++) {
        put(to, &command_common[i]);
    }
    for (size_t i = 0; i < help_option_count; i++) {
        put(to, &help_options[i]);
    }
}

/* Between single quotes of a shell; none of the three minds what else may stand there. */
static void put_quoted(FILE *to, const char *text)
{
    (void)fputc('\'', to);
    for (; *text != '\0'; text++) {
        (void)fputs(*text == '\'' ? "'\\''" : (char[2]){*text, '\0'}, to);
    }
    (void)fputc('\'', to);
}

static void put_words(FILE *to, const char *(*word)(size_t i))
{
    for (size_t i = 0; word(i) != NULL; i++) {
        (void)fprintf(to, "%s%s", i == 0 ? "" : " ", word(i));
    }
}

/* ---- bash ---- */

static void bash_option(FILE *to, const command_option *o)
{
    (void)fprintf(to, "%s%s%s ", o->brief == NULL ? "" : o->brief, o->brief == NULL ? "" : " ", o->name);
}

/* Has a command before this one the same option? */
static bool is_repeated(size_t command, const command_option *o)
{
    for (size_t i = 0; i < command; i++) {
        for (size_t k = 0; k < command_table[i]->n_options; k++) {
            if (strcmp(command_table[i]->options[k].name, o->name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Options whose value is a file, or those whose value nobody can guess. */
static void bash_values(FILE *to, bool file, const char *action)
{
    const char *divide = "    ";
    for (size_t i = 0; i < command_count; i++) {
        for (size_t k = 0; k < command_table[i]->n_options; k++) {
            const command_option *o = &command_table[i]->options[k];
            if (o->value != NULL && (o->kind == OPTION_FILE) == file && !is_repeated(i, o)) {
                const bool brief = o->brief != NULL;
                (void)fprintf(to, "%s%s%s%s", divide, o->name, brief ? " | " : "", brief ? o->brief : "");
                divide = " | ";
            }
        }
    }
    (void)fprintf(to, ") %s ;;\n", action);
}

static void print_bash(FILE *to)
{
    (void)fputs("# bash completion for pollard, made by `pollard completion bash`\n"
                "_pollard_files() {\n"
                "    compopt -o filenames 2>/dev/null\n"
                "    mapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
                "}\n"
                "_pollard() {\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options='' operands='' "
                "files=''\n"
                "    COMPREPLY=()\n"
                "    if [ \"$word\" = = ]; then word=''; elif [ \"$before\" = = ]; then before=${COMP_WORDS[COMP_CWORD "
                "- 2]}; fi\n"
                "    case $before in\n",
                to);
    bash_values(to, true, "_pollard_files \"$word\"; return");
    bash_values(to, false, "return");
    (void)fputs("    esac\n"
                "    case $COMP_CWORD:${COMP_WORDS[1]} in\n"
                "    1:*) options='",
                to);
    each_option(to, NULL, bash_option);
    (void)fputs("' operands='", to);
    put_words(to, command_name);
    (void)fputs("' ;;\n    *:--help | *:-h) operands='", to);
    put_words(to, help_word);
    (void)fputs("' ;;\n", to);
    for (size_t i = 0; i < command_count; i++) {
        const command_def *c = command_table[i];
        (void)fprintf(to, "    *:%s) options='", c->name);
        each_option(to, c, bash_option);
        (void)fputc('\'', to);
        if (c->operand.word != NULL) {
            (void)fputs(" operands='", to);
            put_words(to, c->operand.word);
            (void)fputc('\'', to);
        } else if (c->operand.name != NULL) {
            (void)fputs(" files=1", to);
        }
        (void)fputs(" ;;\n", to);
    }
    (void)fputs("    esac\n"
                "    case $word in\n"
                "    -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n"
                "    *)\n"
                "        if [ -n \"$files\" ]; then\n"
                "            _pollard_files \"$word\"\n"
                "        else\n"
                "            mapfile -t COMPREPLY < <(compgen -W \"$operands\" -- \"$word\")\n"
                "        fi\n"
                "        ;;\n"
                "    esac\n"
                "}\n"
                "complete -F _pollard pollard\n",
                to);
}

/* ---- zsh ---- */

/* _arguments reads [ ] : and \ by itself. */
static void zsh_help(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL) {
            (void)fputc('\\', to);
        }
        (void)fputs(*text == '\'' ? "'\\''" : (char[2]){*text, '\0'}, to);
    }
}

static void zsh_spec(FILE *to, const command_option *o, const char *name)
{
    (void)fprintf(to, " \\\n            '%s%s%s[", o->kind == OPTION_SET ? "*" : "", name,
                  o->value != NULL && name == o->name ? "=" : "");
    zsh_help(to, o->help);
    (void)fputc(']', to);
    if (o->value != NULL) {
        (void)fprintf(to, ":%s:%s", o->value, o->kind == OPTION_FILE ? "_files" : "");
    }
    (void)fputc('\'', to);
}

static void zsh_option(FILE *to, const command_option *o)
{
    if (o->brief != NULL) {
        zsh_spec(to, o, o->brief);
    }
    zsh_spec(to, o, o->name);
}

static void print_zsh(FILE *to)
{
    (void)fputs("#compdef pollard\n"
                "# zsh completion for pollard, made by `pollard completion zsh`\n"
                "_pollard() {\n"
                "    local -a commands\n"
                "    commands=(\n",
                to);
    for (size_t i = 0; i < command_count; i++) {
        char entry[256];
        (void)snprintf(entry, sizeof entry, "%s:%s", command_table[i]->name, command_table[i]->summary);
        (void)fputs("        ", to);
        put_quoted(to, entry);
        (void)fputc('\n', to);
    }
    (void)fputs("    )\n"
                "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
                "        _describe command commands\n"
                "        return\n"
                "    fi\n"
                "    case $words[2] in\n"
                "        --help|-h) _arguments '2:topic:(",
                to);
    put_words(to, help_word);
    (void)fputs(")' ;;\n", to);
    for (size_t i = 0; i < command_count; i++) {
        const command_def *c = command_table[i];
        (void)fprintf(to, "        %s)\n            _arguments '1:command:'", c->name);
        each_option(to, c, zsh_option);
        if (c->operand.word != NULL) {
            (void)fprintf(to, " \\\n            '2:%s:(", c->operand.name);
            put_words(to, c->operand.word);
            (void)fputs(")'", to);
        } else if (c->operand.name != NULL) {
            (void)fprintf(to, " \\\n            '2:%s:_files'", c->operand.name);
        }
        (void)fputs("\n            ;;\n", to);
    }
    (void)fputs("        *)\n            _arguments '1:command:'", to);
    each_option(to, NULL, zsh_option);
    (void)fputs("\n            ;;\n"
                "    esac\n"
                "}\n"
                "if [[ $funcstack[1] == _pollard ]]; then _pollard \"$@\"; else compdef _pollard pollard; fi\n",
                to);
}

/* ---- fish ---- */

static void fish_line(FILE *to, const char *condition, const char *rest)
{
    (void)fprintf(to, "complete -c pollard -n '%s' %s", condition, rest);
}

static void fish_options(FILE *to, const char *condition, size_t n, const command_option list[])
{
    for (size_t i = 0; i < n; i++) {
        const command_option *o = &list[i];
        const char *value = o->kind == OPTION_FILE ? " -r -F" : o->value != NULL ? " -x" : "";
        char names[128], brief[16] = "";
        if (o->brief != NULL) {
            (void)snprintf(brief, sizeof brief, "-s %s ", o->brief + 1);
        }
        (void)snprintf(names, sizeof names, "%s-l %s%s -d ", brief, o->name + 2, value);
        fish_line(to, condition, names);
        put_quoted(to, o->help);
        (void)fputc('\n', to);
    }
}

static void print_fish(FILE *to)
{
    char condition[128];
    (void)fputs("# fish completion for pollard, made by `pollard completion fish`\ncomplete -c pollard -f\n", to);
    for (size_t i = 0; i < command_count; i++) {
        const command_def *c = command_table[i];
        fish_line(to, "__fish_use_subcommand", "-a ");
        (void)fprintf(to, "%s -d ", c->name);
        put_quoted(to, c->summary);
        (void)fputc('\n', to);
        (void)snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %s", c->name);
        fish_options(to, condition, c->n_options, c->options);
        if (c->operand.word != NULL) {
            fish_line(to, condition, "-a '");
            put_words(to, c->operand.word);
            (void)fputs("'\n", to);
        } else if (c->operand.name != NULL) {
            fish_line(to, condition, "-F\n");
        }
    }
    fish_options(to, "true", command_common_count, command_common);
    fish_options(to, "true", help_option_count, help_options);
}

static const struct {
    const char *name;
    void (*print)(FILE *to);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

static const char *shell_name(size_t i)
{
    return i < COUNT(shells) ? shells[i].name : NULL;
}

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < COUNT(shells); i++) {
        if (strcmp(cl->topic, shells[i].name) == 0) {
            shells[i].print(stdout);
        }
    }
    return STATUS_OK;
}

static const command_example examples[] = {
    {"source <(pollard completion bash)", "in ~/.bashrc; for zsh likewise in ~/.zshrc, after compinit"},
    {"pollard completion fish | source", "in ~/.config/fish/config.fish"},
};

const command_def command_completion = {
    .name = "completion",
    .summary = "print what completes the command line in bash, zsh or fish",
    .text = "Prints a script that makes SHELL complete commands, options and files. `cmake --install` puts all three "
            "where the "
            "shells look for them.",
    .operand = {.name = "SHELL", .required = true, .what = "shell", .word = shell_name},
    .examples = examples,
    .n_examples = COUNT(examples),
    .run = run,
};
