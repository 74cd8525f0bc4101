/* Layout (PKWARE's APPNOTE): entries, each behind a local header; the central directory with a header an entry; [zip64 end record and its
 * locator]; the end record, behind which only a comment may stand. Everything is found from the end. */
#include "io/zip_archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    MOST_COMMENT = 65535
};
enum { FLAG_ENCRYPTED = 1, EXTRA_ZIP64 = 1, METHOD_DEFLATE = 8 };

static uint64_t number(const unsigned char *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    return value;
}

static status damaged(const zip_archive *z, const char *what)
{
    return FAIL(ST_DATA,
                "%s: a zip archive (as torch.save writes) whose %s; the file is truncated or damaged: copy or download "
                "it again",
                z->source, what);
}

/* NULL: none. */
static const unsigned char *find_end(const zip_archive *z)
{
    const size_t size = z->bytes.size;
    for (size_t comment = 0; comment <= MOST_COMMENT && comment + END_BYTES <= size; comment++) {
        const unsigned char *p = z->bytes.data + size - END_BYTES - comment;
        if (memcmp(p, "PK\x05\x06", 4) == 0 && number(p + 20, 2) == comment) {
            return p;
        }
    }
    return NULL;
}

typedef struct directory { /* the central one */
    uint64_t n, place, size;
} directory;

static status read_end(const zip_archive *z, directory *d)
{
    const unsigned char *end = find_end(z);
    if (end == NULL) {
        return damaged(z, "end is missing");
    }
    const uint64_t before = (uint64_t)(end - z->bytes.data);
    *d = (directory){number(end + 10, 2), number(end + 16, 4), number(end + 12, 4)};
    uint64_t limit = before;
    if (before >= LOCATOR_BYTES && memcmp(end - LOCATOR_BYTES, "PK\x06\x07", 4) == 0) {
        const uint64_t place = number(end - LOCATOR_BYTES + 8, 8);
        if (before < LOCATOR_BYTES + END64_BYTES || place > before - LOCATOR_BYTES - END64_BYTES ||
            memcmp(z->bytes.data + place, "PK\x06\x06", 4) != 0) {
            return damaged(z, "zip64 end record is not where it should be");
        }
        const unsigned char *end64 = z->bytes.data + place;
        *d = (directory){number(end64 + 32, 8), number(end64 + 48, 8), number(end64 + 40, 8)};
        limit = place;
    }
    if (d->place > limit || d->size > limit - d->place || d->n > d->size / CENTRAL_BYTES) {
        return damaged(z, "directory lies outside the file");
    }
    return STATUS_OK;
}

/* Sizes and place that the 32-bit fields leave to the zip64 field: in this order, each only where it is needed. */
static status read_zip64(const zip_archive *z, const unsigned char *extra, size_t size, uint64_t *value[3])
{
    size_t wanted = 0;
    for (size_t i = 0; i < 3; i++) {
        wanted += *value[i] == UINT32_MAX;
    }
    while (wanted > 0 && size >= 4) {
        const size_t field = (size_t)number(extra + 2, 2);
        if (field > size - 4) {
            break;
        }
        if (number(extra, 2) == EXTRA_ZIP64 && field >= 8 * wanted) {
            const unsigned char *p = extra + 4;
            for (size_t i = 0; i < 3; i++) {
                if (*value[i] == UINT32_MAX) {
                    *value[i] = number(p, 8);
                    p += 8;
                }
            }
            return STATUS_OK;
        }
        extra += 4 + field;
        size -= 4 + field;
    }
    return wanted == 0 ? STATUS_OK : damaged(z, "directory lacks a size");
}

/* Where the data behind a local header begin. */
static status find_data(const zip_archive *z, const directory *d, uint64_t header, zip_entry *e)
{
    if (header > d->place || d->place - header < LOCAL_BYTES || memcmp(z->bytes.data + header, "PK\x03\x04", 4) != 0) {
        return damaged(z, "entries are not where the directory says");
    }
    const unsigned char *p = z->bytes.data + header;
    const uint64_t skip = LOCAL_BYTES + number(p + 26, 2) + number(p + 28, 2);
    if (skip > d->place - header || e->packed > d->place - header - skip) {
        return damaged(z, "entries reach beyond the file");
    }
    e->place = header + skip;
    return STATUS_OK;
}

