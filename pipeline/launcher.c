#include "pipeline/launcher.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/status.h"

/* In this order: mpirun inside a Slurm job starts its helpers with srun, so that both kinds of variables are there. */
static const struct {
    const char *variable, *by;
    int counts; /* its value is the number of processes */
} signs[] = {
    {"OMPI_COMM_WORLD_SIZE", "mpirun of Open MPI", 1}, {"PMI_SIZE", "mpiexec of MPICH or a relative", 1},
    {"MV2_COMM_WORLD_SIZE", "mpirun of MVAPICH", 1},   {"SLURM_STEP_NUM_TASKS", "srun", 1},
    {"PMIX_RANK", "a launcher with PMIx", 0},          {"PMI_RANK", "a launcher with PMI", 0},
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

/* What the shell takes as one word. */
static bool quote(const char *path, size_t size, char word[])
{
    const int n = snprintf(word, size, "'%s'", path);
    return strchr(path, '\'') == NULL && n > 0 && (size_t)n < size;
}

launcher_kind launcher_ask(const char *path)
{
    static const struct {
        const char *text;
        launcher_kind kind;
    } known[] = {{"Open MPI", LAUNCHER_OPEN_MPI},
                 {"open-mpi", LAUNCHER_OPEN_MPI},
                 {"HYDRA", LAUNCHER_HYDRA},
                 {"Intel(R) MPI", LAUNCHER_HYDRA},
                 {"MPICH", LAUNCHER_HYDRA}};
    char word[4096], command[4352], line[512];
    launcher_kind kind = LAUNCHER_UNKNOWN;
    if (!quote(path, sizeof word, word)) {
        return LAUNCHER_UNKNOWN;
    }
    (void)snprintf(command, sizeof command, "%s --version 2>/dev/null </dev/null", word);
    FILE *answer = popen(command, "r");
    while (answer != NULL && fgets(line, sizeof line, answer) != NULL) {
        for (size_t i = 0; i < COUNT(known) && kind == LAUNCHER_UNKNOWN; i++) {
            kind = strstr(line, known[i].text) != NULL ? known[i].kind : LAUNCHER_UNKNOWN;
        }
    }
    if (answer != NULL) {
        (void)pclose(answer);
    }
    return kind;
}

void launcher_prepare(void)
{
    if (getenv("OMPI_COMM_WORLD_SIZE") == NULL && getenv("PMIX_RANK") == NULL) {
        (void)setenv("OMPI_MCA_plm", "isolated", 0);
    }
}

/* Whose stderr a person sees: the parent's, or, where that is a helper of mpiexec on this host (hydra_pmi_proxy), its parent's. */
static long showing_process(void)
{
    char path[64], line[256];
    long parent = (long)getppid(), above = 0;
    bool helper = false;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", parent); /* "Name:\thydra_pmi_proxy" ... "PPid:\t17" */
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        helper = helper || strncmp(line, "Name:\thydra_", strlen("Name:\thydra_")) == 0;
        above = strncmp(line, "PPid:", strlen("PPid:")) == 0 ? strtol(line + strlen("PPid:"), NULL, 10) : above;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return helper ? above : parent;
}

bool launcher_shows_terminal(void)
{
    char path[64];
    struct stat ours;
    if (launcher_seen().by == NULL || fstat(STDERR_FILENO, &ours) != 0 || !S_ISFIFO(ours.st_mode)) {
        return false;
    }
    (void)snprintf(path, sizeof path, "/proc/%ld/fd/%d", showing_process(), STDERR_FILENO);
    const int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    const bool terminal = fd >= 0 && isatty(fd) == 1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return terminal;
}
