#include "pipeline/commands/command.h"
#include "pipeline/provenance.h"

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    arena *a = NULL;
    (void)c;
    (void)cl;
    (void)argc;
    (void)argv;
    TRY(arena_open("version", &a));
    const char *text = provenance_version(a, backend_default());
    if (text != NULL) {
        (void)printf("%s\n", text);
    }
    arena_close(&a);
    return text == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
}

const command_def command_version = {
    .name = "version",
    .summary = "print the versions of the program and of its libraries",
    .text = "Prints the version and git revision of the program, its compiler, and the versions of MPI, BLAS, HDF5 and the other "
            "libraries as the running program finds them. `pollard --version` is the same.",
    .run = run,
};
