#include "parallel/comm.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const size_t piece = (size_t)1 << 26; /* bytes a call: far below INT_MAX, far above the cost of a call */
static const size_t reduced = (size_t)1 << 24; /* bytes a reduction, beside which the library keeps as many: a few milliseconds' worth */

void comm_fatal(const comm *c, const char *what)
{
    (void)fprintf(stderr, "pollard: rank %d: %s; the MPI library gave up, all ranks are stopped\n", c->rank, what);
    (void)MPI_Abort(c->mpi, ST_ENVIRONMENT);
}

/* What rank 0 has in its environment, for all: launchers hand on variables to some ranks and not to others. "" where it has none. */
static void environment(const comm *c, const char *name, size_t size, char *out)
{
    const char *mine = c->rank == 0 ? getenv(name) : NULL;
    (void)snprintf(out, size, "%s", mine == NULL ? "" : mine);
    if (MPI_Bcast(out, (int)size, MPI_CHAR, 0, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "a broadcast failed");
    }
}

/* How many ranks of a host are a node. The same on all ranks. */
static status read_environment(comm *c)
{
    char text[32], *end;
    environment(c, "POLLARD_RANKS_PER_NODE", sizeof text, text);
    environment(c, "POLLARD_SHARED_MEMORY", sizeof c->shared_folder, c->shared_folder);
    const long value = strtol(text, &end, 10);
    if (text[0] != '\0' && (*end != '\0' || value < 1 || value > INT_MAX)) {
        return FAIL(ST_ENVIRONMENT, "POLLARD_RANKS_PER_NODE: expected a number of 1 or more, or nothing, found '%s'", text);
    }
    c->node_most = text[0] == '\0' ? INT_MAX : (int)value;
    if (strcmp(c->shared_folder, "off") == 0) {
        c->node_most = 1;
    }
    if (c->shared_folder[0] == '\0') {
        (void)snprintf(c->shared_folder, sizeof c->shared_folder, "/dev/shm");
    }
    return STATUS_OK;
}

/* Ranks of one host, in stretches of node_most. */
static void find_node(comm *c)
{
    MPI_Comm host = MPI_COMM_NULL;
    int rank = 0;
    if (MPI_Comm_split_type(c->mpi, MPI_COMM_TYPE_SHARED, c->rank, MPI_INFO_NULL, &host) != MPI_SUCCESS ||
        MPI_Comm_rank(host, &rank) != MPI_SUCCESS || MPI_Comm_split(host, rank / c->node_most, c->rank, &c->node) != MPI_SUCCESS ||
        MPI_Comm_free(&host) != MPI_SUCCESS || MPI_Comm_set_errhandler(c->node, MPI_ERRORS_RETURN) != MPI_SUCCESS ||
        MPI_Comm_rank(c->node, &c->node_rank) != MPI_SUCCESS || MPI_Comm_size(c->node, &c->node_size) != MPI_SUCCESS) {
        comm_fatal(c, "no communicator of the ranks of a node");
    }
    int largest = c->node_size;
    if (MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT, MPI_MAX, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "a reduction failed");
    }
    c->shares = largest > 1;
}

status comm_start(int *argc, char ***argv, comm *out)
{
    int provided = 0;
    *out = (comm){.mpi = MPI_COMM_NULL, .node = MPI_COMM_NULL};
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        return FAIL(ST_ENVIRONMENT, "MPI cannot be started; check that the program runs under the mpirun of the MPI it was built with");
    }
    if (MPI_Comm_dup(MPI_COMM_WORLD, &out->mpi) != MPI_SUCCESS ||
        MPI_Comm_set_errhandler(out->mpi, MPI_ERRORS_RETURN) != MPI_SUCCESS ||
        MPI_Comm_rank(out->mpi, &out->rank) != MPI_SUCCESS || MPI_Comm_size(out->mpi, &out->size) != MPI_SUCCESS) {
        comm_fatal(out, "no communicator of our own");
    }
    if (provided < MPI_THREAD_FUNNELED) {
        return FAIL(ST_ENVIRONMENT, "this MPI offers no MPI_THREAD_FUNNELED");
    }
    TRY(read_environment(out));
    find_node(out);
    return STATUS_OK;
}

status comm_part(comm *c, int n, comm *out)
{
    *out = (comm){.mpi = MPI_COMM_NULL, .node = MPI_COMM_NULL, .node_most = c->node_most};
    memcpy(out->shared_folder, c->shared_folder, sizeof out->shared_folder);
    if (MPI_Comm_split(c->mpi, c->rank < n ? 0 : MPI_UNDEFINED, c->rank, &out->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "no communicator of some of the ranks");
    }
    if (out->mpi != MPI_COMM_NULL) {
        if (MPI_Comm_set_errhandler(out->mpi, MPI_ERRORS_RETURN) != MPI_SUCCESS || MPI_Comm_rank(out->mpi, &out->rank) != MPI_SUCCESS ||
            MPI_Comm_size(out->mpi, &out->size) != MPI_SUCCESS) {
            comm_fatal(c, "no communicator of some of the ranks");
        }
        find_node(out);
    }
    return comm_agree(c, STATUS_OK);
}

