#include "pipeline/status.h"

#include "pipeline/commands/command.h"

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    return status_show(cl->file, stdout);
}

static const command_example examples[] = {
    {"pollard status digits.h5", "how far the digits study is"},
    {"watch -n 30 pollard status my-study.h5", "the same, again and again"},
};

const command_def command_status = {
    .name = "status",
    .summary = "say how far a study is, with the curves so far and the time left",
    .text = "Reads the journal of a study that runs, or that was stopped, and prints how much is done, the time that is left at the pace so "
            "far, and the accuracies that are complete. FILE is the result that the study will write; nothing is changed.\n"
            "\n"
            "Exit code 0: the result is there. 75: not yet.",
    .operand = {.name = "FILE", .required = true},
    .examples = examples,
    .n_examples = COUNT(examples),
    .run = run,
};
