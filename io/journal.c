/* The writing side, and the folder. */
#include "io/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "io/journal_frame.h"

enum { MOST_TRIES = 20 }; /* to make a file */
static const double sync_seconds = 3.0; /* what a node that loses its power costs at most, beside the item at hand */

struct journal_writer {
    char *folder, *path, *identity;
    int fd;           /* -1: no file yet */
    uint64_t written; /* bytes of whole frames */
    double synced;
    bool dirty;
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

char *journal_folder(arena *a, const char *result)
{
    return arena_text(a, "%s.journal", result);
}

static void close_file(void *thing)
{
    journal_writer *w = thing;
    if (w->fd >= 0) {
        (void)close(w->fd);
        w->fd = -1;
    }
}

status journal_open(arena *a, const char *folder, const char *name, const char *identity, journal_writer **out)
{
    journal_writer *w;
    TRY_ALLOC(w, a, 1);
    w->fd = -1;
    TRY_TEXT(w->folder, a, "%s", folder);
    TRY_TEXT(w->path, a, "%s/%s.journal", folder, name);
    TRY_TEXT(w->identity, a, "%s", identity);
    TRY(arena_at_end(a, close_file, w));
    *out = w;
    return STATUS_OK;
}

void journal_close(journal_writer **w)
{
    if (*w != NULL) {
        close_file(*w);
    }
    *w = NULL;
}

void journal_discard(journal_writer **w)
{
    if (*w != NULL && (*w)->fd >= 0) {
        close_file(*w);
        (void)unlink((*w)->path);
        (void)rmdir((*w)->folder); /* the last of several does it */
    }
    *w = NULL;
}

static status cannot_write(const journal_writer *w)
{
    return FAIL(ST_CANT_WRITE, "%s: finished work cannot be noted: %s; what was noted before is kept: make room, or whatever is missing, and run "
                               "the same command again",
                w->path, strerror(errno));
}

/* All of it or an error. */
static status write_at(const journal_writer *w, uint64_t at, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = pwrite(w->fd, (const char *)data + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return cannot_write(w);
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}

/* The payload first: a head says that everything is there. What a failure leaves behind is overwritten by the next frame, or is no frame. */
static status write_parts(const journal_writer *w, const frame_head *h, const void *payload)
{
    static const char zeros[FRAME_BYTES];
    TRY(write_at(w, w->written + FRAME_BYTES, payload, (size_t)h->size));
    TRY(write_at(w, w->written + FRAME_BYTES + h->size, zeros, (size_t)(frame_padded(h->size) - h->size)));
    return write_at(w, w->written, h, sizeof *h);
}

/* A limit on the size of files (ulimit -f) shall be an error like a full disk, not a signal that ends the program. */
static status write_frame(journal_writer *w, const journal_key *key, double seconds, const void *payload, size_t size)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction old;
    frame_head h = {.key = *key, .size = size, .seconds = (float)seconds, .version = FRAME_VERSION};
    memcpy(h.magic, frame_magic, sizeof h.magic);
    h.check = (uint32_t)crc32_z(0, payload, size);
    h.own = (uint32_t)crc32_z(0, (const Bytef *)&h, offsetof(frame_head, own));
    const bool ignored = sigaction(SIGXFSZ, &ignore, &old) == 0;
    const status st = write_parts(w, &h, payload);
    if (ignored) {
        (void)sigaction(SIGXFSZ, &old, NULL);
    }
    TRY(st);
    w->written += FRAME_BYTES + frame_padded(size);
    w->dirty = true;
    return STATUS_OK;
}

static status sync_folder(const journal_writer *w)
{
    const int fd = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool failed = fd < 0 || (fsync(fd) != 0 && errno != EINVAL); /* some file systems cannot, and need not */
    if (fd >= 0) {
        (void)close(fd);
    }
    return failed ? cannot_write(w) : STATUS_OK;
}

/* Who has just finished the same study removes the folder that is made here: hence several tries. */
static status make_file(journal_writer *w)
{
    for (int tries = 0; w->fd < 0; tries++) {
        if (mkdir(w->folder, 0777) != 0 && errno != EEXIST) {
            return cannot_write(w);
        }
        w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (w->fd < 0 && (errno != ENOENT || tries == MOST_TRIES)) {
            return cannot_write(w);
        }
    }
    return STATUS_OK;
}

/* The first frame. A file that begins without one is of no use. */
static status begin_file(journal_writer *w)
{
    static const journal_key of_identity;
    if (w->fd < 0) {
        TRY(make_file(w));
    }
    TRY(write_frame(w, &of_identity, 0.0, w->identity, strlen(w->identity)));
    TRY(journal_sync(w));
    return sync_folder(w);
}

status journal_append(journal_writer *w, const journal_key *key, double seconds, const void *payload, size_t size)
{
    if (w->written == 0) {
        TRY(begin_file(w));
    }
    TRY(write_frame(w, key, seconds, payload, size));
    return now() - w->synced < sync_seconds ? STATUS_OK : journal_sync(w);
}

status journal_sync(journal_writer *w)
{
    if (w->dirty && fdatasync(w->fd) != 0 && errno != EINVAL && errno != EROFS) {
        return cannot_write(w);
    }
    w->dirty = false;
    w->synced = now();
    return STATUS_OK;
}

status journal_remove(const char *folder)
{
    DIR *d = opendir(folder);
    int why = 0;
    if (d == NULL) {
        return errno == ENOENT ? STATUS_OK : FAIL(ST_CANT_WRITE, "%s: cannot be opened to be removed: %s", folder, strerror(errno));
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (frame_file(e->d_name) && unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT) {
            why = errno;
        }
    }
    (void)closedir(d);
    if (why != 0) {
        return FAIL(ST_CANT_WRITE, "%s: a file in it cannot be removed: %s", folder, strerror(why));
    }
    if (rmdir(folder) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) { /* the last: a link to a folder */
        return FAIL(ST_CANT_WRITE, "%s: cannot be removed: %s", folder, strerror(errno));
    }
    return STATUS_OK;
}