void comm_part_end(comm *part)
{
    if (part->node != MPI_COMM_NULL) {
        (void)MPI_Comm_free(&part->node);
    }
    if (part->mpi != MPI_COMM_NULL) {
        (void)MPI_Comm_free(&part->mpi);
    }
}

void comm_finish(comm *c)
{
    int started = 0;
    if (MPI_Initialized(&started) == MPI_SUCCESS && started) {
        comm_part_end(c);
        (void)MPI_Finalize();
    }
}

enum { TAG_ALARM = 1, TAG_FETCH };

bool comm_alarm(comm *c, status local)
{
    if (!status_ok(local)) {
        for (int rank = 0; rank < c->size && !c->raised; rank++) {
            MPI_Request request;
            if (rank != c->rank && (MPI_Isend(NULL, 0, MPI_BYTE, rank, TAG_ALARM, c->mpi, &request) != MPI_SUCCESS ||
                                    MPI_Request_free(&request) != MPI_SUCCESS)) {
                comm_fatal(c, "an alarm cannot be sent");
            }
        }
        c->raised = true;
        return true;
    }
    int heard = 0;
    if (MPI_Iprobe(MPI_ANY_SOURCE, TAG_ALARM, c->mpi, &heard, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
        comm_fatal(c, "other ranks cannot be heard");
    }
    return heard != 0;
}

/* Takes the alarms of this round off the wire, so that the next round starts silent. */
static void drain_alarms(comm *c)
{
    int raised = c->raised ? 1 : 0, all = 0;
    if (MPI_Allreduce(&raised, &all, 1, MPI_INT, MPI_SUM, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "the ranks can no longer reach agreement");
    }
    for (int i = 0; i < all - raised; i++) {
        if (MPI_Recv(NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, TAG_ALARM, c->mpi, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
            comm_fatal(c, "an alarm cannot be received");
        }
    }
    c->raised = false;
}

/* The lowest rank with a failure; false when all are fine. Collective. */
static bool first_failure(const comm *c, bool failed, int *rank)
{
    struct {
        int failed, rank;
    } mine = {failed, c->rank}, first = {0, 0};
    if (MPI_Allreduce(&mine, &first, 1, MPI_2INT, MPI_MAXLOC, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "the ranks can no longer reach agreement");
    }
    *rank = first.rank;
    return first.failed != 0;
}

status comm_agree(comm *c, status local)
{
    int rank = 0;
    if (!first_failure(c, !status_ok(local), &rank)) {
        return STATUS_OK;
    }
    drain_alarms(c);
    if (!status_ok(local)) {
        return local;
    }
    return FAIL(ST_PEER, "rank %d failed; its own message says why", rank);
}

/* The bytes of rank 0 of `within` for its ranks. */
static status share_bytes(comm *c, MPI_Comm within, bool first, arena *a, const void **data, size_t *size)
{
    unsigned long long bytes = first ? *size : 0;
    if (MPI_Bcast(&bytes, 1, MPI_UNSIGNED_LONG_LONG, 0, within) != MPI_SUCCESS) {
        comm_fatal(c, "a broadcast failed");
    }
    unsigned char *copy = arena_alloc(a, (size_t)bytes + 1, 1);
    TRY(comm_agree(c, copy == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    if (first && bytes > 0) {
        memcpy(copy, *data, (size_t)bytes);
    }
    for (size_t done = 0; done < bytes; done += piece) {
        const size_t n = bytes - done < piece ? (size_t)bytes - done : piece;
        if (MPI_Bcast(copy + done, (int)n, MPI_BYTE, 0, within) != MPI_SUCCESS) {
            comm_fatal(c, "a broadcast failed");
        }
    }
    *data = copy;
    *size = (size_t)bytes;
    return STATUS_OK;
}

status comm_share_bytes(comm *c, arena *a, const void **data, size_t *size)
{
    return share_bytes(c, c->mpi, c->rank == 0, a, data, size);
}

status comm_share_in_node(comm *c, arena *a, const void **data, size_t *size)
{
    return share_bytes(c, c->node, c->node_rank == 0, a, data, size);
}

void comm_bcast_in_node(const comm *c, size_t n, void *value)
{
    if (MPI_Bcast(value, (int)n, MPI_BYTE, 0, c->node) != MPI_SUCCESS) {
        comm_fatal(c, "a broadcast failed");
    }
}

status comm_same_in_node(comm *c, const char *what, uint64_t mine)
{
    uint64_t both[2] = {mine, ~mine}; /* the largest, and the complement of the smallest */
    if (MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_UINT64_T, MPI_MAX, c->node) != MPI_SUCCESS) {
        comm_fatal(c, "a reduction failed");
    }
    return comm_agree(c, both[0] == ~both[1] ? STATUS_OK : FAIL(ST_BUG, "%s: expected the same on all ranks of a node, found different ones", what));
}

size_t comm_reduce_bytes(const comm *c, size_t bytes)
{
    return c->size == 1 ? 0 : bytes < reduced ? bytes : reduced;
}

/* In place, in pieces; every rank passes the same n. */
static void reduce(const comm *c, size_t n, void *value, size_t element, MPI_Datatype type, MPI_Op op)
{
    const size_t most = reduced / element;
    for (size_t done = 0; done < n; done += most) {
        const size_t count = n - done < most ? n - done : most;
        if (MPI_Allreduce(MPI_IN_PLACE, (unsigned char *)value + done * element, (int)count, type, op, c->mpi) != MPI_SUCCESS) {
            comm_fatal(c, "a reduction failed");
        }
    }
}

void comm_sum_i64(const comm *c, size_t n, int64_t value[])
{
    reduce(c, n, value, sizeof value[0], MPI_INT64_T, MPI_SUM);
}

void comm_or_bytes(const comm *c, size_t n, void *value)
{
    reduce(c, n, value, 1, MPI_BYTE, MPI_BOR);
}

void comm_fetch(const comm *c, int from, size_t n, void *value)
{
    if (from == 0 || (c->rank != 0 && c->rank != from)) {
        return;
    }
    for (size_t done = 0; done < n; done += piece) {
        unsigned char *at = (unsigned char *)value + done;
        const int count = (int)(n - done < piece ? n - done : piece);
        if ((c->rank == 0 ? MPI_Recv(at, count, MPI_BYTE, from, TAG_FETCH, c->mpi, MPI_STATUS_IGNORE)
                          : MPI_Send(at, count, MPI_BYTE, 0, TAG_FETCH, c->mpi)) != MPI_SUCCESS) {
            comm_fatal(c, "an array cannot be fetched");
        }
    }
}

status comm_gather_f64(comm *c, arena *a, double mine, const double **out)
{
    double *all = arena_alloc(a, (size_t)c->size, sizeof *all);
    TRY(comm_agree(c, all == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    if (MPI_Allgather(&mine, 1, MPI_DOUBLE, all, 1, MPI_DOUBLE, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "a gather failed");
    }
    *out = all;
    return STATUS_OK;
}

status comm_gather_text(comm *c, arena *a, const char *mine, const char *const **out)
{
    enum { WIDTH = 256 };
    char text[WIDTH] = "";
    (void)snprintf(text, sizeof text, "%s", mine);
    char *all = arena_alloc(a, (size_t)c->size, WIDTH);
    const char **list = arena_alloc(a, (size_t)c->size, sizeof *list);
    TRY(comm_agree(c, all == NULL || list == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    if (MPI_Allgather(text, WIDTH, MPI_CHAR, all, WIDTH, MPI_CHAR, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "a gather failed");
    }
    for (size_t i = 0; i < (size_t)c->size; i++) {
        list[i] = all + i * WIDTH;
    }
    *out = list;
    return STATUS_OK;
}

int comm_report(const comm *c, status local, bool verbose)
{
    int rank = 0, code = local.code;
    /* A rank that only heard of a failure is asked only if nobody knows the cause. */
    const bool caused = !status_ok(local) && local.code != ST_PEER;
    const bool known = first_failure(c, caused && local.code != ST_STOPPED, &rank) || first_failure(c, caused, &rank); /* a mistake before a stop */
    if (!known && !first_failure(c, !status_ok(local), &rank)) {
        return ST_OK;
    }
    if (MPI_Bcast(&code, 1, MPI_INT, rank, c->mpi) != MPI_SUCCESS) {
        comm_fatal(c, "a broadcast failed");
    }
    if (c->rank == rank) {
        const char *what = code == ST_STOPPED ? "" : "error"; /* to stop on request is no mistake */
        if (c->size > 1) {
            (void)fprintf(stderr, "pollard: %s%s(rank %d): %s\n", what, what[0] == '\0' ? "" : " ", rank, status_message());
        } else {
            (void)fprintf(stderr, "pollard: %s%s%s\n", what, what[0] == '\0' ? "" : ": ", status_message());
        }
        if (verbose || code == ST_BUG) {
            status_print_trace(stderr);
        }
    }
    return code == ST_PEER ? ST_BUG : code;
}
