#include "pipeline/verify.h"

#include "pipeline/commands/command.h"
#include "stages/stop.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    stop_listen();
    return verify_study(c, cl, argc, argv);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "NAME", "what the files made on the way are called; default: verify, in this folder"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config: tasks.seeds=1 makes it quicker"},
};

static const command_example examples[] = {
    {"srun pollard verify configs/digits.yaml", "on the nodes of this job"},
    {"mpirun -n 4 pollard verify my-study.yaml --set tasks.seeds=1", "a smaller form of a study of one's own"},
};

const command_def command_verify = {
    .name = "verify",
    .summary = "prove on this machine that ranks and interruptions change nothing",
    .text = "Runs the study that CONFIG describes several times within one job, and compares the results bit for bit: straight on all ranks, on "
            "about half of them, on one, and interrupted twice and resumed on other numbers of ranks. Takes as long as all of these together: "
            "a small study is enough.\n"
            "\n"
            "Exit code 0: all results are the same, apart from /provenance. 70: two differ; both files are kept.",
    .operand = {.name = "CONFIG", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ALL,
    .run = run,
};
