#ifndef PIPELINE_LAUNCHER_H
#define PIPELINE_LAUNCHER_H
/* Who started this process: mpirun, srun or a person. Read from the environment, so that it is known before MPI is started. */
#include <stdbool.h>
#include <stddef.h>

typedef struct launch {
    const char *by; /* "mpirun of Open MPI"; NULL: alone */
    const char *variable;
    long size; /* processes that were started together; 0: the variable does not tell */
} launch;

launch launcher_seen(void);

/* The first launcher that PATH offers: *path is where. NULL: none. */
const char *launcher_find(size_t size, char path[]);

typedef enum launcher_kind {
    LAUNCHER_UNKNOWN,
    LAUNCHER_OPEN_MPI,
    LAUNCHER_HYDRA /* of MPICH, Intel MPI, MVAPICH */
} launcher_kind;

/* Whose launcher is this? By what `path --version` prints. Starts a process, so not after MPI was started. */
launcher_kind launcher_ask(const char *path);

/* Is stderr a pipe to a launcher, the parent of this process or of the helper that started it, that shows it on a terminal? What
 * cannot be seen counts as no. */
bool launcher_shows_terminal(void);

/* Before MPI is started: without a launcher that it knows, Open MPI takes the process for a lone one, which needs no remote shell, for want
 * of which Open MPI would end it. */
void launcher_prepare(void);

#endif
