#include "io/tar.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "io/file_kind.h"

enum { BLOCK = 512, WINDOW = 32 * BLOCK, MOST_PAX = 1 << 16 };

/* The header's fields, POSIX.1-1988: where they are and how long. */
enum { AT_NAME = 0, NAME = 100, AT_SIZE = 124, SIZE = 12, AT_SUM = 148, SUM = 8, AT_TYPE = 156, AT_MAGIC = 257, AT_PREFIX = 345, PREFIX = 155 };

typedef struct walker {
    const tar_source *from;
    uint64_t at; /* of the next header */
    uint64_t window_at;
    size_t window_size;
    unsigned char window[WINDOW];
    char name[TAR_LONGEST_NAME + 1], long_name[TAR_LONGEST_NAME + 1]; /* long_name: what stood before a header; "": nothing */
    bool has_size;      /* a pax header said it */
    uint64_t long_size;
    unsigned char pax[MOST_PAX + 1];
} walker;

static status bad(const walker *w, const char *what)
{
    return FAIL(ST_DATA, "%s: byte %ju: %s; the archive is cut off or damaged, make it again", w->from->path, (uintmax_t)w->at, what);
}

/* Of GNU tar, old and new: its bytes are not there as they are. */
static status sparse(const walker *w)
{
    return FAIL(ST_DATA, "%s: byte %ju: a sparse file; make the archive without --sparse", w->from->path, (uintmax_t)w->at);
}

/* One block; headers that follow each other closely cost one read. */
static status block(walker *w, uint64_t at, const unsigned char **out)
{
    if (at < w->window_at || at + BLOCK > w->window_at + w->window_size) {
        const uint64_t left = w->from->size - at;
        w->window_size = left < WINDOW ? (size_t)left : WINDOW;
        w->window_at = at;
        TRY(w->from->read(w->from->context, at, w->window_size, w->window));
    }
    *out = w->window + (at - w->window_at);
    return STATUS_OK;
}

static bool is_zero(const unsigned char *b)
{
    for (size_t i = 0; i < BLOCK; i++) {
        if (b[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Octal digits between spaces and zeros, or, where the first bit is set, a number of base 256 (GNU). */
static bool number(const unsigned char *p, size_t n, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    if (p[0] == 0x80) {
        for (i = 1; i < n; i++) {
            if (value > (uint64_t)INT64_MAX >> 8) {
                return false;
            }
            value = value << 8 | p[i];
        }
        *out = value;
        return true;
    }
    for (; i < n && p[i] == ' '; i++) {
    }
    const size_t first = i;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        value = value << 3 | (uint64_t)(p[i] - '0'); /* at most 12 digits */
    }
    *out = value;
    const bool some = i > first;
    for (; i < n && (p[i] == ' ' || p[i] == '\0'); i++) {
    }
    return some && i == n;
}

/* The sum of all bytes with the sum itself as spaces; old programs have added signed bytes. */
static bool sum_fits(const unsigned char *h)
{
    uint64_t noted, plain = 0;
    int64_t with_sign = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        const unsigned char b = i >= AT_SUM && i < AT_SUM + SUM ? ' ' : h[i];
        plain += b;
        with_sign += (signed char)b;
    }
    return number(h + AT_SUM, SUM, &noted) && (noted == plain || (int64_t)noted == with_sign);
}

static void header_name(const unsigned char *h, char out[TAR_LONGEST_NAME + 1])
{
    const char *name = (const char *)h + AT_NAME, *prefix = (const char *)h + AT_PREFIX;
    const bool ustar = memcmp(h + AT_MAGIC, "ustar\0", 6) == 0 && prefix[0] != '\0';
    (void)snprintf(out, TAR_LONGEST_NAME + 1, "%.*s%s%.*s", ustar ? (int)PREFIX : 0, prefix, ustar ? "/" : "", (int)NAME, name);
}

/* Nothing is unpacked, but names go into results and packs, and somebody may unpack those. */
static status check_name(const walker *w, const char *name)
{
    if (name[0] == '/') {
        return bad(w, "a member has an absolute name");
    }
    for (const char *p = name; p != NULL; p = strchr(p, '/')) {
        p += *p == '/';
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0')) {
            return bad(w, "a member's name leads out of the archive ('..')");
        }
    }
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return bad(w, "a member has a control character (such as a newline) in its name");
        }
    }
    return STATUS_OK;
}

/* "LENGTH KEY=VALUE\n" (POSIX.1-2001, pax); only path and size matter here. */
static status read_pax(walker *w, size_t size)
{
    for (size_t at = 0; at < size;) {
        char *end, *text = (char *)w->pax + at;
        const unsigned long long length = text[0] >= '1' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
        if (length == 0 || length > size - at || *end != ' ' || text[length - 1] != '\n' || (size_t)(end + 1 - text) >= length) {
            return bad(w, "a pax header is not made of 'LENGTH KEY=VALUE'");
        }
        text[length - 1] = '\0';
        const char *key = end + 1, *value = key + strcspn(key, "=");
        const size_t n = strlen(key); /* a zero byte ends it before its length says so */
        if (*value == '=' && strncmp(key, "path=", 5) == 0) {
            if ((size_t)(end + 1 - text) + n + 1 != length || n - 5 > TAR_LONGEST_NAME) {
                return bad(w, "a name holds a zero byte or more than 4096 bytes");
            }
            (void)snprintf(w->long_name, sizeof w->long_name, "%s", value + 1);
        } else if (*value == '=' && strncmp(key, "size=", 5) == 0) {
            const unsigned long long bytes = value[1] >= '0' && value[1] <= '9' ? strtoull(value + 1, &end, 10) : ULLONG_MAX;
            if (bytes > INT64_MAX || *end != '\0') {
                return bad(w, "a pax header has a size that is no number");
            }
            w->has_size = true;
            w->long_size = bytes;
        } else if (*value == '=' && strncmp(key, "GNU.sparse", 10) == 0) {
            return sparse(w);
        }
        at += length;
    }
    return STATUS_OK;
}

