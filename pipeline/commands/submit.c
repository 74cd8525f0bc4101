#include "pipeline/submit.h"

#include "pipeline/commands/command.h"

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)argc;
    (void)argv;
    return submit_study(c, cl);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "RESULT.h5", "where the result goes, as for `pollard run`"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config, as for `pollard run`"},
    {"--nodes", NULL, OPTION_TEXT, offsetof(cli, nodes), "N", "nodes of the job, or of each job of an array; default: 1"},
    {"--ranks-per-node", NULL, OPTION_TEXT, offsetof(cli, ranks_per_node), "N",
     "default: a rank for each processor of a node, as far as there are items for them"},
    {"--time", NULL, OPTION_TEXT, offsetof(cli, time), "TIME", "time limit, as in 45m, 1h30m, 12:00:00; default: by the plan, at most a day"},
    {"--partition", NULL, OPTION_TEXT, offsetof(cli, partition), "NAME", "where to run; default: Slurm's"},
    {"--account", NULL, OPTION_TEXT, offsetof(cli, account), "NAME", "who pays; default: Slurm's"},
    {"--array", NULL, OPTION_TEXT, offsetof(cli, array), "N", "N jobs that share the work, and one that joins them when all have done well"},
    {"--launcher", NULL, OPTION_TEXT, offsetof(cli, launcher), "WORD", "srun or mpirun; default: srun"},
    {"--script", NULL, OPTION_FILE, offsetof(cli, script), "FILE", "write the script there (FILE.merge: the one that joins) instead of printing it"},
    {"--go", NULL, OPTION_FLAG, offsetof(cli, go), NULL, "hand the job to sbatch"},
};

static const command_example examples[] = {
    {"pollard submit my-study.yaml", "print the job, to look at"},
    {"pollard submit my-study.yaml --nodes 4 --partition cpu --go", "on four nodes"},
    {"pollard submit my-study.yaml --array 20 --time 4h --go", "twenty jobs and the one that joins them"},
};

const command_def command_submit = {
    .name = "submit",
    .summary = "write a study as a job for Slurm, and submit it",
    .text = "Plans the study that CONFIG describes, with a trial of some seconds on this machine, and writes a job script from it: ranks, memory of "
            "a node, and time with a margin. It is printed, or written to a file with --script; with --go it is handed to sbatch.\n"
            "\n"
            "The job stops in time, puts itself into the queue again and goes on, also when a node is lost, until the result is there. What says that "
            "is a file that the program writes at its end, RESULT.h5.done-JOB, not an exit code alone.\n"
            "\n"
            "Start it on a login node, without a launcher. docs/cluster.md shows the whole way.",
    .operand = {.name = "CONFIG", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ANY,
    .run = run,
};
