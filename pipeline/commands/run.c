#include "pipeline/commands/command.h"
#include "pipeline/dry_run.h"
#include "pipeline/run.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    return cl->dry_run ? dry_run(c, cl) : run_study(c, cl, argc, argv);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "RESULT.h5",
     "where the result goes; default: `output` of the config, else <study>.h5 in this folder"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config: rates.step=0.1, criteria[0].epsilon=1e-3"},
    {"--dry-run", NULL, OPTION_FLAG, offsetof(cli, dry_run), NULL, "only say what would be done, as `pollard plan` does"},
};

static const command_example examples[] = {
    {"mpirun -np 2 pollard run configs/digits.yaml -o digits.h5", "the digits study on two ranks"},
    {"srun pollard run my-study.yaml", "on the ranks that Slurm gives"},
    {"pollard run configs/digits.yaml --set tasks.seeds=2 --set 'tasks.classes=[3]'", "a smaller study, on one rank"},
};

const command_def command_run = {
    .name = "run",
    .summary = "run a study and write its result",
    .text = "Runs the study that CONFIG describes and writes one HDF5 file. Any number of MPI ranks gives the same file, apart from "
            "/provenance: one rank per core, one thread each.\n"
            "\n"
            "Nothing is left of a run that fails: the result is written beside its target and renamed when it is complete. At the "
            "end a table and a plot of the curves are printed.\n"
            "\n"
            "`pollard --help config` lists the keys of CONFIG, `pollard --help criteria` the criteria.",
    .operand = {.name = "CONFIG", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ALL,
    .run = run,
};
