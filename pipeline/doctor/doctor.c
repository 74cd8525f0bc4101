#include "pipeline/doctor/doctor.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/blas.h"
#include "pipeline/doctor/check.h"

#define CHECK(name) extern const check_def check_##name;
#include "pipeline/doctor/checks.def"
#undef CHECK

#define CHECK(name) &check_##name,
const check_def *const check_table[] = {
#include "pipeline/doctor/checks.def"
};
#undef CHECK
const size_t check_count = COUNT(check_table);

void check_say(check *out, check_state state, const char *advice, const char *fmt, ...)
{
    if (out->found[0] != '\0' && state <= out->state) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out->found, sizeof out->found, fmt, args);
    va_end(args);
    (void)snprintf(out->advice, sizeof out->advice, "%s", advice);
    out->state = state;
}

status doctor_agree(const doctor *d, status local)
{
    return d->comm == NULL ? local : comm_agree(d->comm, local);
}

status doctor_texts(const doctor *d, const char *mine, const char *const **out)
{
    if (d->comm != NULL) {
        return comm_gather_text(d->comm, d->arena, mine, out);
    }
    const char **list;
    TRY_ALLOC(list, d->arena, 1);
    TRY_TEXT(list[0], d->arena, "%s", mine);
    *out = list;
    return STATUS_OK;
}

status doctor_numbers(const doctor *d, double mine, const double **out)
{
    if (d->comm != NULL) {
        return comm_gather_f64(d->comm, d->arena, mine, out);
    }
    double *list;
    TRY_ALLOC(list, d->arena, 1);
    list[0] = mine;
    *out = list;
    return STATUS_OK;
}

void doctor_or(const doctor *d, size_t n, void *bytes)
{
    if (d->comm != NULL) {
        comm_or_bytes(d->comm, n, bytes);
    }
}

void doctor_sum(const doctor *d, size_t n, int64_t value[])
{
    if (d->comm != NULL) {
        comm_sum_i64(d->comm, n, value);
    }
}

size_t doctor_ranks_here(const doctor *d, size_t rank)
{
    size_t n = 0;
    for (size_t i = 0; i < d->size; i++) {
        n += d->first[i] == d->first[rank];
    }
    return n;
}

size_t doctor_odd_one(const doctor *d, const char *const text[])
{
    size_t i = 1;
    while (i < d->size && strcmp(text[i], text[0]) == 0) {
        i++;
    }
    return i;
}

static status find_hosts(doctor *d)
{
    char name[CHECK_TEXT] = "unknown";
    size_t *first;
    (void)gethostname(name, sizeof name - 1);
    TRY(doctor_texts(d, name, &d->host));
    first = arena_alloc(d->arena, d->size, sizeof *first);
    TRY(doctor_agree(d, first == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t i = 0; i < d->size; i++) {
        while (strcmp(d->host[first[i]], d->host[i]) != 0) {
            first[i]++;
        }
    }
    d->first = first;
    return STATUS_OK;
}

/* Replaces what this rank found by what the first of the worst ranks found. */
static status worst(const doctor *d, check *own)
{
    const double *state;
    const char *const *found, *const *advice;
    size_t rank = 0;
    TRY(doctor_numbers(d, own->state, &state));
    TRY(doctor_texts(d, own->found, &found));
    TRY(doctor_texts(d, own->advice, &advice));
    for (size_t i = 1; i < d->size; i++) {
        const bool silent = found[rank][0] == '\0'; /* another rank speaks for all */
        rank = state[i] > state[rank] || (state[i] == state[rank] && silent) ? i : rank;
    }
    own->state = (check_state)state[rank];
    (void)snprintf(own->found, sizeof own->found, "%s", found[rank]);
    (void)snprintf(own->advice, sizeof own->advice, "%s", advice[rank]);
    return STATUS_OK;
}

static void print_check(const char *name, const check *result)
{
    static const char *const words[] = {"ok", "warning", "FAILED"};
    (void)printf("%-11s %-8s %s\n", name, words[result->state], result->found);
    if (result->state != CHECK_OK) {
        (void)printf("    what to do: %s\n", result->advice);
    }
}

typedef struct tally {
    size_t of[CHECK_FAILED + 1];
    status_code code; /* of what FAILED: the one, or ST_ENVIRONMENT for several things */
    char names[CHECK_TEXT];
} tally;

static void add(tally *t, const check_def *c, const check *result)
{
    t->of[result->state]++;
    if (result->state == CHECK_FAILED) {
        const size_t used = strlen(t->names);
        (void)snprintf(t->names + used, sizeof t->names - used, "%s%s", used == 0 ? "" : ", ", c->name);
        t->code = t->code == ST_OK || t->code == c->code ? c->code : ST_ENVIRONMENT;
    }
}

static status examine(doctor *d)
{
    tally t = {.code = ST_OK};
    TRY(find_hosts(d));
    for (size_t i = 0; i < check_count; i++) {
        check result = {.state = CHECK_OK};
        TRY(check_table[i]->run(d, &result));
        TRY(worst(d, &result));
        add(&t, check_table[i], &result);
        if (d->rank == 0) {
            print_check(check_table[i]->name, &result);
        }
    }
    if (d->rank == 0) {
        (void)printf("%zu checks: %zu ok, %zu warning, %zu FAILED\n", check_count, t.of[CHECK_OK], t.of[CHECK_WARNING],
                     t.of[CHECK_FAILED]);
        (void)fflush(stdout); /* before the message that follows on stderr */
    }
    return t.code == ST_OK ? STATUS_OK : FAIL(t.code, "doctor: FAILED: %s; what to do is said above", t.names);
}

/* As a study does; that it fails is a finding. */
static status start_backend(doctor *d)
{
    d->blas_threads = blas_threads();
    if (!status_ok(backend_default()->start())) {
        TRY_TEXT(d->backend_fault, d->arena, "%s", status_message());
        status_clear();
    }
    return STATUS_OK;
}

status doctor_run(comm *c, const char *output)
{
    arena *a = NULL;
    doctor d = {.comm = c, .size = 1, .output = output == NULL ? "./pollard-doctor.h5" : output};
    if (c != NULL) {
        d.rank = (size_t)c->rank;
        d.size = (size_t)c->size;
    }
    status st = doctor_agree(&d, arena_open("doctor", &a));
    if (status_ok(st)) {
        d.arena = a;
        machine_read("", &d.machine);
        st = doctor_agree(&d, start_backend(&d));
    }
    if (status_ok(st)) {
        st = examine(&d);
    }
    arena_close(&a);
    return st;
}
