#ifndef PIPELINE_PROVENANCE_H
#define PIPELINE_PROVENANCE_H
/* Where a result comes from: command, config, sources, libraries, hosts, times and the SHA-256 of every input. */
#include "io/results.h"
#include "pipeline/plan.h"
#include "stages/stage.h"

/* What a stage took on this rank, and how much of it was waiting for images, and for other ranks. */
typedef struct stage_time {
    double seconds, image_wait, idle;
} stage_time;

static inline double stage_share(double part, double seconds)
{
    return seconds > 0.0 ? part / seconds : 0.0;
}

typedef struct provenance_run {
    int argc;
    char *const *argv;
    double started;           /* seconds since the epoch */
    const stage_time *stage;  /* [stage_count] */
} provenance_run;

const char *provenance_program(void); /* "pollard 0.1.0 (4d4d8e8)" */
/* All NULL when memory is gone. The libraries of linear algebra and of fits have a line each. */
const char *provenance_mpi(arena *a);
const char *provenance_solvers(arena *a);
/* Several lines: ours, compiler, libraries, among them the backend's with the kernels it chose. */
const char *provenance_version(arena *a, const backend_def *backend);

/* A word as a shell reads it: quoted where it holds other than plain characters. NULL when memory is gone. */
const char *provenance_word(arena *a, const char *word);
/* The command as a shell would read it again: words with other than plain characters are quoted. NULL when memory is gone. */
const char *provenance_command(arena *a, int argc, char *const argv[]);

/* Collective: gathers hosts, times and digests from all ranks, and fills the /provenance part of *out on every rank. */
MUST_CHECK status provenance_gather(comm *c, arena *a, const plan *p, const stage_ctx *s, const provenance_run *run, results *out);

#endif
