#include "parallel/node_copy.h"

#include <string.h>

/* In pieces: far below INT_MAX bytes, far above the cost of a call. */
static bool send(MPI_Comm leaders, size_t bytes, void *data)
{
    static const size_t piece = (size_t)1 << 26;
    bool sent = true;
    for (size_t done = 0; done < bytes && sent; done += piece) {
        const size_t n = bytes - done < piece ? bytes - done : piece;
        sent = MPI_Bcast((unsigned char *)data + done, (int)n, MPI_BYTE, 0, leaders) == MPI_SUCCESS;
    }
    return sent;
}

/* From the leader of the first node to those of the others. */
static status spread(comm *c, size_t bytes, void *data)
{
    MPI_Comm leaders = MPI_COMM_NULL;
    bool sent = MPI_Comm_split(c->mpi, c->node_rank == 0 ? 0 : MPI_UNDEFINED, c->rank, &leaders) == MPI_SUCCESS;
    if (sent && leaders != MPI_COMM_NULL) {
        sent = send(leaders, bytes, data) && MPI_Comm_free(&leaders) == MPI_SUCCESS;
    }
    return sent ? STATUS_OK : FAIL(ST_ENVIRONMENT, "rows cannot be sent to all nodes: a broadcast failed");
}

status node_copy(comm *c, arena *a, const char *what, size_t bytes, const void *mine, const void **out)
{
    node_block b;
    if (c->size == 1) {
        *out = mine;
        return STATUS_OK;
    }
    TRY(node_block_open(c, a, what, bytes, &b));
    if (c->rank == 0) {
        memcpy(b.data, mine, bytes);
    }
    TRY(node_block_ready(c, &b, spread(c, bytes, b.data)));
    *out = b.data;
    return STATUS_OK;
}

size_t node_copy_shared(const comm *c, size_t bytes)
{
    return c->node_size > 1 ? bytes : 0;
}

size_t node_copy_bytes(const comm *c, size_t bytes)
{
    return c->size > 1 && c->node_size == 1 ? bytes : 0;
}
