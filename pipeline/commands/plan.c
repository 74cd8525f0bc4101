#include "pipeline/commands/command.h"
#include "pipeline/dry_run.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)argc;
    (void)argv;
    return dry_run(c, cl);
}

static const command_option options[] = {
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config, as for `pollard run`"},
};

static const command_example examples[] = {
    {"pollard plan configs/digits.yaml", "what the digits study takes on one rank"},
    {"mpirun -np 8 pollard plan my-study.yaml --set tasks.seeds=20", "... and another one on eight"},
};

const command_def command_plan = {
    .name = "plan",
    .summary = "say what a study would do, with memory and time",
    .text = "Reads the study that CONFIG describes, with its models and lists of images, and prints what a run would "
            "do: models, "
            "criteria, cells, distinct images, memory per rank and per node, and the time that it takes, from a short "
            "calibration on the ranks it is started with. Nothing is written.\n"
            "\n"
            "What stops a run at its beginning stops the plan too, with the same message and exit code.",
    .operand = {.name = "CONFIG", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ALL,
    .run = run,
};
