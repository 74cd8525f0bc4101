#include <string.h>

#include "pipeline/commands/command.h"

#define COMMAND(name) extern const command_def command_##name;
#include "pipeline/commands/commands.def"
#undef COMMAND

#define COMMAND(name) &command_##name,
const command_def *const command_table[] = {
#include "pipeline/commands/commands.def"
};
#undef COMMAND
const size_t command_count = COUNT(command_table);

const command_option command_common[] = {
    {"--verbose", "-v", OPTION_FLAG, offsetof(cli, verbose), NULL,
     "debug messages, and where in the program an error arose"},
};
const size_t command_common_count = COUNT(command_common);

const char *command_name(size_t i)
{
    return i < command_count ? command_table[i]->name : NULL;
}

const command_def *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i]->name, name) == 0) {
            return command_table[i];
        }
    }
    return NULL;
}
