#ifdef __linux__
#define _GNU_SOURCE /* sched_setaffinity */
#include <sched.h>
#endif

#include "bench/pin.h"

/* Where this rank is: its node, named by the lowest rank there, and its place among the ranks of that node. */
typedef struct place {
    int node, rank;
} place;

static status find_place(const comm *c, place *p)
{
    MPI_Comm node = MPI_COMM_NULL;
    p->node = c->rank;
    if (MPI_Comm_split_type(c->mpi, MPI_COMM_TYPE_SHARED, c->rank, MPI_INFO_NULL, &node) != MPI_SUCCESS ||
        MPI_Comm_rank(node, &p->rank) != MPI_SUCCESS || MPI_Bcast(&p->node, 1, MPI_INT, 0, node) != MPI_SUCCESS ||
        MPI_Comm_free(&node) != MPI_SUCCESS) {
        return FAIL(ST_ENVIRONMENT, "MPI cannot tell which ranks share a node");
    }
    return STATUS_OK;
}

#ifdef __linux__
/* The rank-th of the allowed processors: also right where the launcher has given each rank processors of its own. */
static int choose_cpu(const cpu_set_t *allowed, int rank)
{
    int skip = rank % CPU_COUNT(allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, allowed) && skip-- == 0) {
            return cpu;
        }
    }
    return -1;
}

/* Ranks that have chosen the same processor. */
static status count_holders(comm *c, arena *a, const place *p, int cpu, int *holders)
{
    const double mine = (double)p->node * CPU_SETSIZE + (double)cpu;
    const double *all = NULL;
    TRY(comm_gather_f64(c, a, mine, &all));
    *holders = 0;
    for (int r = 0; r < c->size; r++) {
        *holders += all[r] == mine;
    }
    return STATUS_OK;
}

static status pin(comm *c, arena *a, const place *p, int *cpu)
{
    cpu_set_t allowed, one;
    const int chosen = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? choose_cpu(&allowed, p->rank) : -1;
    int holders = 0;
    TRY(count_holders(c, a, p, chosen, &holders));
    if (chosen >= 0 && holders == 1) {
        CPU_ZERO(&one);
        CPU_SET((size_t)chosen, &one);
        *cpu = sched_setaffinity(0, sizeof one, &one) == 0 ? chosen : -1;
    }
    return STATUS_OK;
}
#else
static status pin(comm *c, arena *a, const place *p, int *cpu)
{
    (void)c;
    (void)a;
    (void)p;
    (void)cpu;
    return STATUS_OK;
}
#endif

status pin_to_own_cpu(comm *c, arena *a, int *cpu)
{
    place p;
    *cpu = -1;
    TRY(comm_agree(c, find_place(c, &p)));
    return pin(c, a, &p, cpu);
}
