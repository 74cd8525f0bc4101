#include <math.h>

#include "parallel/eigen.h"
#include "pipeline/doctor/check.h"

enum { ORDER = 200 };

/* a(i,j) = min(i,j), counted from 1, whose eigenvalues are 1 / (4 sin^2((2k - 1) pi / (4n + 2))). */
static void fill(const void *context, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc)
{
    (void)context;
    for (size_t column = 0; column < ORDER; column++) {
        for (size_t row = column; row < ORDER; row++) {
            const size_t down = row / EIGEN_TILE, across = column / EIGEN_TILE;
            if (down % p == i && across % q == j) {
                to[(across / q * EIGEN_TILE + column % EIGEN_TILE) * ldc + down / p * EIGEN_TILE + row % EIGEN_TILE] = (double)column + 1.0;
            }
        }
    }
}

/* The largest deviation, in units of the largest eigenvalue; on rank 0. */
static double deviation(const double values[])
{
    double worst = 0.0;
    for (size_t k = 1; k <= ORDER; k++) {
        const double s = sin((2.0 * (double)k - 1.0) * acos(-1.0) / (4.0 * ORDER + 2.0));
        worst = fmax(worst, fabs(values[ORDER - k] - 0.25 / (s * s)));
    }
    return worst / values[ORDER - 1];
}

static status run(const doctor *d, check *out)
{
    static const double most = 1e-12; /* docs/spectrum.md; a few 1e-15 are usual */
    double *values;
    TRY_ALLOC(values, d->arena, ORDER);
    if (!eigen_built()) {
        check_say(out, CHECK_OK, "", "not in this build: a spectrum of a matrix larger than spectrum_lapack is refused (%s)", eigen_package());
        return STATUS_OK;
    }
    if (d->comm == NULL) {
        check_say(out, CHECK_OK, "", "version %s; not tried, without MPI", eigen_version());
        return STATUS_OK;
    }
    int64_t faults = d->backend_fault != NULL;
    doctor_sum(d, 1, &faults);
    if (faults > 0) { /* BLAS without memory would look for it for ever */
        check_say(out, CHECK_OK, "", "version %s; not tried, for what is said of blas", eigen_version());
        return STATUS_OK;
    }
    const eigen_matrix m = {.order = ORDER, .fill = fill};
    const status st = eigen_values(d->comm, d->arena, &m, values);
    const double off = status_ok(st) && d->rank == 0 ? deviation(values) : 0.0;
    if (!status_ok(st)) {
        check_say(out, CHECK_FAILED, "install the ScaLAPACK of this MPI and build again, or build with -DPOLLARD_SCALAPACK=OFF", "%.200s",
                  status_message());
        status_clear();
    } else if (!(off <= most)) {
        check_say(out, CHECK_FAILED, "install the ScaLAPACK of this MPI and build again, or build with -DPOLLARD_SCALAPACK=OFF",
                  "eigenvalues of a known matrix are off by %.1e of the largest", off);
    } else {
        check_say(out, CHECK_OK, "", "version %s; eigenvalues of a known matrix are right", eigen_version());
    }
    return STATUS_OK;
}

const check_def check_scalapack = {"scalapack", "eigenvalues over all ranks, against known ones", ST_ENVIRONMENT, run};
