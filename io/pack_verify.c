/* Looking whether shards are what they were. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "io/dataset_read.h"
#include "io/pack_parts.h"

enum { PIECE = 1 << 20 };

/* The CRC-32 of a file's first bytes. Errors: ST_NO_INPUT, ST_DATA (shorter). */
static status sum_file(arena *scratch, const char *path, int fd, uint64_t bytes, uint32_t *out)
{
    unsigned char *piece;
    uLong crc = crc32(0L, NULL, 0);
    TRY_ALLOC(piece, scratch, PIECE);
    for (uint64_t done = 0; done < bytes;) {
        const size_t want = bytes - done < PIECE ? (size_t)(bytes - done) : PIECE;
        const ssize_t n = pread(fd, piece, want, (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return FAIL(n < 0 ? ST_NO_INPUT : ST_DATA, "%s: cannot be read at byte %ju: %s", path, (uintmax_t)done,
                        n < 0 ? strerror(errno) : "it has become shorter");
        }
        crc = crc32(crc, piece, (uInt)n);
        done += (uint64_t)n;
    }
    *out = (uint32_t)crc;
    return STATUS_OK;
}

static status check_open(arena *scratch, const char *path, int fd, const uint8_t identity[32], uint64_t first, uint64_t images, bool *same)
{
    struct stat info;
    pack_trailer t;
    uint32_t sum = 0;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < (off_t)sizeof t ||
        pread(fd, &t, sizeof t, info.st_size - (off_t)sizeof t) != (ssize_t)sizeof t) {
        return FAIL(ST_DATA, "%s: expected a shard of a pack, found something else", path);
    }
    TRY(pack_trailer_check(path, &t, (uint64_t)info.st_size, identity));
    if (t.first != first || t.images != images) {
        return FAIL(ST_DATA, "%s: a shard of other images than its name says", path);
    }
    TRY(sum_file(scratch, path, fd, t.before, &sum));
    *same = sum == t.check;
    return STATUS_OK;
}

static status check_file(arena *scratch, const char *path, const uint8_t identity[32], uint64_t first, uint64_t images, bool *same)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    const status st = check_open(scratch, path, fd, identity, first, images, same);
    (void)close(fd);
    return st;
}

bool pack_has_shard(arena *scratch, const pack_plan *p, const char *folder, size_t shard)
{
    bool same = false;
    arena_reset(scratch);
    const char *path = pack_shard_path(scratch, folder, shard);
    const status st = path == NULL ? (status){ST_ENVIRONMENT}
                                   : check_file(scratch, path, p->identity, shard * p->per_shard, pack_shard_images(p, shard), &same);
    status_clear(); /* what is wrong with it does not matter: it is made again */
    return status_ok(st) && same;
}

static bool is_whole(const char *path, const pack_trailer *t, uint64_t bytes)
{
    const status st = pack_trailer_check(path, t, bytes, t->identity);
    status_clear();
    return status_ok(st);
}

bool pack_shard_is_others(arena *scratch, const pack_plan *p, const char *folder, size_t shard)
{
    pack_trailer t;
    struct stat info;
    arena_reset(scratch);
    const char *path = pack_shard_path(scratch, folder, shard);
    const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool whole = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= (off_t)sizeof t &&
                       pread(fd, &t, sizeof t, info.st_size - (off_t)sizeof t) == (ssize_t)sizeof t;
    if (fd >= 0) {
        (void)close(fd);
    }
    return whole && memcmp(t.identity, p->identity, sizeof t.identity) != 0 &&
           is_whole(path, &t, (uint64_t)info.st_size);
}

/* Of an original file the SHA-256 too, which a study takes from the record. */
static status check_image(arena *scratch, const dataset *d, size_t sample, bool *same)
{
    dataset_image found;
    uint8_t digest[32];
    arena_reset(scratch);
    TRY(dataset_read(scratch, d, sample, &found));
    *same = true;
    if (!found.decoded) {
        sha256(found.bytes.data, found.bytes.size, digest);
        *same = memcmp(digest, found.sha256, sizeof digest) == 0;
    }
    return STATUS_OK;
}

status pack_verify_shard(arena *scratch, const dataset *d, size_t shard, pack_bad *bad, void *context)
{
    const size_t first = d->shard[shard].first, end = shard + 1 < d->n_shards ? d->shard[shard + 1].first : d->n_samples;
    size_t n_bad = 0;
    bool same = false;
    arena_reset(scratch);
    const char *path = dataset_file(scratch, d, first);
    TRY(path == NULL ? (status){ST_ENVIRONMENT} : check_file(scratch, path, d->identity, first, end - first, &same));
    for (size_t i = first; i < end; i++) {
        bool good = false;
        const status st = check_image(scratch, d, i, &good);
        if (st.code == ST_ENVIRONMENT) {
            return st;
        }
        if (!status_ok(st) || !good) {
            bad(context, !status_ok(st) ? status_message() : arena_text(scratch, "%s: its bytes do not have the SHA-256 noted", dataset_name(scratch, d, i)));
            status_clear();
            n_bad++;
        }
    }
    if (!same && n_bad == 0) {
        const char *name = dataset_file(scratch, d, first);
        bad(context, arena_text(scratch, "%s: damaged outside its images: this program can read them, others may not", name));
    }
    return STATUS_OK;
}
