#include "pipeline/doctor/check.h"

static const char alike[] =
    "for the same bits in every run choose nodes of one kind (sbatch --constraint=...), or set one "
    "OPENBLAS_CORETYPE that all of them can run";

static status run(const doctor *d, check *out)
{
    const machine *m = &d->machine;
    const char *const *models, *const *sets;
    TRY(doctor_texts(d, m->model, &models));
    TRY(doctor_texts(d, m->instructions, &sets));
    size_t odd = doctor_odd_one(d, sets);
    if (odd < d->size) {
        check_say(out, CHECK_WARNING, alike, "%s on rank 0 (%.60s) but %s on rank %zu (%.60s)", sets[0], d->host[0],
                  sets[odd], odd, d->host[odd]);
    }
    odd = doctor_odd_one(d, models);
    if (odd < d->size) {
        check_say(out, CHECK_WARNING, alike, "'%.60s' on rank 0 (%.40s) but '%.60s' on rank %zu (%.40s)", models[0],
                  d->host[0], models[odd], odd, d->host[odd]);
    }
    check_say(out, CHECK_OK, "", "%s, %s", m->model, m->instructions);
    return STATUS_OK;
}

const check_def check_processor = {"processor", "processor and instruction set, the same on all ranks", ST_ENVIRONMENT,
                                   run};
