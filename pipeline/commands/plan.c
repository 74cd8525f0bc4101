#include "pipeline/commands/command.h"
#include "pipeline/dry_run.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)argc;
    (void)argv;
    return dry_run(c, cl);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "RESULT.h5", "the result of the run; only whether it can be written is looked at"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config, as for `pollard run`"},
    {"--ranks", NULL, OPTION_TEXT, offsetof(cli, ranks), "N[,N]...", "also simulate the study on so many ranks (docs/scaling.md)"},
    {"--ranks-per-node", NULL, OPTION_TEXT, offsetof(cli, ranks_per_node), "N", "of the nodes in that simulation; default: 64"},
};

static const command_example examples[] = {
    {"pollard plan configs/digits.yaml", "what the digits study takes on one rank"},
    {"mpirun -np 8 pollard plan my-study.yaml --set tasks.seeds=20", "... and another one on eight"},
    {"pollard plan my-study.yaml --ranks 64,256,1024", "... and how it would do on a cluster"},
};

const command_def command_plan = {
    .name = "plan",
    .summary = "say what a study would do, with memory and time",
    .text = "Reads the study that CONFIG describes, with its models and lists of images, and prints what a run would "
            "do: models, "
            "criteria, cells, distinct images, memory per rank and per node, and the time that it takes, from a short "
            "calibration on the ranks it is started with. Nothing is written.\n"
            "\n"
            "--ranks takes what the calibration says of each item, and simulates how they would be dealt out on other numbers of ranks: time, what of it "
            "ranks would wait and for what, messages, journal files, memory of a node.\n"
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
