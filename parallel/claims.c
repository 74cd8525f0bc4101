#include "parallel/claims.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "parallel/claims_rule.h"
#include "parallel/node.h"

/* Units first .. end - 1 in one word, so that a unit is taken in one step. */
static uint64_t pack(uint64_t first, uint64_t end)
{
    return first << 32 | end;
}

static uint64_t first_of(uint64_t range)
{
    return range >> 32;
}

static uint64_t end_of(uint64_t range)
{
    return range & UINT32_MAX;
}

static uint64_t count_of(uint64_t range)
{
    return end_of(range) - first_of(range);
}

/* In memory that the ranks of a node share. Of rank 0's node only `left`, of the others all but it. */
typedef struct stock {
    _Atomic uint64_t left;     /* what nobody has yet */
    _Atomic uint64_t range[2]; /* the older one first; one is empty when more arrives */
    _Atomic int asking;        /* some rank has asked for more and not put the answer into a range yet */
    _Atomic int over;          /* the answer was: nothing is left */
} stock;

enum { ASK_WORDS = 2, GIVE_WORDS = 2 }; /* round, ranks of the node; round, range */

struct claims {
    comm *comm;
    stock *stock;
    bool home;       /* on the node of rank 0 */
    int n_away;      /* other nodes */
    int told;        /* rank 0: ... that know that nothing is left */
    uint64_t round;
    bool asked;      /* this rank waits for an answer */
    bool holds;      /* ... or has one that finds no place yet */
    uint64_t held;
    uint64_t ask[ASK_WORDS], give[GIVE_WORDS];
    MPI_Request sent, answer;
};

/* Beside those of comm.c. */
enum { TAG_ASK = 11, TAG_GIVE };

static void expect(const claims *k, int code)
{
    if (code != MPI_SUCCESS) {
        comm_fatal(k->comm, "ranks cannot deal out their work");
    }
}

