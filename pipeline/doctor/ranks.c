#include "pipeline/doctor/check.h"

static status run(const doctor *d, check *out)
{
    size_t hosts = 0, least = d->size, most = 0;
    for (size_t i = 0; i < d->size; i++) {
        const size_t here = doctor_ranks_here(d, i);
        if (d->first[i] == i) {
            hosts++;
            least = here < least ? here : least;
            most = here > most ? here : most;
        }
    }
    if (hosts == 1) {
        check_say(out, CHECK_OK, "", "%zu on %.200s", d->size, d->host[0]);
    } else if (least == most) {
        check_say(out, CHECK_OK, "", "%zu on %zu hosts, %zu on each", d->size, hosts, least);
    } else {
        check_say(out, CHECK_OK, "", "%zu on %zu hosts, %zu to %zu on each", d->size, hosts, least, most);
    }
    return STATUS_OK;
}

const check_def check_ranks = {"ranks", "ranks and hosts", ST_ENVIRONMENT, run};