static status read_entry(const zip_archive *z, const directory *d, const unsigned char **at, const unsigned char *end,
                         zip_entry *e)
{
    const unsigned char *p = *at;
    if (end - p < CENTRAL_BYTES || memcmp(p, "PK\x01\x02", 4) != 0) {
        return damaged(z, "directory is cut");
    }
    const size_t name = (size_t)number(p + 28, 2), extra = (size_t)number(p + 30, 2),
                 comment = (size_t)number(p + 32, 2);
    if (name + extra + comment > (size_t)(end - p) - CENTRAL_BYTES) {
        return damaged(z, "directory is cut");
    }
    uint64_t header = number(p + 42, 4);
    *e = (zip_entry){.name = (const char *)p + CENTRAL_BYTES,
                     .name_size = name,
                     .method = (unsigned)number(p + 10, 2),
                     .size = number(p + 24, 4),
                     .packed = number(p + 20, 4)};
    if ((number(p + 8, 2) & FLAG_ENCRYPTED) != 0) {
        return FAIL(ST_DATA, "%s: expected a checkpoint, found an encrypted zip archive", z->source);
    }
    TRY(read_zip64(z, p + CENTRAL_BYTES + name, extra, (uint64_t *[3]){&e->size, &e->packed, &header}));
    *at = p + CENTRAL_BYTES + name + extra + comment;
    return find_data(z, d, header, e);
}

static int by_place(const void *a, const void *b)
{
    const zip_entry *x = a, *y = b;
    if (x->place != y->place) {
        return x->place < y->place ? -1 : 1;
    }
    return (x->packed > y->packed) - (x->packed < y->packed);
}

static int compare_names(const char *x, size_t x_size, const char *y, size_t y_size)
{
    const int order = memcmp(x, y, x_size < y_size ? x_size : y_size);
    return order != 0 ? order : (x_size > y_size) - (x_size < y_size);
}

static int by_name(const void *a, const void *b)
{
    const zip_entry *x = a, *y = b;
    return compare_names(x->name, x->name_size, y->name, y->name_size);
}

/* No byte belongs to two entries, and no name stands for two. Leaves them by name. */
static status check_entries(const zip_archive *z, zip_entry *list, size_t n)
{
    qsort(list, n, sizeof *list, by_place);
    for (size_t i = 1; i < n; i++) {
        if (list[i].place - list[i - 1].place < list[i - 1].packed) {
            return damaged(z, "entries overlap");
        }
    }
    qsort(list, n, sizeof *list, by_name);
    for (size_t i = 1; i < n; i++) {
        if (by_name(&list[i - 1], &list[i]) == 0) {
            return damaged(z, "directory has two entries of one name");
        }
    }
    return STATUS_OK;
}

status zip_open(arena *a, const char *source, file_bytes bytes, zip_archive *out)
{
    directory d = {0};
    zip_entry *list;
    *out = (zip_archive){.source = source, .bytes = bytes};
    TRY(read_end(out, &d));
    TRY_ALLOC(list, a, (size_t)d.n);
    const unsigned char *at = bytes.data + d.place, *const end = at + d.size;
    for (size_t i = 0; i < d.n; i++) {
        TRY(read_entry(out, &d, &at, end, &list[i]));
    }
    if (at != end) {
        return damaged(out, "directory is longer than its entries");
    }
    TRY(check_entries(out, list, (size_t)d.n));
    out->n = (size_t)d.n;
    out->entry = list;
    return STATUS_OK;
}

const zip_entry *zip_find(const zip_archive *z, const char *name)
{
    const zip_entry key = {.name = name, .name_size = strlen(name)};
    return bsearch(&key, z->entry, z->n, sizeof key, by_name);
}

status zip_entry_bytes(const zip_archive *z, const zip_entry *e, file_bytes *out)
{
    if (e->method != 0 || e->packed != e->size) {
        return FAIL(ST_DATA,
                    "%s: expected the entry '%.*s' stored as it is, as torch.save does, found it compressed (%s); "
                    "unpack the archive and pack "
                    "it again without compression (zip -0)",
                    z->source, (int)(e->name_size < 200 ? e->name_size : 200), e->name,
                    e->method == METHOD_DEFLATE ? "deflate" : "another method");
    }
    *out = (file_bytes){z->bytes.data + e->place, (size_t)e->size};
    return STATUS_OK;
}
