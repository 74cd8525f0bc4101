#ifndef PIPELINE_DOCTOR_CHECK_H
#define PIPELINE_DOCTOR_CHECK_H
/* The family of checks that `pollard doctor` runs: one file each in pipeline/doctor/, listed in checks.def. A check looks at its own rank
 * and, through the calls below, at the others; of what the ranks say the worst is printed. */
#include "parallel/comm.h"
#include "pipeline/doctor/machine.h"

typedef struct doctor {
    comm *comm; /* NULL: alone, without MPI */
    arena *arena;
    size_t rank, size;
    const char *output;
    const char *const *host;   /* [size] */
    const size_t *first;       /* [size] the first rank on the same host */
    size_t blas_threads;       /* that BLAS made by itself, before ours was said */
    const char *backend_fault; /* why the backend cannot be used on this rank; NULL: it can */
    machine machine;           /* of this rank */
} doctor;

typedef enum check_state { CHECK_OK, CHECK_WARNING, CHECK_FAILED } check_state;
enum { CHECK_TEXT = 256 }; /* what comm_gather_text takes */

typedef struct check {
    check_state state;
    char found[CHECK_TEXT], advice[CHECK_TEXT]; /* advice: what to do; "" where all is well */
} check;

/* Keeps what is worse than all that was said before, and the first thing that is ok. */
void check_say(check *out, check_state state, const char *advice, const char *fmt, ...) PRINTF_LIKE(4, 5);

typedef struct check_def {
    const char *name, *help;
    status_code code; /* what it means for the exit code when it FAILED */
    /* Collective. Fails only where the check itself cannot be made (no memory). */
    status (*run)(const doctor *d, check *out);
} check_def;

extern const check_def *const check_table[]; /* from checks.def */
extern const size_t check_count;

/* Collective; as in parallel/comm.h, and for one process without MPI. */
MUST_CHECK status doctor_agree(const doctor *d, status local);
MUST_CHECK status doctor_texts(const doctor *d, const char *mine, const char *const **out);
MUST_CHECK status doctor_numbers(const doctor *d, double mine, const double **out);
void doctor_or(const doctor *d, size_t n, void *bytes);
void doctor_sum(const doctor *d, size_t n, int64_t value[]);

size_t doctor_ranks_here(const doctor *d, size_t rank); /* on the host of `rank` */

/* The first rank whose text is not rank 0's; d->size where all are the same. Not collective. */
size_t doctor_odd_one(const doctor *d, const char *const text[]);

#endif
