#include "pipeline/launcher.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/doctor/check.h"

static const char install[] =
    "install one (Debian: apt-get install openmpi-bin; Fedora: dnf install openmpi; a cluster: module load "
    "...), that of the MPI above, and put its folder on PATH";
static const char fitting[] =
    "use the launcher of the MPI above (`which mpirun`, the loaded modules; on Debian mpirun.openmpi or "
    "mpirun.mpich); with srun its --mpi=pmix";
static const char as_root[] = "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1, or do not run as root";

static bool library_is_open_mpi(void)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    (void)MPI_Get_library_version(text, &length); /* may be called before MPI_Init */
    return strncmp(text, "Open MPI", strlen("Open MPI")) == 0;
}

static bool refuses_root(void)
{
    return geteuid() == 0 &&
           (getenv("OMPI_ALLOW_RUN_AS_ROOT") == NULL || getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM") == NULL);
}

/* Nobody has started this: what would PATH offer? */
static void look_for_one(check *out)
{
    char path[4096];
    const char *name = launcher_find(sizeof path, path);
    if (name == NULL) {
        check_say(out, CHECK_FAILED, install, "none: started alone, and neither mpirun, mpiexec nor srun is on PATH");
        return;
    }
    const launcher_kind kind = strcmp(name, "srun") == 0 ? LAUNCHER_UNKNOWN : launcher_ask(path);
    if (kind != LAUNCHER_UNKNOWN && (kind == LAUNCHER_OPEN_MPI) != library_is_open_mpi()) {
        check_say(out, CHECK_FAILED, fitting, "%.120s is that of %s, but Pollard was built with another MPI", path,
                  kind == LAUNCHER_OPEN_MPI ? "Open MPI" : "MPICH or a relative");
    }
    if (kind == LAUNCHER_OPEN_MPI && refuses_root()) {
        check_say(out, CHECK_WARNING, as_root, "%.120s refuses to run as root", path);
    }
    check_say(out, CHECK_OK, "", "started alone; %.160s is there", path);
}

static status run(const doctor *d, check *out)
{
    const launch l = launcher_seen();
    if (l.by == NULL) {
        look_for_one(out);
    } else if (l.size > 1 && d->size == 1) {
        /* Each process believes to be the only one: the launcher speaks to another MPI library. */
        check_say(out, CHECK_FAILED, fitting,
                  "%s started %ld processes (%s), but each finds itself alone: it does not fit the MPI library", l.by,
                  l.size, l.variable);
    } else {
        check_say(out, CHECK_OK, "", "%s (%s)", l.by, l.variable);
    }
    return STATUS_OK;
}

const check_def check_launcher = {"launcher", "mpirun or srun, and that it fits the MPI library", ST_ENVIRONMENT, run};
