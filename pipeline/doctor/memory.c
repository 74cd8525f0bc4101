#include "pipeline/doctor/check.h"

static const double MIB = 1024.0 * 1024.0;
static const double LEAST = 192.0,
                    COMFORTABLE = 512.0; /* MiB per rank: for BLAS and the program; for a network of the usual size */

/* Bytes for each rank of this host. */
static double share(const doctor *d, const char **from)
{
    const machine *m = &d->machine;
    const double part = m->memory_from == NULL ? -1.0 : m->memory / (double)doctor_ranks_here(d, d->rank);
    *from = m->memory_from;
    if (m->own_memory > 0.0 && (part < 0.0 || m->own_memory < part)) {
        *from = "ulimit";
        return m->own_memory;
    }
    return part;
}

/* Host by host the free memory is another; the rank with the least speaks for all. */
static status run(const doctor *d, check *out)
{
    const char *from;
    const double *all, mine = share(d, &from);
    TRY(doctor_numbers(d, mine, &all));
    size_t least = 0;
    for (size_t i = 1; i < d->size; i++) {
        least = all[i] < all[least] ? i : least;
    }
    if (d->rank != least) {
        return STATUS_OK;
    }
    const char *host = d->host[d->rank];
    const double mib = mine / MIB;
    if (mine < 0.0) {
        check_say(out, CHECK_OK, "", "unknown: this system does not tell");
    } else if (mib < COMFORTABLE) {
        check_say(out, mib < LEAST ? CHECK_FAILED : CHECK_WARNING,
                  "start fewer ranks per node, or ask for more memory (sbatch --mem=..., ulimit -v); a smaller "
                  "micro_batch needs less",
                  "%.0f MiB for each rank on %.60s (%s), expected %.0f or more", mib, host, from, COMFORTABLE);
    } else {
        check_say(out, CHECK_OK, "", "%.1f GiB for each rank on %.60s, which has the least (%s)", mib / 1024.0, host,
                  from);
    }
    return STATUS_OK;
}

const check_def check_memory = {"memory", "free memory per rank, host by host", ST_ENVIRONMENT, run};
