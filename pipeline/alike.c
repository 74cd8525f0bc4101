/* Kernels cannot be lowered any more when this is known: OpenBLAS has chosen its own when it was loaded, and oneDNN is asked for its
 * choice to be compared. So unlike nodes are refused, with the variables that make them alike in the next job. */
#include "pipeline/alike.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "io/versions.h"
#include "pipeline/provenance.h"

/* Kernels from the oldest processor to the newest, as versions name them. OpenBLAS calls each by the processor that it was written for; what
 * is of one age runs on each other's, as far as instructions go. */
typedef struct kernel_age {
    const char *name;
    int age;
} kernel_age;
static const kernel_age openblas_ages[] = {
    {"Prescott", 0},    {"Core2", 1},     {"Penryn", 1},     {"Dunnington", 1},  {"Atom", 1},      {"Opteron", 1},  {"Barcelona", 1},
    {"Bobcat", 1},      {"Nehalem", 2},   {"Sandybridge", 3}, {"Bulldozer", 3},  {"Piledriver", 3}, {"Steamroller", 3}, {"Excavator", 4},
    {"Haswell", 4},     {"Zen", 4},       {"SkylakeX", 5},   {"Cooperlake", 5},  {"SapphireRapids", 6},
};
static const char *const openblas_common[] = {"Prescott", "Core2", "Nehalem", "Sandybridge", "Haswell", "SkylakeX", "SapphireRapids"}; /* [age] */
static const kernel_age onednn_ages[] = {{"SSE4.1", 0}, {"AVX2", 1}, {"AVX-512", 2}};
static const char *const onednn_isa[] = {"SSE41", "AVX2", "AVX512_CORE"}; /* [age] as ONEDNN_MAX_CPU_ISA takes it */

/* By the kernels that `library`'s part of a version names. -1: not known here, or not there. */
static int age_of(const char *version, const char *library, size_t n, const kernel_age ages[])
{
    static const char before[] = "kernels for ";
    const char *at = strstr(version, library);
    at = at == NULL ? NULL : strstr(at, before);
    const char *name = at == NULL ? "" : at + strlen(before);
    const size_t length = strcspn(name, " ,;(");
    for (size_t i = 0; i < n; i++) {
        if (length > 0 && strlen(ages[i].name) == length && strncmp(name, ages[i].name, length) == 0) {
            return ages[i].age;
        }
    }
    return -1;
}

static int lower(int a, int b)
{
    return a < b ? a : b;
}

const char *alike_advice(arena *a, size_t n, const char *const version[])
{
    int openblas = INT_MAX, onednn = INT_MAX;
    for (size_t i = 0; i < n; i++) {
        openblas = lower(openblas, age_of(version[i], "OpenBLAS", COUNT(openblas_ages), openblas_ages));
        onednn = strstr(version[i], "oneDNN") == NULL ? onednn : lower(onednn, age_of(version[i], "oneDNN", COUNT(onednn_ages), onednn_ages));
    }
    if (openblas < 0 || openblas == INT_MAX || onednn < 0) {
        return arena_text(a, "give all nodes the same modules and one OPENBLAS_CORETYPE that each of them can run, or choose nodes of one kind "
                             "(sbatch --constraint)");
    }
    /* oneDNN before 2.5 knows the older name alone. */
    const char *isa = onednn == INT_MAX ? "" : arena_text(a, " ONEDNN_MAX_CPU_ISA=%s DNNL_MAX_CPU_ISA=%s", onednn_isa[onednn], onednn_isa[onednn]);
    return isa == NULL ? NULL
                       : arena_text(a, "`export OPENBLAS_CORETYPE=%s%s` in the job script (and mpirun -x for each) gives all ranks the kernels "
                                       "that every node can run; or choose nodes of one kind (sbatch --constraint)",
                                    openblas_common[openblas], isa);
}

/* The first rank that is not as rank 0; `size`: none. */
static size_t first_odd(size_t size, const char *const text[])
{
    size_t i = 1;
    while (i < size && strcmp(text[i], text[0]) == 0) {
        i++;
    }
    return i < size ? i : size;
}

/* One text of every rank: the same verdict on all. Texts are compared as far as comm_gather_text() carries them. */
static status compare(comm *c, arena *a, const char *what, const char *mine, const char *const host[], bool kernels)
{
    const char *const *text;
    const size_t n = (size_t)c->size;
    TRY(comm_agree(c, mine == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    TRY(comm_gather_text(c, a, mine, &text));
    const size_t odd = first_odd(n, text);
    if (odd == n) {
        return STATUS_OK;
    }
    const char *advice = kernels ? alike_advice(a, n, text) : "give all nodes the same program and libraries: load the same modules on each";
    return FAIL(ST_ENVIRONMENT, "nodes are unlike each other: %s is '%s' on rank 0 (%s) but '%s' on rank %zu (%s); results would depend on who computes what. %s",
                what, text[0], host[0], text[odd], odd, host[odd], advice == NULL ? "" : advice);
}

status alike_check(comm *c, arena *a, const backend_def *backend)
{
    char name[256] = "unknown";
    const char *const *host;
    (void)gethostname(name, sizeof name - 1);
    TRY(comm_gather_text(c, a, name, &host));
    TRY(compare(c, a, "the program", arena_text(a, "%s, compiler %s", provenance_program(), __VERSION__), host, false));
    TRY(compare(c, a, "the MPI library", provenance_mpi(a), host, false));
    TRY(compare(c, a, "the set of libraries", provenance_solvers(a), host, false));
    TRY(compare(c, a, "the set of readers", io_versions(a), host, false));
    return compare(c, a, "the backend", backend->version(), host, true);
}
