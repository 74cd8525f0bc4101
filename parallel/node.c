#include "parallel/node.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Linux' own name for memory as a folder; elsewhere POLLARD_SHARED_MEMORY says another. */
#define WHAT_TO_DO                                                                                                                      \
    "set POLLARD_SHARED_MEMORY to a folder in memory that has it, or to `off`: then every rank has its own copy, with the same results"

enum { PATH_BYTES = 320, MOST_TRIES = 1000 };

static double mib(double bytes)
{
    return bytes / 1048576.0;
}

/* A file of its own in `folder`, readable by nobody else. */
static status create(const char *folder, char path[PATH_BYTES], int *fd)
{
    static unsigned made;
    for (int i = 0; i < MOST_TRIES; i++) {
        (void)snprintf(path, PATH_BYTES, "%s/pollard-%ld-%u", folder, (long)getpid(), made++);
        *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (*fd >= 0 || errno != EEXIST) {
            break;
        }
    }
    if (*fd < 0) {
        const int why = errno;
        path[0] = '\0';
        return FAIL(ST_ENVIRONMENT, "%s: memory for the ranks of this node to share cannot be made there: %s; " WHAT_TO_DO, folder, strerror(why));
    }
    return STATUS_OK;
}

double node_shared_room(const comm *c)
{
    struct statvfs info;
    const bool known = statvfs(c->shared_folder, &info) == 0 && info.f_blocks > 0; /* a tmpfs without a limit has 0 */
    return known ? (double)info.f_bavail * (double)info.f_frsize : -1.0;
}

/* Takes the pages. What is free is asked first, so that a folder that is much too small is not filled to the brim for nothing. */
static status reserve(const comm *c, int fd, const char *what, size_t bytes)
{
    const char *folder = c->shared_folder;
    const double available = node_shared_room(c);
    const bool known = available >= 0.0;
    int why = known && available < (double)bytes ? ENOSPC : 0;
    while (why == 0 || why == EINTR) {
        why = bytes > INT64_MAX ? EFBIG : posix_fallocate(fd, 0, (off_t)bytes);
        if (why == 0) {
            return STATUS_OK;
        }
    }
    if (why == ENOSPC && known) {
        return FAIL(ST_ENVIRONMENT,
                    "%s: %s take %.1f MiB that the ranks of this node share; expected as much room, found %.1f MiB; make it larger (of a "
                    "container: --shm-size), or " WHAT_TO_DO,
                    folder, what, mib((double)bytes), mib(available));
    }
    return FAIL(ST_ENVIRONMENT, "%s: %s take %.1f MiB that the ranks of this node share, and they cannot be had: %s; " WHAT_TO_DO, folder, what,
                mib((double)bytes), strerror(why));
}

static status open_other(const char *folder, const char *path, int *fd)
{
    *fd = path[0] == '\0' ? -1 : open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (*fd >= 0 || path[0] == '\0') { /* without a path the leader has failed, and says so */
        return STATUS_OK;
    }
    return FAIL(ST_ENVIRONMENT,
                "%s: memory that another rank of this host has made there cannot be opened: %s; do ranks run in containers of their "
                "own? Then " WHAT_TO_DO,
                folder, strerror(errno));
}

static void unmap(void *thing)
{
    const node_block *b = thing;
    (void)munmap(b->data, b->bytes);
}

/* In the order of an arena's endings: `kept` is what unmap() will look at. */
static status map(arena *a, int fd, const char *what, size_t bytes, node_block *out)
{
    node_block *kept;
    TRY_ALLOC(kept, a, 1);
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        return FAIL(ST_ENVIRONMENT, "%s: %.1f MiB of shared memory cannot be mapped: %s; is there a limit of addresses (ulimit -v)?", what,
                    mib((double)bytes), strerror(errno));
    }
    *out = *kept = (node_block){.data = data, .bytes = bytes, .shared = true};
    return arena_at_end(a, unmap, kept);
}

/* The leader makes the file, the others open it, it loses its name, the leader takes its pages, and all map it. */
static status open_shared(comm *c, arena *a, const char *what, size_t bytes, node_block *out)
{
    char path[PATH_BYTES] = "";
    int fd = -1;
    const bool leads = c->node_rank == 0;
    status st = leads ? create(c->shared_folder, path, &fd) : STATUS_OK;
    comm_bcast_in_node(c, sizeof path, path);
    if (!leads) {
        st = open_other(c->shared_folder, path, &fd);
    }
    st = comm_agree(c, st);
    if (leads && path[0] != '\0') {
        (void)unlink(path);
    }
    if (status_ok(st)) { /* nobody maps it before the pages are there, so that the cause is what is told */
        st = comm_agree(c, leads ? reserve(c, fd, what, bytes) : STATUS_OK);
    }
    if (status_ok(st)) {
        st = comm_agree(c, map(a, fd, what, bytes, out));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return st;
}

status node_block_open(comm *c, arena *a, const char *what, size_t bytes, node_block *out)
{
    *out = (node_block){.bytes = bytes == 0 ? 1 : bytes};
    TRY(comm_same_in_node(c, what, bytes));
    if (c->node_size > 1) {
        return open_shared(c, a, what, out->bytes, out);
    }
    /* Nodes may have unlike numbers of ranks: one of a single rank has as many agreements as open_shared(), and its verdict where that takes pages. */
    TRY(comm_agree(c, STATUS_OK));
    out->data = arena_alloc(a, bytes, 1);
    TRY(comm_agree(c, out->data == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    return comm_agree(c, STATUS_OK);
}

status node_block_ready(comm *c, const node_block *b, status local)
{
    atomic_thread_fence(memory_order_seq_cst); /* what was written is there before the agreement, */
    TRY(comm_agree(c, local));
    atomic_thread_fence(memory_order_seq_cst); /* and nothing is read before it */
    if (b->shared && mprotect(b->data, b->bytes, PROT_READ) != 0) {
        return comm_agree(c, FAIL(ST_ENVIRONMENT, "shared memory cannot be protected: %s", strerror(errno)));
    }
    return comm_agree(c, STATUS_OK);
}
