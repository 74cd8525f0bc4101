/* The reading side. Nothing in a file is trusted: sizes are checked against the file before anything is read or allocated. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "io/journal_frame.h"

enum { MOST_IDENTITY = 16 << 20 };

/* A file that is open. */
typedef struct source {
    const char *path;
    int fd;
    uint64_t size;
} source;

typedef struct entries {
    journal_entry *list;
    size_t n, room;
} entries;

static const journal_key of_identity; /* zeros */

static bool read_at(const source *s, uint64_t at, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = pread(s->fd, (char *)to + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

/* fd -1: the file has vanished since it was listed, as when another run of the same study ends. */
static status open_source(const char *path, source *out)
{
    struct stat info;
    *out = (source){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)};
    if (out->fd < 0) {
        return errno == ENOENT ? STATUS_OK : FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (fstat(out->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(out->fd);
        return FAIL(ST_NO_INPUT, "%s: expected a file, found something else", path);
    }
    out->size = (uint64_t)info.st_size;
    return STATUS_OK;
}

static void close_source(const source *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
}

/* A head that is whole, with a payload that lies within the file. */
static bool read_head(const source *s, uint64_t at, frame_head *out)
{
    return s->size - at >= FRAME_BYTES && read_at(s, at, out, sizeof *out) && memcmp(out->magic, frame_magic, sizeof frame_magic) == 0 &&
           out->own == (uint32_t)crc32_z(0, (const Bytef *)out, offsetof(frame_head, own)) && out->version == FRAME_VERSION &&
           out->size <= s->size - at - FRAME_BYTES;
}

/* The first good head at or behind `at`. *passed: something else was in between. */
static bool find_head(const source *s, uint64_t *at, frame_head *out, bool *passed)
{
    for (*passed = false; *at + FRAME_BYTES <= s->size; *at += FRAME_BYTES) {
        if (read_head(s, *at, out)) {
            return true;
        }
        *passed = true;
    }
    *passed = *passed || *at < s->size;
    return false;
}

static status add_entry(arena *a, entries *to, const journal_entry *e)
{
    if (to->n == to->room) { /* the old list stays where it is until the arena goes: twice the memory at most */
        journal_entry *larger;
        const size_t room = to->room == 0 ? 256 : 2 * to->room;
        TRY_ALLOC(larger, a, room);
        if (to->n > 0) {
            memcpy(larger, to->list, to->n * sizeof *larger);
        }
        to->list = larger;
        to->room = room;
    }
    to->list[to->n++] = *e;
    return STATUS_OK;
}

static status scan_frames(arena *a, const source *s, uint32_t file, entries *to, journal_index *out)
{
    frame_head h;
    bool passed;
    uint64_t at = 0;
    for (; find_head(s, &at, &h, &passed); at += FRAME_BYTES + frame_padded(h.size)) {
        out->damaged += passed;
        if (memcmp(&h.key, &of_identity, sizeof h.key) != 0) {
            const journal_entry e = {h.key, at + FRAME_BYTES, h.size, file, h.check, (double)h.seconds};
            TRY(add_entry(a, to, &e));
        }
        if (frame_padded(h.size) > s->size - at - FRAME_BYTES) { /* the padding is not there yet */
            passed = false;
            break;
        }
    }
    out->damaged += passed;
    out->bytes += (size_t)s->size;
    return STATUS_OK;
}

/* *out NULL: the file does not say, or says it no longer; then none of its frames is of use. */
static status read_identity(arena *a, const source *s, char **out)
{
    frame_head h;
    *out = NULL;
    if (!read_head(s, 0, &h) || memcmp(&h.key, &of_identity, sizeof h.key) != 0 || h.size > MOST_IDENTITY) {
        return STATUS_OK;
    }
    char *text;
    TRY_ALLOC(text, a, (size_t)h.size + 1);
    if (read_at(s, FRAME_BYTES, text, (size_t)h.size) && h.check == (uint32_t)crc32_z(0, (const Bytef *)text, (size_t)h.size) &&
        strlen(text) == h.size) {
        *out = text;
    }
    return STATUS_OK;
}

/* What a message shows of a line. */
typedef struct excerpt {
    const char *before, *text, *behind;
    int n;
} excerpt;

/* Of the line that begins at `begin`, as much around `at` as a message can hold: lists of rates and seeds are long. */
static excerpt line_around(const char *text, size_t begin, size_t at)
{
    enum { BEFORE = 100, MOST = 300 };
    const size_t from = at - begin > MOST - BEFORE ? at - BEFORE : begin, n = strcspn(text + from, "\n");
    return (excerpt){from > begin ? "..." : "", text + from, n > MOST ? "..." : "", n > MOST ? MOST : (int)n};
}

static status other_identity(const char *folder, const char *was, const char *is)
{
    size_t begin = 0, i = 0;
    for (; was[i] == is[i] && was[i] != '\0'; i++) {
        begin = was[i] == '\n' ? i + 1 : begin;
    }
    const excerpt old = line_around(was, begin, i), new = line_around(is, begin, i);
    return FAIL(ST_CONFIG,
                "%s: holds finished work of another run, which is not mixed with this one: it was '%s%.*s%s', it is now '%s%.*s%s'; undo the change and "
                "the run goes on where it was, or choose another output with -o, or begin anew with --fresh",
                folder, old.before, old.n, old.text, old.behind, new.before, new.n, new.text, new.behind);
}

static status scan_file(arena *a, const char *folder, const char *identity, uint32_t file, entries *to, journal_index *out)
{
    source s;
    char *text = NULL;
    TRY(open_source(out->file[file], &s));
    if (s.fd < 0) {
        return STATUS_OK;
    }
    status st = read_identity(a, &s, &text);
    if (status_ok(st) && text == NULL) {
        out->damaged++;
        out->bytes += (size_t)s.size;
    } else if (status_ok(st) && identity != NULL && strcmp(text, identity) != 0) {
        st = other_identity(folder, text, identity);
    } else if (status_ok(st)) {
        st = scan_frames(a, &s, file, to, out);
    }
    close_source(&s);
    return st;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Paths of the files, in order of their names. */
static status list_files(arena *a, const char *folder, size_t *n_files, const char *const **out)
{
    const char **list;
    size_t n = 0, room = 0;
    DIR *d = opendir(folder);
    *n_files = 0;
    *out = NULL;
    if (d == NULL) {
        return errno == ENOENT ? STATUS_OK : FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", folder, strerror(errno));
    }
    while (readdir(d) != NULL) {
        room++;
    }
    rewinddir(d);
    list = arena_alloc(a, room, sizeof *list);
    status st = list == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
    for (struct dirent *e; status_ok(st) && n < room && (e = readdir(d)) != NULL;) { /* what has come meanwhile is left to the next scan */
        if (frame_file(e->d_name)) {
            list[n] = path_join(a, folder, e->d_name);
            st = list[n++] == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
        }
    }
    (void)closedir(d);
    TRY(st);
    qsort(list, n, sizeof *list, compare_names);
    *n_files = n;
    *out = list;
    return STATUS_OK;
}

static int compare_entries(const void *left, const void *right)
{
    const journal_entry *a = left, *b = right;
    const int keys = memcmp(&a->key, &b->key, sizeof a->key);
    if (keys != 0 || a->file != b->file) {
        return keys != 0 ? keys : a->file < b->file ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

status journal_scan(arena *a, const char *folder, const char *identity, journal_index *out)
{
    entries all = {0};
    *out = (journal_index){0};
    TRY(list_files(a, folder, &out->n_files, &out->file));
    for (size_t i = 0; i < out->n_files; i++) {
        TRY(scan_file(a, folder, identity, (uint32_t)i, &all, out));
    }
    if (all.n > 0) {
        qsort(all.list, all.n, sizeof *all.list, compare_entries);
    }
    out->entry = all.list;
    out->n = all.n;
    return STATUS_OK;
}

status journal_identity(arena *a, const char *folder, const char **out)
{
    size_t n = 0;
    const char *const *file;
    *out = NULL;
    TRY(list_files(a, folder, &n, &file));
    for (size_t i = 0; i < n && *out == NULL; i++) {
        source s;
        char *text = NULL;
        TRY(open_source(file[i], &s));
        const status st = read_identity(a, &s, &text);
        close_source(&s);
        TRY(st);
        *out = text;
    }
    return STATUS_OK;
}

const journal_entry *journal_find(const journal_index *index, const journal_key *key)
{
    size_t low = 0, high = index->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (memcmp(&index->entry[middle].key, key, sizeof *key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < index->n && memcmp(&index->entry[low].key, key, sizeof *key) == 0 ? &index->entry[low] : NULL;
}

static bool load(const journal_index *index, const journal_entry *e, void *payload)
{
    source s;
    if (!status_ok(open_source(index->file[e->file], &s))) {
        status_clear();
        return false;
    }
    const bool whole = s.fd >= 0 && read_at(&s, e->offset, payload, (size_t)e->size) && e->check == (uint32_t)crc32_z(0, payload, (size_t)e->size);
    close_source(&s);
    return whole;
}

bool journal_load(const journal_index *index, const journal_key *key, void *payload, size_t size)
{
    const journal_entry *e = journal_find(index, key), *end = index->entry + index->n;
    for (; e != NULL && e < end && memcmp(&e->key, key, sizeof *key) == 0; e++) {
        if (e->size == size && load(index, e, payload)) {
            return true;
        }
    }
    return false;
}

/* ---- for other ranks: entries, then one line a file ---- */

typedef struct packed_head {
    uint64_t n_files, n, damaged, bytes, text;
} packed_head;

status journal_index_write(arena *a, const journal_index *index, const void **data, size_t *size)
{
    packed_head h = {index->n_files, index->n, index->damaged, index->bytes, 0};
    unsigned char *to;
    for (size_t i = 0; i < index->n_files; i++) {
        h.text += strlen(index->file[i]) + 1;
    }
    *size = sizeof h + index->n * sizeof index->entry[0] + h.text;
    TRY_ALLOC(to, a, *size);
    *data = to;
    memcpy(to, &h, sizeof h);
    to += sizeof h;
    if (index->n > 0) {
        memcpy(to, index->entry, index->n * sizeof index->entry[0]);
        to += index->n * sizeof index->entry[0];
    }
    for (size_t i = 0; i < index->n_files; i++) {
        const size_t n = strlen(index->file[i]) + 1;
        memcpy(to, index->file[i], n);
        to += n;
    }
    return STATUS_OK;
}

status journal_index_read(arena *a, const void *data, size_t size, journal_index *out)
{
    packed_head h;
    journal_entry *entry;
    const char **file;
    const unsigned char *from = data;
    if (size < sizeof h) {
        return FAIL(ST_BUG, "an index of a journal has %zu bytes", size);
    }
    memcpy(&h, from, sizeof h);
    TRY_ALLOC(entry, a, h.n);
    TRY_ALLOC(file, a, h.n_files);
    char *text;
    TRY_ALLOC(text, a, h.text);
    if (size != sizeof h + h.n * sizeof *entry + h.text) {
        return FAIL(ST_BUG, "an index of a journal has %zu bytes", size);
    }
    memcpy(entry, from + sizeof h, h.n * sizeof *entry);
    memcpy(text, from + sizeof h + h.n * sizeof *entry, h.text);
    for (size_t i = 0; i < h.n_files; i++) {
        file[i] = text;
        text += strlen(text) + 1;
    }
    *out = (journal_index){.n_files = h.n_files, .file = file, .n = h.n, .entry = entry, .damaged = h.damaged, .bytes = h.bytes};
    return STATUS_OK;
}
