#include "io/tar_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "io/dataset_list.h"
#include "io/dataset_shards.h"
#include "io/index_text.h"
#include "io/sha256.h"
#include "io/tar_samples.h"

static const char first_line[] = "pollard tar index 1\n";

/* The shards of a data set as they are now. */
typedef struct shards {
    const char *root;
    bool alone; /* root is the tar */
    size_t n;
    const char **name; /* [n] ascending; "." where alone */
    const char **path;
    uint64_t *bytes;
    char *stamp; /* the index's beginning: sizes and times */
    char *head;  /* the listing's */
} shards;

static bool is_tar_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return name[0] != '.' && dot != NULL && strcasecmp(dot, ".tar") == 0;
}

static int bytewise(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of tars in a folder, with `a` NULL only whether there is one. */
static status find_tars(arena *a, const char *folder, size_t *n, const char **name, size_t most)
{
    DIR *dir = opendir(folder);
    status st = STATUS_OK;
    *n = 0;
    if (dir == NULL) {
        return FAIL(ST_NO_INPUT, "%s: cannot be opened as a folder of images: %s", folder, strerror(errno));
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL && status_ok(st); entry = readdir(dir)) {
        if (is_tar_name(entry->d_name)) {
            if (*n < most && a != NULL) {
                name[*n] = arena_text(a, "%s", entry->d_name);
                st = name[*n] == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
            }
            ++*n;
        }
    }
    (void)closedir(dir);
    return st;
}

bool tar_is_file(const char *path)
{
    struct stat info;
    const char *slash = strrchr(path, '/');
    return is_tar_name(slash == NULL ? path : slash + 1) && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

status tar_shards_there(const char *folder, bool *out)
{
    size_t n = 0;
    TRY(find_tars(NULL, folder, &n, NULL, 0));
    *out = n > 0;
    return STATUS_OK;
}

static status list_names(arena *a, shards *s)
{
    struct stat info;
    size_t again;
    if (stat(s->root, &info) != 0) {
        return FAIL(ST_NO_INPUT, "%s: cannot be read: %s", s->root, strerror(errno));
    }
    s->alone = !S_ISDIR(info.st_mode);
    s->n = 1;
    if (!s->alone) {
        TRY(find_tars(NULL, s->root, &s->n, NULL, 0));
    }
    if (s->n > SHARDS_MOST) {
        return FAIL(ST_DATA, "%s: expected at most %d tar files, found %zu; make larger ones", s->root, (int)SHARDS_MOST, s->n);
    }
    TRY_ALLOC(s->name, a, s->n);
    s->name[0] = ".";
    if (!s->alone) {
        TRY(find_tars(a, s->root, &again, s->name, s->n));
        if (again != s->n) {
            return FAIL(ST_DATA, "%s: the folder changes while it is listed; wait until its shards are complete", s->root);
        }
        qsort(s->name, s->n, sizeof s->name[0], bytewise);
    }
    return STATUS_OK;
}

/* Appends to a text whose room is known. */
static char *put(char *to, const char *end, const char *fmt, ...) PRINTF_LIKE(3, 4);

static char *put(char *to, const char *end, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    const int n = vsnprintf(to, (size_t)(end - to), fmt, list);
    va_end(list);
    return n < 0 ? to : n >= end - to ? to + strlen(to) : to + n;
}

static status stamp_shards(arena *a, shards *s)
{
    size_t room = sizeof first_line;
    for (size_t i = 0; i < s->n; i++) {
        room += strlen(s->name[i]) + 80;
    }
    TRY_ALLOC(s->path, a, s->n);
    TRY_ALLOC(s->bytes, a, s->n);
    TRY_ALLOC(s->stamp, a, room);
    TRY_ALLOC(s->head, a, room);
    char *to = put(s->stamp, s->stamp + room, "%s", first_line), *head = s->head;
    for (size_t i = 0; i < s->n; i++) {
        struct stat info;
        TRY_TEXT(s->path[i], a, "%s%s%s", s->root, s->alone ? "" : "/", s->alone ? "" : s->name[i]);
        if (stat(s->path[i], &info) != 0) {
            return FAIL(ST_NO_INPUT, "%s: cannot be looked at: %s", s->path[i], strerror(errno));
        }
        if (!S_ISREG(info.st_mode)) {
            return FAIL(ST_NO_INPUT, "%s: expected a tar file, found %s", s->path[i], S_ISDIR(info.st_mode) ? "a folder" : "something else");
        }
        s->bytes[i] = (uint64_t)info.st_size;
        to = put(to, s->stamp + room, "T %jd %jd %ld %s\n", (intmax_t)info.st_size, (intmax_t)info.st_mtim.tv_sec, info.st_mtim.tv_nsec, s->name[i]);
        head = put(head, s->head + room, "T %jd %s\n", (intmax_t)info.st_size, s->name[i]);
    }
    return STATUS_OK;
}

/* ---- reading the tars ---- */

typedef struct open_tar {
    const char *path;
    int fd;
} open_tar;

static status read_tar(void *context, uint64_t offset, size_t n, void *data)
{
    const open_tar *t = context;
    return file_read_at(t->fd, t->path, offset, n, data);
}

static status collect_all(arena *a, const shards *s, tar_samples *out)
{
    tar_collector *c;
    TRY(tar_collect_open(a, s->path, &c));
    for (size_t i = 0; i < s->n; i++) {
        open_tar t = {s->path[i], open(s->path[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        if (t.fd < 0) {
            return FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", s->path[i], strerror(errno));
        }
        const tar_source source = {s->path[i], s->bytes[i], read_tar, &t};
        const status st = tar_collect(c, i, &source);
        (void)close(t.fd);
        TRY(st);
    }
    return tar_collect_end(c, s->root, out);
}

/* ---- the index ---- */

static status index_text(arena *a, const shards *s, const tar_samples *t, char **text, size_t *size)
{
    size_t room = strlen(s->stamp) + 128;
    for (size_t i = 0; i < t->n; i++) {
        room += strlen(t->list[i].path) + strlen(t->list[i].label) + 64;
    }
    TRY_ALLOC(*text, a, room);
    char *to = put(*text, *text + room, "%s%s", s->stamp, t->labelled ? "M labels\n" : "M folders\n");
    for (size_t i = 0; i < t->n; i++) {
        const tar_sample *x = &t->list[i];
        to = put(to, *text + room, "S %lu %ju %lu %s\t%s\n", (unsigned long)x->place.shard, (uintmax_t)x->place.offset,
                 (unsigned long)x->place.size, x->label, x->path);
    }
    *size = (size_t)(to - *text);
    return index_seal(*text, room, size);
}

static status parse_samples(arena *a, char *text, size_t size, const shard_head *head, tar_samples *out)
{
    size_t n = 0, lines = 0;
    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n';
    }
    TRY_ALLOC(out->list, a, lines);
    for (char *at = text; at < text + size; n++) {
        char *end = memchr(at, '\n', (size_t)(text + size - at)), *tab;
        tar_sample *x = &out->list[n];
        if (end == NULL) {
            return FAIL(ST_DATA, "a line of it is cut off");
        }
        *end = '\0';
        tab = strchr(at, '\t');
        if (at[0] != 'S' || at[1] != ' ' || tab == NULL || tab[1] == '\0' || !shard_place_read(head, at + 2, &x->place, &x->label) ||
            x->label >= tab) {
            return FAIL(ST_DATA, "a line of it is no sample");
        }
        *tab = '\0';
        x->path = tab + 1;
        if (n > 0 && strcmp(out->list[n - 1].path, x->path) >= 0) {
            return FAIL(ST_DATA, "its samples are out of order");
        }
        at = end + 1;
    }
    out->n = n;
    return n > 0 ? STATUS_OK : FAIL(ST_DATA, "it has no samples");
}

/* An index that is there and still right; anything else is no error, it is made again. */
static bool load_index(arena *a, const shards *s, const char *path, tar_samples *out)
{
    file_bytes bytes;
    shard_head head;
    size_t size, unused;
    const size_t stamp = strlen(s->stamp);
    static const char labels[] = "M labels\n", folders[] = "M folders\n";
    status st = file_read(a, path, (size_t)1 << 32, &bytes);
    if (status_ok(st)) {
        st = index_check(path, bytes, &size);
    }
    if (status_ok(st) && size > stamp + sizeof folders && memcmp(bytes.data, s->stamp, stamp) == 0) {
        char *text = (char *)(uintptr_t)bytes.data + stamp;
        out->labelled = strncmp(text, labels, sizeof labels - 1) == 0;
        const size_t skip = out->labelled ? sizeof labels - 1 : sizeof folders - 1;
        st = shard_head_read(a, s->root, s->head, strlen(s->head), &unused, &head);
        if (status_ok(st) && (out->labelled || strncmp(text, folders, skip) == 0)) {
            st = parse_samples(a, text + skip, size - stamp - skip, &head, out);
            if (status_ok(st)) {
                return true;
            }
        }
    }
    status_clear();
    return false;
}

/* Where an index may be: beside the shards, or where only this user's are. *out: NULL where there is no such place. */
static status index_path(arena *a, const char *root, bool alone, bool beside, char **out)
{
    uint8_t digest[32];
    char name[65], here[PATH_MAX] = "";
    const char *real = root;
    if (root[0] != '/' && getcwd(here, sizeof here) != NULL) {
        TRY_TEXT(real, a, "%s/%s", here, root);
    }
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    sha256(real, strlen(real), digest);
    sha256_text(digest, name);
    if (beside) {
        TRY_TEXT(*out, a, "%s%s.pollard-tar-index", root, alone ? "" : "/");
    } else if (cache != NULL && cache[0] == '/') {
        TRY_TEXT(*out, a, "%s/pollard/%.32s.tar-index", cache, name);
    } else if (home != NULL && home[0] == '/') {
        TRY_TEXT(*out, a, "%s/.cache/pollard/%.32s.tar-index", home, name);
    } else {
        *out = NULL;
    }
    return STATUS_OK;
}

static status store_index(arena *a, const shards *s, const tar_samples *t, const char *beside, const char *cached)
{
    char *text = NULL;
    size_t size = 0;
    TRY(index_text(a, s, t, &text, &size));
    if (status_ok(file_write_atomic(beside, text, size))) {
        return STATUS_OK;
    }
    status_clear();
    if (cached == NULL || !status_ok(file_write_atomic(cached, text, size))) {
        log_line(LOG_WARNING, "data=%s no index can be written, neither beside the shards nor at %s; their headers are read at every start", s->root,
                 cached == NULL ? "$XDG_CACHE_HOME, which is not set, as HOME is not" : cached);
        status_clear();
    }
    return STATUS_OK;
}

/* From the folder's index, or the user's, or the shards. */
static status find_samples(arena *a, const shards *s, tar_samples *out)
{
    char *beside, *cached;
    TRY(index_path(a, s->root, s->alone, true, &beside));
    TRY(index_path(a, s->root, s->alone, false, &cached));
    if (load_index(a, s, beside, out) || (cached != NULL && load_index(a, s, cached, out))) {
        return STATUS_OK;
    }
    const double started = log_seconds();
    TRY(collect_all(a, s, out));
    log_line(LOG_INFO, "data=%s indexed=%zu shards=%zu seconds=%.1f", s->root, out->n, s->n, log_seconds() - started);
    return store_index(a, s, out, beside, cached);
}

/* ---- the listing ---- */

static int find_by_path(const void *key, const void *sample)
{
    return strcmp(key, ((const tar_sample *)sample)->path);
}

/* Lines `P path` get the place of their image. */
static status place_lines(arena *a, const shards *s, const tar_samples *t, char *plain, size_t plain_size, char **text, size_t *size)
{
    const size_t room = strlen(s->head) + plain_size + t->n * 52 + 1;
    TRY_ALLOC(*text, a, room);
    char *to = put(*text, *text + room, "%s", s->head);
    for (char *at = plain; at < plain + plain_size;) {
        char *end = memchr(at, '\n', (size_t)(plain + plain_size - at));
        *end = '\0';
        const tar_sample *x = at[0] == 'P' ? bsearch(at + 2, t->list, t->n, sizeof t->list[0], find_by_path) : NULL;
        to = x == NULL ? put(to, *text + room, "%s\n", at)
                       : put(to, *text + room, "A %lu %ju %lu %s\n", (unsigned long)x->place.shard, (uintmax_t)x->place.offset,
                             (unsigned long)x->place.size, x->path);
        at = end + 1;
    }
    *size = (size_t)(to - *text);
    return STATUS_OK;
}

static status list_in(arena *a, arena *scratch, const char *root, size_t n_classes, const char *const class_name[], char **text, size_t *size)
{
    shards s = {.root = root};
    tar_samples t = {0};
    const char **path, **label;
    char *plain = NULL;
    size_t plain_size = 0;
    TRY(list_names(scratch, &s));
    TRY(stamp_shards(scratch, &s));
    TRY(find_samples(scratch, &s, &t));
    TRY_ALLOC(path, scratch, t.n);
    TRY_ALLOC(label, scratch, t.n);
    for (size_t i = 0; i < t.n; i++) {
        path[i] = t.list[i].path;
        label[i] = t.list[i].label;
    }
    TRY(sample_list_join(scratch, root, t.n, path, label, t.labelled, n_classes, class_name, &plain, &plain_size));
    return place_lines(a, &s, &t, plain, plain_size, text, size);
}

status tar_list(arena *a, const char *root, size_t n_classes, const char *const class_name[], char **text, size_t *size)
{
    arena *scratch = NULL;
    TRY(arena_open("listing of tar shards", &scratch));
    const status st = list_in(a, scratch, root, n_classes, class_name, text, size);
    arena_close(&scratch);
    return st;
}
