#ifndef PIPELINE_CLI_H
#define PIPELINE_CLI_H
/* The command line as a struct: no MPI, no files. What there is to parse is said by the table of commands (commands/command.h). */
#include "core/status.h"

enum { CLI_MAX_SETS = 64 };

struct command_def;

typedef struct cli {
    const struct command_def *command;
    const char *topic;  /* what a command about words is about (help, man, completion); NULL: none was given */
    const char *file;   /* what a command about a file is about */
    const char *output; /* -o, or NULL */
    size_t n_sets;
    const char *sets[CLI_MAX_SETS]; /* --set */
    const char *model, *kind, *criterion, *task, *references, *seed, *rate, *checkpoint; /* of export, or NULL */
    const char *array, *time_limit; /* of run, or NULL */
    const char *done; /* of run and merge, or NULL */
    const char *nodes, *ranks_per_node, *time, *partition, *account, *launcher, *script; /* of submit, or NULL */
    const char *ranks; /* of plan, or NULL */
    bool go;        /* --go */
    const char *list, *decoded, *shard_images; /* of pack, or NULL */
    bool evaluated; /* --evaluated */
    bool verify;    /* --verify */
    bool fresh;     /* --fresh */
    bool force;     /* --force */
    bool dry_run;   /* --dry-run */
    bool composite; /* --composite */
    bool verbose;
} cli;

/* Everything points into argv. Errors: ST_USAGE naming the word, the closest known one, and where help is. */
MUST_CHECK status cli_parse(int argc, char *const argv[], cli *out);

#endif
