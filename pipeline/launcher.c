#include "pipeline/launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/status.h"

/* In this order: mpirun inside a Slurm job starts its helpers with srun, so that both kinds of variables are there. */
static const struct {
    const char *variable, *by;
    int counts; /* its value is the number of processes */
} signs[] = {
    {"OMPI_COMM_WORLD_SIZE", "mpirun of Open MPI", 1},
    {"PMI_SIZE", "mpiexec of MPICH or a relative", 1},
    {"MV2_COMM_WORLD_SIZE", "mpirun of MVAPICH", 1},
    {"SLURM_STEP_NUM_TASKS", "srun", 1},
    {"PMIX_RANK", "a launcher with PMIx", 0},
    {"PMI_RANK", "a launcher with PMI", 0},
};

launch launcher_seen(void)
{
    for (size_t i = 0; i < COUNT(signs); i++) {
        const char *value = getenv(signs[i].variable);
        if (value != NULL) {
            return (launch){signs[i].by, signs[i].variable, signs[i].counts ? strtol(value, NULL, 10) : 0};
        }
    }
    return (launch){NULL, NULL, 0};
}

const char *launcher_find(size_t size, char path[])
{
    static const char *const names[] = {"mpirun", "mpiexec", "srun"};
    const char *folders = getenv("PATH");
    for (size_t i = 0; folders != NULL && i < COUNT(names); i++) {
        for (const char *at = folders; at != NULL;) {
            const int length = (int)strcspn(at, ":");
            const int n = snprintf(path, size, "%.*s%s/%s", length, at, length == 0 ? "." : "", names[i]);
            if (n > 0 && (size_t)n < size && access(path, X_OK) == 0) {
                return names[i];
            }
            at = at[length] == ':' ? at + length + 1 : NULL;
        }
    }
    return NULL;
}

void launcher_prepare_alone(void)
{
    (void)setenv("OMPI_MCA_plm", "isolated", 0);
}
