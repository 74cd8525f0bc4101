/* Threads that compute against the processors that they may use: counted per set of processors, so that two ranks that are bound to one
 * core are found on a node of many. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/doctor/check.h"

static const char *const variables[] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"};

/* The largest number that the environment asks for; 0 where it asks for none. */
static size_t asked(const char **by)
{
    size_t most = 0;
    for (size_t i = 0; i < COUNT(variables); i++) {
        const char *value = getenv(variables[i]);
        const long n = value == NULL ? 0 : strtol(value, NULL, 10);
        if (n > 0 && (size_t)n > most) {
            most = (size_t)n;
            *by = variables[i];
        }
    }
    return most;
}

/* What all ranks of a job say about themselves. */
typedef struct crew {
    const double *threads, *quota; /* [size] */
    size_t width;                  /* bytes of a mask */
    unsigned char *mask;           /* [size, width] */
} crew;

/* The masks of all ranks, as narrow as they can be. */
static status gather_masks(const doctor *d, const unsigned char own[MACHINE_CPUS / 8], crew *out)
{
    const double *width;
    size_t mine = MACHINE_CPUS / 8;
    while (mine > 0 && own[mine - 1] == 0) {
        mine--;
    }
    TRY(doctor_numbers(d, (double)mine, &width));
    out->width = 1;
    for (size_t i = 0; i < d->size; i++) {
        out->width = (size_t)width[i] > out->width ? (size_t)width[i] : out->width;
    }
    out->mask = arena_alloc(d->arena, d->size, out->width);
    TRY(doctor_agree(d, out->mask == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    memcpy(out->mask + d->rank * out->width, own, mine);
    doctor_or(d, d->size * out->width, out->mask);
    return STATUS_OK;
}

static bool within(const crew *c, size_t inner, size_t outer)
{
    for (size_t i = 0; i < c->width; i++) {
        if ((c->mask[inner * c->width + i] & ~c->mask[outer * c->width + i]) != 0) {
            return false;
        }
    }
    return true;
}

typedef struct load {
    size_t ranks, threads, cpus; /* cpus 0: unknown */
} load;

/* Of the processors of rank `r`: who can use no others. */
static load load_of(const doctor *d, const crew *c, size_t r)
{
    load l = {0, 0, 0};
    for (size_t i = 0; i < d->size; i++) {
        if (d->first[i] == d->first[r] && within(c, i, r)) {
            l.ranks++;
            l.threads += (size_t)c->threads[i];
        }
    }
    l.cpus = machine_count(c->width, c->mask + r * c->width);
    return l;
}

/* A control group's share of time is one for all ranks of a host. */
static load load_of_quota(const doctor *d, const crew *c, size_t r)
{
    load l = {0, 0, (size_t)c->quota[r]};
    for (size_t i = 0; i < d->size; i++) {
        if (d->first[i] == d->first[r]) {
            l.ranks++;
            l.threads += (size_t)c->threads[i];
        }
    }
    l.cpus += (double)l.cpus < c->quota[r]; /* part of a processor is worth one thread */
    return l;
}

static size_t too_many(load l)
{
    return l.cpus > 0 && l.threads > l.cpus ? l.threads - l.cpus : 0;
}

/* The rank whose processors are the most overloaded. */
static size_t worst_rank(const doctor *d, const crew *c, load (*of)(const doctor *, const crew *, size_t))
{
    size_t worst = 0, most = 0;
    for (size_t r = 0; r < d->size; r++) {
        const size_t n = too_many(of(d, c, r));
        if (n > most) {
            worst = r;
            most = n;
        }
    }
    return worst;
}

static void complain(const doctor *d, check *out, check_state state, const char *advice, const char *what, size_t r,
                     load l)
{
    check_say(out, state, advice,
              "%zu thread%s too many: %zu rank%s with %zu thread%s together on %zu %s of %.60s (rank %zu)", too_many(l),
              too_many(l) == 1 ? "" : "s", l.ranks, l.ranks == 1 ? "" : "s", l.threads, l.threads == 1 ? "" : "s",
              l.cpus, what, d->host[r], r);
}

static const char fewer[] = "export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1, and start no more ranks than cores";
static const char spread[] =
    "start fewer ranks, or let each have cores of its own: mpirun --bind-to core --map-by core, srun "
    "--cpus-per-task=1 --cpu-bind=cores";
static const char quota_advice[] =
    "start no more ranks than the control group (container, job) has processors, one thread each, or ask "
    "for more of them";

static void judge(const doctor *d, const crew *c, check *out)
{
    size_t r = worst_rank(d, c, load_of_quota);
    const load group = load_of_quota(d, c, r);
    if (too_many(group) > 0) {
        complain(d, out, CHECK_FAILED, quota_advice, "processors that the control group allows,", r, group);
    }
    r = worst_rank(d, c, load_of);
    const load l = load_of(d, c, r);
    if (too_many(l) > 0) {
        complain(d, out, CHECK_FAILED, l.threads > l.ranks ? fewer : spread, l.cpus == 1 ? "processor" : "processors",
                 r, l);
    }
}

/* What is ok: the first host, as an example of all. */
static void say_ok(const doctor *d, const crew *c, const char *by, check *out)
{
    size_t threads = 0, cpus = 0;
    unsigned char all[MACHINE_CPUS / 8] = {0};
    for (size_t i = 0; i < d->size; i++) {
        if (d->first[i] == 0) {
            threads += (size_t)c->threads[i];
            for (size_t k = 0; k < c->width; k++) {
                all[k] = (unsigned char)(all[k] | c->mask[i * c->width + k]);
            }
        }
    }
    cpus = machine_count(sizeof all, all);
    if (cpus == 0) {
        check_say(out, CHECK_OK, "", "%zu on %.60s; how many processors they may use is unknown", threads, d->host[0]);
        return;
    }
    check_say(out, CHECK_OK, "", "%zu (%s) on %zu processor%s of %.60s%s", threads, by, cpus, cpus == 1 ? "" : "s",
              d->host[0], threads < cpus ? ": there is room for more ranks" : "");
}

static status run(const doctor *d, check *out)
{
    const char *by = "one a rank";
    const size_t set = asked(&by), pool = set > 0 ? set : d->blas_threads;
    crew c;
    TRY(doctor_numbers(d, set > 0 ? (double)set : 1.0, &c.threads));
    TRY(doctor_numbers(d, d->machine.quota, &c.quota));
    TRY(gather_masks(d, d->machine.cpu, &c));
    judge(d, &c, out);

    crew idle = c, cores = c;
    TRY(doctor_numbers(d, (double)pool, &idle.threads));
    TRY(gather_masks(d, d->machine.core, &cores));
    size_t r = worst_rank(d, &idle, load_of);
    if (too_many(load_of(d, &idle, r)) > 0) {
        complain(d, out, CHECK_WARNING,
                 "export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1: BLAS made these threads because nothing is set",
                 "processors", r, load_of(d, &idle, r));
    }
    r = worst_rank(d, &cores, load_of);
    if (too_many(load_of(d, &cores, r)) > 0) {
        complain(d, out, CHECK_WARNING,
                 "start one rank per core: hardware threads of one core share its arithmetic units",
                 "cores with hardware threads", r, load_of(d, &cores, r));
    }
    say_ok(d, &c, by, out);
    return STATUS_OK;
}

const check_def check_threads = {"threads", "ranks times threads against the cores that they may use", ST_ENVIRONMENT,
                                 run};
