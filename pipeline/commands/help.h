#ifndef PIPELINE_COMMANDS_HELP_H
#define PIPELINE_COMMANDS_HELP_H
/* The texts of --help, made from the table of commands, and what the man pages share with them. */
#include <stdio.h>

#include "pipeline/commands/command.h"

/* Pages about something else than a command. */
typedef struct help_topic {
    const char *name, *summary;
    void (*print)(FILE *to);
} help_topic;
extern const help_topic help_topics[];
extern const size_t help_topic_count;
const help_topic *help_topic_find(const char *name); /* NULL if unknown */

const char *help_word(size_t i); /* commands, then topics; NULL behind the last */

extern const command_option help_options[]; /* --help, --version: no command's own, taken everywhere */
extern const size_t help_option_count;

extern const char help_what[]; /* what the program is, in one sentence */

typedef struct help_exit {
    int code;
    const char *what;
} help_exit;
extern const help_exit help_exits[];
extern const size_t help_exit_count;

void help_print(FILE *to, const char *topic); /* NULL: the program as a whole */

#endif
