#include "io/dataset_read.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/dataset_shards.h"
#include "io/pack.h"
#include "io/sha256.h"

enum { MOST_OPEN = 128 }; /* shards of a data set that stay open: two data sets stay far below the usual 1024 files of a process */

/* An open shard. With users it must not be closed. */
typedef struct handle {
    int fd; /* -1: closed */
    size_t users;
    pack_trailer trailer; /* of a pack */
} handle;

struct dataset_handles {
    pthread_mutex_t lock; /* of all that follows */
    handle *shard;        /* [n_shards] */
    size_t n, n_open, hand; /* hand: where to look next for one to close */
};

static void close_handles(void *handles)
{
    struct dataset_handles *h = handles;
    for (size_t i = 0; i < h->n; i++) {
        if (h->shard[i].fd >= 0) {
            (void)close(h->shard[i].fd);
        }
    }
    (void)pthread_mutex_destroy(&h->lock);
}

status shard_handles_open(arena *a, dataset *d)
{
    if (d->n_shards == 0) {
        return STATUS_OK;
    }
    TRY_ALLOC(d->handles, a, 1);
    TRY_ALLOC(d->handles->shard, a, d->n_shards);
    d->handles->n = d->n_shards;
    for (size_t i = 0; i < d->n_shards; i++) {
        d->handles->shard[i].fd = -1;
    }
    (void)pthread_mutex_init(&d->handles->lock, NULL); /* without attributes it needs no resources */
    return arena_at_end(a, close_handles, d->handles);
}

/* ---- names ---- */

size_t dataset_shard_of(const dataset *d, size_t sample)
{
    size_t low = 0, high = d->n_shards;
    if (d->kind != DATASET_PACK) {
        return d->kind == DATASET_TAR ? d->place[sample].shard : 0;
    }
    while (high - low > 1) { /* shard low begins at or before it */
        const size_t middle = low + (high - low) / 2;
        *(d->shard[middle].first <= sample ? &low : &high) = middle;
    }
    return low;
}

static char *shard_path(arena *a, const dataset *d, size_t shard)
{
    const char *name = d->shard[shard].name;
    return name[0] == '\0' ? arena_text(a, "%s", d->root) : arena_text(a, "%s/%s", d->root, name);
}

char *dataset_file(arena *a, const dataset *d, size_t sample)
{
    return d->kind == DATASET_FILES ? path_join(a, d->root, d->path[sample]) : shard_path(a, d, dataset_shard_of(d, sample));
}

char *dataset_name(arena *a, const dataset *d, size_t sample)
{
    char *file = dataset_file(a, d, sample);
    return file == NULL || d->kind == DATASET_FILES ? file : arena_text(a, "%s: image %s", file, d->path[sample]);
}

/* ---- shards ---- */

static status check_shard(const dataset *d, size_t shard, const char *path, int fd, pack_trailer *t)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return FAIL(ST_NO_INPUT, "%s: expected a file, found something else", path);
    }
    const uint64_t bytes = (uint64_t)info.st_size;
    if (d->kind == DATASET_TAR) {
        return bytes == d->shard[shard].bytes
                   ? STATUS_OK
                   : FAIL(ST_DATA, "%s: expected %ju bytes as when it was listed, found %ju; run the command again", path,
                          (uintmax_t)d->shard[shard].bytes, (uintmax_t)bytes);
    }
    if (bytes < sizeof *t) {
        return FAIL(ST_DATA, "%s: expected a shard of a pack, found %ju bytes; make the pack again", path, (uintmax_t)bytes);
    }
    TRY(file_read_at(fd, path, bytes - sizeof *t, sizeof *t, t));
    TRY(pack_trailer_check(path, t, bytes, d->identity));
    const size_t first = d->shard[shard].first, end = shard + 1 < d->n_shards ? d->shard[shard + 1].first : d->n_samples;
    if (t->first != first || t->images != end - first) {
        return FAIL(ST_DATA, "%s: expected images %zu to %zu of the pack, found %ju from %ju on; are shards interchanged? Make the pack again", path,
                    first, end - 1, (uintmax_t)t->images, (uintmax_t)t->first);
    }
    return STATUS_OK;
}

/* With the lock held: room for one more. Where all are in use there are only as many as threads. */
static void close_one(struct dataset_handles *h)
{
    for (size_t i = 0; i < h->n; i++) {
        handle *x = &h->shard[h->hand];
        h->hand = (h->hand + 1) % h->n;
        if (x->fd >= 0 && x->users == 0) {
            (void)close(x->fd);
            x->fd = -1;
            h->n_open--;
            return;
        }
    }
}

