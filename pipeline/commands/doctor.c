#include "pipeline/doctor/doctor.h"

#include "pipeline/commands/command.h"

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)argc;
    (void)argv;
    return doctor_run(c, cl->output);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "RESULT.h5",
     "the result that is to be written; only its folder is tried. Default: this folder"},
};

static const command_example examples[] = {
    {"mpirun -np 8 pollard doctor -o results/my-study.h5", "the same launcher and ranks as for the study itself"},
    {"pollard doctor", "this machine alone, before there is a launcher"},
};

const command_def command_doctor = {
    .name = "doctor",
    .summary = "check MPI, threads, libraries, memory and the output folder",
    .text = "Checks the set-up that a study will meet: the launcher, ranks and threads against the cores that they may "
            "use, the "
            "processors of all ranks, BLAS, HDF5, the output folder, memory, and the arithmetic itself. Each check "
            "prints one "
            "line, ok, warning or FAILED, with what was found and, where it is not ok, what to do. `pollard help "
            "checks` lists them.\n"
            "\n"
            "Start it as the study will be started. The exit code is 0 when nothing FAILED, 73 when it is only the "
            "output folder, "
            "else 69. Nothing is left behind: the trial file and the folders that were made for it are removed.",
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ANY,
    .run = run,
};
