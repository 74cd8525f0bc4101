#include "pipeline/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "io/files.h"
#include "io/results_same.h"
#include "pipeline/run.h"

typedef struct verify {
    comm *comm;
    const cli *cl;
    int argc;
    char *const *argv;
    arena *a;
    const char *straight; /* the first result: the others are compared with it */
    size_t items;         /* that it computed */
    bool stopped;         /* the last run was */
} verify;

/* A run that verify itself interrupts is no failure, unless the user has asked too. */
static status settle(verify *v, bool interrupted, status st)
{
    int64_t stopped = st.code == ST_STOPPED;
    if ((interrupted && st.code == ST_STOPPED && !stop_asked()) || st.code == ST_PEER) {
        status_clear();
        st = STATUS_OK;
    }
    comm_sum_i64(v->comm, 1, &stopped);
    v->stopped = stopped > 0;
    return comm_agree(v->comm, st);
}

/* The study on the first `ranks` ranks into `output`; stop_after < 0: to its end. */
static status run_once(verify *v, int ranks, const char *output, bool fresh, long stop_after)
{
    comm part;
    run_options o = {.config = v->cl->file, .n_sets = v->cl->n_sets, .sets = v->cl->sets, .output = output, .quiet = true,
                     .resume = {.fresh = fresh, .stop_after = stop_after}};
    status st = comm_part(v->comm, ranks, &part);
    if (status_ok(st) && part.mpi != MPI_COMM_NULL) {
        size_t items = 0;
        o.n_items = &items;
        st = run_study(&part, &o, v->argc, v->argv);
        v->items = v->straight == NULL ? items : v->items;
    }
    comm_part_end(&part);
    return settle(v, stop_after >= 0, st);
}

static void say(const verify *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const verify *v, const char *fmt, ...)
{
    va_list list;
    if (v->comm->rank != 0) {
        return;
    }
    va_start(list, fmt);
    (void)vfprintf(stdout, fmt, list);
    va_end(list);
    (void)fflush(stdout);
}

/* The study of the best settings, which a search writes beside its result. */
static const char *tuned(verify *v, const char *result)
{
    return arena_text(v->a, "%s.tuned.yaml", result);
}

static status compare_tuned(verify *v, const char *output, bool *same, char what[RESULTS_SAME_BYTES])
{
    enum { MOST = 1 << 26 };
    const char *path[] = {tuned(v, v->straight), tuned(v, output)};
    file_bytes bytes[2] = {{NULL, 0}, {NULL, 0}};
    if (path[0] == NULL || path[1] == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    const bool there = access(path[0], F_OK) == 0, both = there == (access(path[1], F_OK) == 0);
    for (size_t i = 0; there && both && i < COUNT(path); i++) {
        TRY(file_read(v->a, path[i], MOST, &bytes[i]));
    }
    *same = both && bytes[0].size == bytes[1].size && (bytes[0].size == 0 || memcmp(bytes[0].data, bytes[1].data, bytes[0].size) == 0);
    (void)snprintf(what, RESULTS_SAME_BYTES, "%s", *same ? "" : "the studies of the best settings, *.tuned.yaml");
    return STATUS_OK;
}

static void remove_files(verify *v, const char *output)
{
    const char *beside = tuned(v, output);
    (void)unlink(output);
    if (beside != NULL) {
        (void)unlink(beside);
    }
}

/* Rank 0 compares. The files go where they are the same. */
static status compare(verify *v, const char *output)
{
    status st = STATUS_OK;
    if (v->comm->rank == 0) {
        bool same = false;
        char what[RESULTS_SAME_BYTES];
        st = results_same(v->straight, output, &same, what);
        if (status_ok(st) && same) {
            st = compare_tuned(v, output, &same, what);
        }
        if (status_ok(st) && !same) {
            st = FAIL(ST_BUG,
                      "%s and %s differ: %s; expected the same but for /provenance. Nodes with unlike processors or libraries can be the cause: "
                      "compare `pollard doctor` of each; else please report it",
                      v->straight, output, what);
        }
        if (status_ok(st)) {
            remove_files(v, output);
        }
    }
    return comm_agree(v->comm, st);
}

static status straight(verify *v, int ranks, const char *output)
{
    const double started = log_seconds();
    TRY(run_once(v, ranks, output, true, -1));
    if (v->straight == NULL) {
        v->straight = output;
        say(v, "%-58s %8.1f s\n", arena_text(v->a, "straight, %d rank%s", ranks, ranks == 1 ? "" : "s"), log_seconds() - started);
        return STATUS_OK;
    }
    TRY(compare(v, output));
    say(v, "%-58s %8.1f s  the same\n", arena_text(v->a, "straight, %d rank%s", ranks, ranks == 1 ? "" : "s"), log_seconds() - started);
    return STATUS_OK;
}

/* Stopped after a part of the work, once more in the middle of the rest, then to the end. */
static status interrupted(verify *v, int first, int second, const char *output)
{
    const double started = log_seconds();
    const long part = (long)(v->items / (3 * (size_t)first)), after = part < 1 ? 1 : part;
    TRY(run_once(v, first, output, true, after));
    const bool once = v->stopped;
    if (once) {
        TRY(run_once(v, second, output, false, after));
    }
    const bool twice = v->stopped;
    if (twice) {
        TRY(run_once(v, first, output, false, -1));
    }
    TRY(compare(v, output));
    const char *what = twice  ? arena_text(v->a, "interrupted twice: %d, %d, %d rank%s", first, second, first, first == 1 ? "" : "s")
                       : once ? arena_text(v->a, "interrupted once: %d, %d rank%s", first, second, second == 1 ? "" : "s")
                              : "too small to be interrupted";
    say(v, "%-58s %8.1f s  the same\n", what, log_seconds() - started);
    return STATUS_OK;
}

static status verify_in(verify *v, const char *base)
{
    const int all = v->comm->size, few = all > 1 ? (all + 1) / 2 : 1;
    const char *one = arena_text(v->a, "%s.straight.h5", base), *other = arena_text(v->a, "%s.other.h5", base);
    TRY(comm_agree(v->comm, one == NULL || other == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    TRY(straight(v, all, one));
    if (few < all) {
        TRY(straight(v, few, other));
    } else {
        say(v, "one rank alone: start it with mpirun or srun to compare numbers of ranks\n");
    }
    if (few > 1) {
        TRY(straight(v, 1, other));
    }
    TRY(interrupted(v, all, few, other));
    if (v->comm->rank == 0) {
        remove_files(v, one);
    }
    say(v, all > 1 ? "All results are the same, apart from /provenance.\n"
                   : "Interruptions change nothing here, apart from /provenance; numbers of ranks were not compared.\n");
    return STATUS_OK;
}

status verify_study(comm *c, const cli *cl, int argc, char *const argv[])
{
    verify v = {.comm = c, .cl = cl, .argc = argc, .argv = argv};
    status st = comm_agree(c, arena_open("verify", &v.a));
    if (status_ok(st)) {
        st = verify_in(&v, cl->output != NULL ? cl->output : "verify");
    }
    arena_close(&v.a);
    return st;
}