/* What stands before a member and is about it. */
static status read_extension(walker *w, char type, uint64_t content, uint64_t size)
{
    const size_t most = type == 'L' ? TAR_LONGEST_NAME + 1 : MOST_PAX;
    if (size > most) {
        return bad(w, "a name or an extended header is too long");
    }
    TRY(w->from->read(w->from->context, content, (size_t)size, w->pax));
    w->pax[size] = '\0';
    if (type == 'L') {
        const size_t n = strlen((const char *)w->pax); /* a zero behind the name may be counted */
        if (n > TAR_LONGEST_NAME || (n != size && n + 1 != size)) {
            return bad(w, "a name holds a zero byte or more than 4096 bytes");
        }
        memcpy(w->long_name, w->pax, n + 1);
        return STATUS_OK;
    }
    return read_pax(w, (size_t)size);
}

static tar_kind kind_of(char type, const char *name)
{
    const size_t n = strlen(name);
    if (type == '1' || type == '2') {
        return TAR_LINK;
    }
    return (type == '0' || type == '\0' || type == '7') && n > 0 && name[n - 1] != '/' ? TAR_FILE : TAR_OTHER;
}

static status member(walker *w, const unsigned char *h, char type, uint64_t content, uint64_t size, tar_visit *visit, void *context)
{
    if (w->long_name[0] != '\0') {
        memcpy(w->name, w->long_name, sizeof w->name);
    } else {
        header_name(h, w->name);
    }
    const char *name = w->name;
    while (name[0] == '.' && name[1] == '/') {
        name += 2 + strspn(name + 2, "/");
    }
    TRY(check_name(w, name));
    const tar_member m = {.name = name, .kind = kind_of(type, name), .offset = content, .size = size};
    w->long_name[0] = '\0';
    w->has_size = false;
    return visit(context, &m);
}

/* Behind the two blocks that end an archive there are zeros up to the end of a record, or a second archive that would be lost. */
static status check_end(walker *w)
{
    const unsigned char *b;
    while (w->from->size - w->at >= BLOCK) {
        TRY(block(w, w->at, &b));
        if (!is_zero(b)) {
            return bad(w, "bytes behind the end of the archive: are several archives joined? Give each a file of its own");
        }
        w->at += BLOCK;
    }
    return STATUS_OK;
}

static status step(walker *w, tar_visit *visit, void *context, bool *over)
{
    const unsigned char *h;
    uint64_t size;
    if (w->from->size - w->at < BLOCK) {
        return bad(w, "expected another member or the end mark, found the end of the file");
    }
    TRY(block(w, w->at, &h));
    if (is_zero(h)) {
        *over = true;
        return check_end(w);
    }
    const char type = (char)h[AT_TYPE];
    if (!sum_fits(h) || !number(h + AT_SIZE, SIZE, &size)) {
        return w->at == 0 ? FAIL(ST_DATA, "%s: expected a tar archive, found %s", w->from->path,
                                 file_kind_of((file_bytes){h, FILE_KIND_BYTES}) != NULL ? file_kind_of((file_bytes){h, FILE_KIND_BYTES})->name : "something else")
                          : bad(w, "the header of a member is damaged");
    }
    const bool extension = type == 'x' || type == 'L', other = type == 'g' || type == 'K';
    if (!extension && !other && w->has_size) {
        size = w->long_size;
    }
    const bool empty = type >= '1' && type <= '6'; /* links, devices, folders have no content, whatever their size says */
    const uint64_t content = w->at + BLOCK, bytes = empty ? 0 : size;
    if (bytes > w->from->size - content) {
        return bad(w, "a member is longer than the file");
    }
    if (type == 'S') {
        return sparse(w);
    }
    if (extension) {
        TRY(read_extension(w, type, content, bytes));
    } else if (!other) {
        TRY(member(w, h, type, content, bytes, visit, context));
    }
    const uint64_t padded = (bytes + BLOCK - 1) / BLOCK * BLOCK; /* bytes < 2^63 */
    if (padded > w->from->size - content) {
        return bad(w, "the last member is not filled up to a block");
    }
    w->at = content + padded;
    return STATUS_OK;
}

status tar_read(const tar_source *source, tar_visit *visit, void *context)
{
    arena *a = NULL;
    walker *w;
    status st = STATUS_OK;
    bool over = false;
    TRY(arena_open("tar archive", &a));
    w = arena_alloc(a, 1, sizeof *w);
    if (w == NULL) {
        st = (status){ST_ENVIRONMENT};
    } else {
        w->from = source;
    }
    while (status_ok(st) && !over) {
        st = step(w, visit, context, &over);
    }
    arena_close(&a);
    return st;
}
