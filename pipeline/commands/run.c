#include "pipeline/commands/command.h"
#include "pipeline/dry_run.h"
#include "pipeline/duration.h"
#include "pipeline/run.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    run_options o = {.config = cl->file, .n_sets = cl->n_sets, .sets = cl->sets, .output = cl->output, .done = cl->done,
                     .resume = {.fresh = cl->fresh, .stop_after = -1}};
    if (cl->array != NULL) {
        TRY(resume_array(cl->array, &o.resume.task, &o.resume.n_tasks));
    }
    if (cl->array != NULL && cl->fresh) {
        return FAIL(ST_USAGE, "--fresh: with --array it would throw away what the other jobs have done; remove the journal yourself before the first one starts");
    }
    if (cl->time_limit != NULL) {
        TRY(duration_read("--time-limit", cl->time_limit, &o.resume.limit_seconds));
    }
    if (cl->dry_run) {
        return dry_run(c, cl);
    }
    stop_listen();
    return run_study(c, &o, argc, argv);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "RESULT.h5",
     "where the result goes; default: `output` of the config, else <study>.h5 in this folder"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config: rates.step=0.1, criteria[0].epsilon=1e-3"},
    {"--array", NULL, OPTION_TEXT, offsetof(cli, array), "I/N", "do the I-th of N shares of the work, then `pollard merge`"},
    {"--time-limit", NULL, OPTION_TEXT, offsetof(cli, time_limit), "TIME",
     "stop in time, with exit code 75: 45m, 1h30m, 12:00:00; default: what Slurm says"},
    {"--done", NULL, OPTION_FILE, offsetof(cli, done), "FILE",
     "a file to write when the result, or the share, is in place: a proof for job scripts, which launchers' exit codes are not"},
    {"--fresh", NULL, OPTION_FLAG, offsetof(cli, fresh), NULL, "throw away what an earlier run has left in the journal"},
    {"--dry-run", NULL, OPTION_FLAG, offsetof(cli, dry_run), NULL, "only say what would be done, as `pollard plan` does"},
};

static const command_example examples[] = {
    {"mpirun -np 2 pollard run configs/digits.yaml -o digits.h5", "the digits study on two ranks"},
    {"srun pollard run my-study.yaml", "on the ranks that Slurm gives"},
    {"srun pollard run my-study.yaml --array $SLURM_ARRAY_TASK_ID/20", "one of twenty jobs"},
    {"pollard run configs/digits.yaml --set tasks.seeds=2 --set 'tasks.classes=[3]'", "a smaller study, on one rank"},
};

const command_def command_run = {
    .name = "run",
    .summary = "run a study and write its result",
    .text = "Runs the study that CONFIG describes and writes one HDF5 file. Any number of MPI ranks gives the same file, apart from "
            "/provenance: one rank per core, one thread each.\n"
            "\n"
            "Nothing is lost: what is finished goes to a journal beside the result, RESULT.h5.journal. A run that was killed, or that "
            "stopped because its time was nearly over or on a signal (USR1, USR2, TERM, HUP, INT; exit code 75), goes on when the same command is given "
            "again, on any number of ranks. The journal is removed when the result is there. `pollard status RESULT.h5` says how far it is.\n"
            "\n"
            "Many jobs can share a study: `--array I/N` does the I-th of N shares, and `pollard merge` joins them.\n"
            "\n"
            "The result is written beside its target and renamed when it is complete. At the end a table and a plot of the curves "
            "are printed.\n"
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
