#include <string.h>

#include "pipeline/doctor/check.h"

static status run(const doctor *d, check *out)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    const char *const *all;
    int length = 0, major = 0, minor = 0;
    (void)MPI_Get_library_version(text, &length); /* this and the next may be called before MPI_Init */
    (void)MPI_Get_version(&major, &minor);
    text[strcspn(text, "\n,")] = '\0';
    for (char *tab = text; (tab = strchr(tab, '\t')) != NULL; *tab = ' ') { /* MPICH aligns its lines */
    }
    TRY(doctor_texts(d, text, &all));
    const size_t odd = doctor_odd_one(d, all);
    if (odd < d->size) {
        check_say(out, CHECK_FAILED, "give all hosts the same MPI library: load the same modules on each",
                  "'%.80s' on rank 0 but '%.80s' on rank %zu", all[0], all[odd], odd);
    }
    if (major != MPI_VERSION || minor != MPI_SUBVERSION) {
        check_say(out, CHECK_WARNING,
                  "build and run with the same MPI: load the modules of the build in the job script",
                  "%.120s gives MPI %d.%d; built for MPI %d.%d", text, major, minor, MPI_VERSION, MPI_SUBVERSION);
    }
    check_say(out, CHECK_OK, "", "%.160s, MPI %d.%d%s", text, major, minor,
              d->comm == NULL ? "; not started, because no launcher started this" : "");
    return STATUS_OK;
}

const check_def check_mpi = {"mpi", "MPI library and version, the same on all ranks", ST_ENVIRONMENT, run};