status claims_open(comm *c, arena *a, claims **out)
{
    node_block b;
    claims *k = arena_alloc(a, 1, sizeof *k);
    TRY(comm_agree(c, k == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    *k = (claims){.comm = c, .sent = MPI_REQUEST_NULL, .answer = MPI_REQUEST_NULL};
    TRY(node_block_open(c, a, "what is left to do", sizeof(stock), &b));
    int nodes = c->node_rank == 0, home = c->rank == 0;
    comm_bcast_in_node(c, sizeof home, &home);
    expect(k, MPI_Allreduce(MPI_IN_PLACE, &nodes, 1, MPI_INT, MPI_SUM, c->mpi));
    k->stock = b.data;
    k->home = home;
    k->n_away = nodes - 1;
    *out = k;
    return STATUS_OK;
}

void claims_begin(claims *k, size_t n)
{
    stock *s = k->stock;
    k->round++;
    k->told = 0;
    if (k->comm->node_rank == 0) {
        atomic_store(&s->left, pack(0, n));
        atomic_store(&s->range[0], 0);
        atomic_store(&s->range[1], 0);
        atomic_store(&s->asking, 0);
        atomic_store(&s->over, 0);
    }
    expect(k, MPI_Barrier(k->comm->mpi));
}

/* Up to `most` units of a range: *first, and how many. */
static uint64_t take(_Atomic uint64_t *range, uint64_t most, uint64_t *first)
{
    uint64_t seen = atomic_load(range), n;
    do {
        n = count_of(seen) < most ? count_of(seen) : most;
        *first = first_of(seen);
    } while (n > 0 && !atomic_compare_exchange_weak(range, &seen, pack(*first + n, end_of(seen))));
    return n;
}

/* ---- rank 0 ---- */

static void answer_asks(claims *k)
{
    for (;;) {
        int heard = 0;
        MPI_Status from;
        uint64_t ask[ASK_WORDS], first;
        expect(k, MPI_Iprobe(MPI_ANY_SOURCE, TAG_ASK, k->comm->mpi, &heard, &from));
        if (!heard) {
            return;
        }
        expect(k, MPI_Recv(ask, ASK_WORDS, MPI_UINT64_T, from.MPI_SOURCE, TAG_ASK, k->comm->mpi, MPI_STATUS_IGNORE));
        if (ask[0] != k->round) {
            continue; /* of a round that failed */
        }
        const uint64_t left = count_of(atomic_load(&k->stock->left));
        const uint64_t n = take(&k->stock->left, claims_portion(left, ask[1], (uint64_t)k->comm->size), &first);
        const uint64_t give[GIVE_WORDS] = {k->round, pack(first, first + n)};
        k->told += n == 0;
        /* Whoever asks has posted the receive before: this does not wait. */
        expect(k, MPI_Send(give, GIVE_WORDS, MPI_UINT64_T, from.MPI_SOURCE, TAG_GIVE, k->comm->mpi));
    }
}

/* ---- the other nodes ---- */

static void listen(claims *k)
{
    expect(k, MPI_Irecv(k->give, GIVE_WORDS, MPI_UINT64_T, 0, TAG_GIVE, k->comm->mpi, &k->answer));
}

static void ask_for_more(claims *k)
{
    k->asked = true;
    k->ask[0] = k->round;
    k->ask[1] = (uint64_t)k->comm->node_size;
    listen(k);
    expect(k, MPI_Isend(k->ask, ASK_WORDS, MPI_UINT64_T, 0, TAG_ASK, k->comm->mpi, &k->sent));
}

/* Puts what has come where all ranks of the node find it. */
static void put_down(claims *k)
{
    stock *s = k->stock;
    for (size_t i = 0; i < 2 && k->holds; i++) {
        if (count_of(atomic_load(&s->range[i])) == 0) { /* stays empty: one rank at a time has an answer */
            atomic_store(&s->range[i], k->held);
            k->holds = false;
            atomic_store(&s->asking, 0);
        }
    }
}

/* ... into k->give. An answer of a round that failed may still be under way to who asked in it. */
static bool answered(claims *k)
{
    int there = 0;
    expect(k, MPI_Test(&k->answer, &there, MPI_STATUS_IGNORE));
    if (there && k->give[0] != k->round) {
        listen(k);
        return false;
    }
    return there != 0;
}

static void hear_answer(claims *k)
{
    if (k->asked && answered(k)) {
        expect(k, MPI_Wait(&k->sent, MPI_STATUS_IGNORE));
        k->asked = false;
        k->held = k->give[1];
        k->holds = count_of(k->held) > 0;
        if (!k->holds) {
            atomic_store(&k->stock->over, 1);
        }
    }
    put_down(k);
}

/* A unit out of the older of the two ranges, looked at again whenever another rank has taken of it meanwhile: what was put in its place is
 * newer than the other one. */
static bool take_here(claims *k, uint64_t *unit)
{
    stock *s = k->stock;
    for (;;) {
        uint64_t seen[2] = {atomic_load(&s->range[0]), atomic_load(&s->range[1])};
        const size_t older = count_of(seen[0]) == 0 || (count_of(seen[1]) > 0 && first_of(seen[1]) < first_of(seen[0]));
        *unit = first_of(seen[older]);
        if (count_of(seen[older]) == 0) {
            return false;
        }
        if (atomic_compare_exchange_weak(&s->range[older], &seen[older], pack(*unit + 1, end_of(seen[older])))) {
            return true;
        }
    }
}

/* When as much is in stock as keeps each rank busy once more. */
static void restock(claims *k)
{
    stock *s = k->stock;
    const uint64_t there = count_of(atomic_load(&s->range[0])) + count_of(atomic_load(&s->range[1]));
    if (claims_is_low(there, (uint64_t)k->comm->node_size) && !atomic_load(&s->over) && atomic_exchange(&s->asking, 1) == 0) {
        ask_for_more(k);
    }
}

static void pause_a_little(void)
{
    const struct timespec t = {.tv_nsec = 50000};
    (void)nanosleep(&t, NULL);
}

/* Who has failed itself gets nothing either: rank 0 has heard of it and may answer no more. */
static bool is_over(const claims *k)
{
    return k->comm->raised || comm_alarm(k->comm, STATUS_OK);
}

bool claims_next(claims *k, size_t *unit)
{
    uint64_t first = 0;
    bool mine = false;
    claims_tick(k);
    if (k->home) {
        mine = !is_over(k) && take(&k->stock->left, 1, &first) == 1;
    }
    while (!k->home && !mine && !is_over(k)) {
        const bool over = atomic_load(&k->stock->over) != 0; /* looked at first: what was put down before it can then be seen */
        mine = take_here(k, &first);
        if (over) {
            break;
        }
        restock(k);
        if (!mine) {
            pause_a_little();
            hear_answer(k);
        }
    }
    *unit = (size_t)first;
    return mine;
}

void claims_tick(claims *k)
{
    if (k->comm->rank == 0) {
        answer_asks(k);
    } else if (!k->home) {
        hear_answer(k);
    }
}

void claims_end(claims *k)
{
    while (k->comm->rank == 0 && k->told < k->n_away && !is_over(k)) {
        answer_asks(k);
        pause_a_little();
    }
    if (k->asked) { /* the round has failed */
        expect(k, MPI_Cancel(&k->answer));
        expect(k, MPI_Wait(&k->answer, MPI_STATUS_IGNORE));
        expect(k, MPI_Wait(&k->sent, MPI_STATUS_IGNORE));
        k->asked = false;
    }
    k->holds = false;
}