static status open_shard(arena *scratch, const dataset *d, size_t shard, handle *x)
{
    const char *path = shard_path(scratch, d, shard);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (d->handles->n_open >= MOST_OPEN) {
        close_one(d->handles);
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (fd < 0) {
        return FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    const status st = check_shard(d, shard, path, fd, &x->trailer);
    if (!status_ok(st)) {
        (void)close(fd);
        return st;
    }
    x->fd = fd;
    d->handles->n_open++;
    return STATUS_OK;
}

static status acquire(arena *scratch, const dataset *d, size_t shard, handle **out)
{
    handle *x = &d->handles->shard[shard];
    status st = STATUS_OK;
    (void)pthread_mutex_lock(&d->handles->lock);
    if (x->fd < 0) {
        st = open_shard(scratch, d, shard, x);
    }
    x->users += status_ok(st);
    (void)pthread_mutex_unlock(&d->handles->lock);
    *out = x;
    return st;
}

static void release(const dataset *d, handle *x)
{
    (void)pthread_mutex_lock(&d->handles->lock);
    x->users--;
    (void)pthread_mutex_unlock(&d->handles->lock);
}

/* ---- images ---- */

static status read_bytes(arena *scratch, int fd, uint64_t offset, size_t size, dataset_image *out)
{
    unsigned char *data = arena_alloc(scratch, size + 1, 1);
    out->bytes = (file_bytes){data, size};
    return data == NULL ? (status){ST_ENVIRONMENT} : file_read_at(fd, out->name, offset, size, data);
}

/* Bounds alone: for who looks without reading all. */
static status read_record(const dataset *d, const handle *x, size_t sample, const char *name, pack_record *r)
{
    const pack_trailer *t = &x->trailer;
    const size_t row = sample - (size_t)t->first, fixed = 3 * d->stored[0] * d->stored[1];
    TRY(file_read_at(x->fd, name, t->record + row * sizeof *r, sizeof *r, r));
    if (r->size > SHARD_IMAGE_MOST || r->size > t->size || r->offset > t->size - r->size || (d->steps != NULL && r->size != fixed) ||
        (d->steps == NULL && r->size != r->original)) {
        return FAIL(ST_DATA, "%s: its record in the pack is damaged; make the pack again, or look for more damage with `pollard pack --verify`", name);
    }
    return STATUS_OK;
}

static status read_packed(arena *scratch, const dataset *d, const handle *x, size_t sample, dataset_image *out)
{
    pack_record r;
    TRY(read_record(d, x, sample, out->name, &r));
    TRY(read_bytes(scratch, x->fd, x->trailer.data + r.offset, (size_t)r.size, out));
    if (pack_check(d->identity, &r, out->bytes.data) != r.check || r.label != d->label[sample]) {
        return FAIL(ST_DATA, "%s: damaged: its bytes do not have the checksum that the pack noted; make the pack again, or look for more damage with "
                    "`pollard pack --verify`", out->name);
    }
    memcpy(out->sha256, r.sha256, sizeof out->sha256);
    out->original = r.original;
    out->decoded = d->steps != NULL;
    return STATUS_OK;
}

static status read_from_shard(arena *scratch, const dataset *d, size_t sample, dataset_image *out)
{
    handle *x;
    TRY(acquire(scratch, d, dataset_shard_of(d, sample), &x));
    const status st = d->kind == DATASET_PACK ? read_packed(scratch, d, x, sample, out)
                                              : read_bytes(scratch, x->fd, d->place[sample].offset, d->place[sample].size, out);
    release(d, x);
    return st;
}

status dataset_read(arena *scratch, const dataset *d, size_t sample, dataset_image *out)
{
    *out = (dataset_image){.name = dataset_name(scratch, d, sample)};
    if (out->name == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (d->kind == DATASET_FILES) {
        TRY(file_read(scratch, out->name, SHARD_IMAGE_MOST, &out->bytes));
    } else {
        TRY(read_from_shard(scratch, d, sample, out));
    }
    if (d->kind != DATASET_PACK) {
        sha256(out->bytes.data, out->bytes.size, out->sha256);
        out->original = out->bytes.size;
    }
    return STATUS_OK;
}

static status peek_file(const char *name, size_t most, unsigned char start[], size_t *n, uint64_t *size)
{
    struct stat info;
    const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        const status st = FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", name, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return st;
    }
    *size = (uint64_t)info.st_size;
    *n = *size < most ? (size_t)*size : most;
    const status st = file_read_at(fd, name, 0, *n, start);
    (void)close(fd);
    return st;
}

static status peek_shard(const dataset *d, const handle *x, size_t sample, const char *name, size_t most, unsigned char start[], size_t *n,
                         uint64_t *size)
{
    uint64_t offset;
    if (d->kind == DATASET_TAR) {
        *size = d->place[sample].size;
        offset = d->place[sample].offset;
    } else {
        pack_record r;
        TRY(read_record(d, x, sample, name, &r));
        *size = r.size;
        offset = x->trailer.data + r.offset;
    }
    *n = *size < most ? (size_t)*size : most;
    return file_read_at(x->fd, name, offset, *n, start);
}

status dataset_peek(arena *scratch, const dataset *d, size_t sample, size_t most, unsigned char start[], size_t *n, uint64_t *size)
{
    handle *x;
    const char *name = dataset_name(scratch, d, sample);
    if (name == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (d->kind == DATASET_FILES) {
        return peek_file(name, most, start, n, size);
    }
    TRY(acquire(scratch, d, dataset_shard_of(d, sample), &x));
    const status st = peek_shard(d, x, sample, name, most, start, n, size);
    release(d, x);
    return st;
}

bool dataset_look(const dataset *d, size_t sample, dataset_stamp *out)
{
    enum { PATH_BYTES = 8192 };
    char path[PATH_BYTES];
    struct stat info;
    const char *name = d->kind == DATASET_FILES ? d->path[sample] : d->shard[dataset_shard_of(d, sample)].name;
    const bool whole = name[0] == '/'; /* as path_join() has it */
    const int n = name[0] == '\0' ? snprintf(path, sizeof path, "%s", d->root) : snprintf(path, sizeof path, "%s%s%s", whole ? "" : d->root, whole ? "" : "/", name);
    if (n < 0 || n >= PATH_BYTES || stat(path, &info) != 0) {
        return false; /* or a name that no file can have */
    }
    *out = (dataset_stamp){(int64_t)info.st_mtim.tv_sec, (int64_t)info.st_mtim.tv_nsec, d->kind == DATASET_FILES ? (uint64_t)info.st_size : 0};
    return true;
}
