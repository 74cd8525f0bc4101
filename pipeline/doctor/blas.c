#include "backend/blas.h"

#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "pipeline/doctor/check.h"

/* Kernels of OpenBLAS for x86-64 that do without the wide vectors of every processor since about 2013. */
static bool is_old(const char *kernel)
{
    static const char *const names[] = {"Generic", "Prescott", "Core2",     "Penryn", "Dunnington", "Atom",
                                        "Nehalem", "Opteron",  "Barcelona", "Bobcat", "Bulldozer",  "Sandybridge"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strncmp(kernel, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_wide_vectors(const machine *m)
{
    return strcmp(m->instructions, "AVX2") == 0 || strcmp(m->instructions, "AVX-512") == 0;
}

/* For a study with `convolutions: winograd`: told by a shape that such kernels are made for. */
static bool has_winograd(const doctor *d, const backend_def *b)
{
    const conv_shape s = {.in_channels = 64,
                          .out_channels = 64,
                          .groups = 1,
                          .in_height = 16,
                          .in_width = 16,
                          .out_height = 16,
                          .out_width = 16,
                          .kernel = {3, 3},
                          .stride = {1, 1},
                          .padding = {1, 1},
                          .dilation = {1, 1}};
    const conv_plan *plan = NULL;
    if (d->backend_fault != NULL) {
        return false;
    }
    if (!status_ok(b->prepare(d->arena, &s, 1, (conv_pass){.winograd = true}, &plan))) {
        status_clear(); /* the check of arithmetic is about what the backend cannot prepare */
        return false;
    }
    return plan->winograd;
}

static status run(const doctor *d, check *out)
{
    const backend_def *b = backend_default();
    const char *kernel = blas_kernel(), *type = getenv("OPENBLAS_CORETYPE");
    const char *const *kernels, *const *versions;
    if (d->backend_fault != NULL) {
        check_say(out, CHECK_FAILED, "see memory; `pollard --version` names the libraries", "%s (rank %zu)",
                  d->backend_fault, d->rank);
    }
    TRY(doctor_texts(d, kernel, &kernels));
    TRY(doctor_texts(d, b->version(), &versions));
    size_t odd = doctor_odd_one(d, kernels);
    if (odd < d->size) {
        check_say(out, CHECK_FAILED,
                  "export OPENBLAS_CORETYPE=Haswell on all ranks (mpirun -x OPENBLAS_CORETYPE), or the oldest kernel "
                  "named here",
                  "kernels for %s on rank 0 (%.60s) but for %s on rank %zu (%.60s): results would depend on who "
                  "computes what",
                  kernels[0], d->host[0], kernels[odd], odd, d->host[odd]);
    }
    odd = doctor_odd_one(d, versions);
    if (odd < d->size) {
        check_say(out, CHECK_FAILED, "give all hosts the same libraries: load the same modules on each",
                  "'%.80s' on rank 0 but '%.80s' on rank %zu", versions[0], versions[odd], odd);
    }
    if (blas_threads() != 1) {
        check_say(out, CHECK_FAILED, "export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1",
                  "it computes with %zu threads although it was told to use one", blas_threads());
    }
    if (is_old(kernel) && has_wide_vectors(&d->machine)) {
        check_say(out, CHECK_WARNING,
                  type == NULL ? "use an OpenBLAS that was built with DYNAMIC_ARCH" : "unset OPENBLAS_CORETYPE",
                  "kernels for %s on a processor with %s: a study takes several times longer", kernel,
                  d->machine.instructions);
    }
    check_say(out, CHECK_OK, "", "%s, %s convolutions: %s%s%s", b->name,
              has_winograd(d, b) ? "direct and winograd" : "direct", b->version(),
              type == NULL ? "" : ", OPENBLAS_CORETYPE=", type == NULL ? "" : type);
    return STATUS_OK;
}

const check_def check_blas = {"blas", "BLAS library and the kernels it chose, the same on all ranks", ST_ENVIRONMENT,
                              run};
