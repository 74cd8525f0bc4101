#include "pipeline/commands/command.h"
#include "pipeline/run.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    const run_options o = {.config = cl->file, .n_sets = cl->n_sets, .sets = cl->sets, .output = cl->output, .done = cl->done,
                           .resume = {.stop_after = -1, .only_join = true}};
    stop_listen();
    return run_study(c, &o, argc, argv);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "RESULT.h5", "the result, as for the jobs of the array: their journals are beside it"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "overrides one key of the config, as for the jobs of the array"},
    {"--done", NULL, OPTION_FILE, offsetof(cli, done), "FILE", "a file to write when the result is in place, as for `pollard run`"},
};

static const command_example examples[] = {
    {"pollard merge my-study.yaml", "the result of the jobs that have run"},
    {"sbatch --dependency=afterok:$array_job --wrap 'pollard merge my-study.yaml'", "as soon as all of them are done"},
};

const command_def command_merge = {
    .name = "merge",
    .summary = "join the shares of an array of jobs into one result",
    .text = "Reads the journals that `pollard run CONFIG --array I/N` has left beside the result, and writes the result that one job would "
            "have written, to the bit, apart from /provenance. Then the journals are removed.\n"
            "\n"
            "Of the networks nothing is computed; the spectra are (`spectrum: true`), from the relevance that the jobs have left. Where work is missing it says how "
            "much of every kind, and ends with exit code 66: run the jobs that have not ended well again, or `pollard run CONFIG`, which computes what is missing and writes the result.",
    .operand = {.name = "CONFIG", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ALL,
    .run = run,
};
