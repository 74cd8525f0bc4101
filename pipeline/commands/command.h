#ifndef PIPELINE_COMMANDS_COMMAND_H
#define PIPELINE_COMMANDS_COMMAND_H
/* The family of commands: `pollard run`, `pollard plan`, ... One file each in pipeline/commands/, listed in commands.def. The command
 * line, --help, the man pages and the completions of the shells are all derived from these tables. */
#include <stddef.h>

#include "pipeline/cli.h"

struct comm;

typedef enum option_kind {
    OPTION_FLAG, /* bool */
    OPTION_FILE, /* const char *: the name of a file */
    OPTION_TEXT, /* const char *: another word */
    OPTION_SET   /* KEY=VALUE, any number of times: cli.sets */
} option_kind;

typedef struct command_option {
    const char *name, *brief; /* "--output", "-o" or NULL */
    option_kind kind;
    size_t place;             /* offsetof(cli, ...); unused by OPTION_SET */
    const char *value;        /* what stands for the value in texts; NULL: takes none */
    const char *help;
} command_option;

typedef struct command_example {
    const char *line, *what;
} command_example;

/* What stands behind the command and is no option. */
typedef struct command_operand {
    const char *name;              /* "CONFIG"; NULL: there is none */
    bool required;
    const char *what;              /* for messages about words: "help topic" */
    const char *(*word)(size_t i); /* the words that it may be, NULL behind the last; NULL: the name of a file */
} command_operand;

typedef enum command_ranks {
    RANKS_ONE,  /* no MPI, so that it works on a login node and where MPI is broken */
    RANKS_ANY,  /* MPI when started by a launcher, else alone: `c` is then NULL */
    RANKS_ALL   /* always MPI */
} command_ranks;

typedef struct command_def {
    const char *name, *summary; /* one line, lower case, without a full stop */
    const char *text;           /* paragraphs divided by an empty line */
    command_operand operand;
    const command_option *options; /* beside command_common */
    size_t n_options;
    const command_example *examples;
    size_t n_examples;
    command_ranks ranks;
    status (*run)(struct comm *c, const cli *cl, int argc, char *const argv[]); /* collective unless RANKS_ONE */
} command_def;

extern const command_def *const command_table[]; /* from commands.def */
extern const size_t command_count;
extern const command_def command_help, command_version;

extern const command_option command_common[]; /* options that every command takes: what --help and --version do is the parser's */
extern const size_t command_common_count;

const command_def *command_find(const char *name); /* NULL if unknown */
const char *command_name(size_t i);                /* NULL behind the last */

#endif
