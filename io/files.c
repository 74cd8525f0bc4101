#include "io/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_TRIES = 1000, NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };

static status read_all(int fd, const char *path, unsigned char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FAIL(ST_NO_INPUT, "%s: cannot be read: %s", path, strerror(errno));
        }
        if (n == 0) {
            return FAIL(ST_DATA, "%s: ended after %zu of %zu bytes; was it changed while it was read?", path, done, size);
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}

status file_read(arena *a, const char *path, size_t most, file_bytes *out)
{
    status st = STATUS_OK;
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (fd < 0) {
        return FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        st = FAIL(ST_NO_INPUT, "%s: expected a file, found %s", path, S_ISDIR(info.st_mode) ? "a folder" : "something else");
    } else if ((uintmax_t)info.st_size > most) {
        st = FAIL(ST_DATA, "%s: %jd bytes; files of more than %zu bytes are not read", path, (intmax_t)info.st_size, most);
    } else {
        const size_t size = (size_t)info.st_size;
        unsigned char *data = arena_alloc(a, size + 1, 1);
        st = data == NULL ? (status){ST_ENVIRONMENT} : read_all(fd, path, data, size);
        *out = (file_bytes){data, size};
    }
    (void)close(fd);
    return st;
}

bool file_is_absent(const char *path)
{
    struct stat info;
    return lstat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

status file_read_at(int fd, const char *name, uint64_t offset, size_t size, void *data)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FAIL(ST_NO_INPUT, "%s: cannot be read: %s", name, strerror(errno));
        }
        if (n == 0) {
            return FAIL(ST_DATA, "%s: the file ends after %zu of %zu bytes; was it changed or cut off?", name, done, size);
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}

/* Makes `folder` and its parents. */
static status make_folders(const char *folder)
{
    char path[4096];
    if (strlen(folder) >= sizeof path) {
        return FAIL(ST_CANT_WRITE, "%.100s...: the path is longer than %zu bytes; choose another output with -o", folder, sizeof path);
    }
    (void)snprintf(path, sizeof path, "%s", folder);
    for (char *p = path + 1;; p++) {
        const char c = *p;
        if (c == '/' || c == '\0') {
            *p = '\0';
            if (mkdir(path, 0777) != 0 && errno != EEXIST) {
                return FAIL(ST_CANT_WRITE, "%s: the folder cannot be made: %s; choose another output with -o", path, strerror(errno));
            }
            *p = c;
        }
        if (c == '\0') {
            return STATUS_OK;
        }
    }
}

/* The folder of `path`; a temporary name beside it fits into as many bytes too. */
static status split(const char *path, char *folder, size_t size)
{
    char copy[4096];
    if (strlen(path) + 32 >= size) {
        return FAIL(ST_CANT_WRITE, "%.100s...: the path is longer than %zu bytes; choose another output with -o", path, size - 32);
    }
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)snprintf(folder, size, "%s", dirname(copy));
    return STATUS_OK;
}

/* A new file beside `path`, -1 with errno where there is none to be had. Process numbers are no names: containers and hosts have the same ones, so
 * that a file of this name may be another writer's, or one that a killed process has left. Neither may be written into. */
static int make_temporary(const char *path, char *temporary, size_t size)
{
    const int n = snprintf(temporary, size, "%s.tmp.%ld", path, (long)getpid()); /* split() sees to it that all of it fits */
    int fd = open(temporary, NEW_FILE, 0666);
    for (int i = 1; i < MOST_TRIES && fd < 0 && errno == EEXIST; i++) {
        (void)snprintf(temporary + n, size - (size_t)n, "-%d", i);
        fd = open(temporary, NEW_FILE, 0666);
    }
    return fd;
}

static status check_target(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return FAIL(ST_CANT_WRITE, "%s: expected a file or nothing, found %s; choose another output with -o", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "something else");
    }
    return STATUS_OK;
}

static status cannot_be_written_to(const char *folder)
{
    return FAIL(ST_CANT_WRITE, "%s: the folder cannot be written to: %s; choose another output with -o", folder, strerror(errno));
}

status file_check_writable(const char *path)
{
    char folder[4096], temporary[4096];
    TRY(split(path, folder, sizeof folder));
    TRY(make_folders(folder));
    TRY(check_target(path));
    const int fd = make_temporary(path, temporary, sizeof temporary);
    if (fd < 0) {
        return cannot_be_written_to(folder);
    }
    (void)close(fd);
    (void)unlink(temporary);
    return STATUS_OK;
}

/* 0, or the errno that making something in this folder would give. */
static int refusal(const char *folder)
{
    struct stat info;
    if (stat(folder, &info) != 0) {
        return errno;
    }
    if (!S_ISDIR(info.st_mode)) {
        return ENOTDIR;
    }
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* Goes the way of make_folders() as far as the first that is missing, and makes nothing. */
static status foresee_folders(const char *folder)
{
    char path[4096], parent[4096];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s", folder);
    (void)snprintf(parent, sizeof parent, "%s", folder[0] == '/' ? "/" : ".");
    for (char *p = path + 1;; p++) {
        const char c = *p;
        if (c == '/' || c == '\0') {
            *p = '\0';
            if (stat(path, &info) != 0) {
                errno = errno == ENOENT ? refusal(parent) : errno;
                return errno == 0 ? STATUS_OK : FAIL(ST_CANT_WRITE, "%s: the folder cannot be made: %s; choose another output with -o", path, strerror(errno));
            }
            (void)snprintf(parent, sizeof parent, "%s", path);
            *p = c;
        }
        if (c == '\0') {
            errno = refusal(folder);
            return errno == 0 ? STATUS_OK : cannot_be_written_to(folder);
        }
    }
}

status file_foresee_writable(const char *path)
{
    char folder[4096];
    TRY(split(path, folder, sizeof folder));
    TRY(foresee_folders(folder));
    return check_target(path);
}

/* What is to be written, part by part. */
typedef struct source {
    size_t total;
    file_next_part *next;
    void *context;
} source;

static status write_part(int fd, const char *path, const unsigned char *data, size_t size, size_t before, size_t total)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return FAIL(ST_CANT_WRITE, "%s: cannot be written after %zu of %zu bytes: %s; choose another output with -o", path, before + done, total, strerror(errno));
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}

static status write_rest(int fd, const char *path, const source *from)
{
    for (size_t done = 0; done < from->total;) {
        const void *data = NULL;
        size_t size = 0;
        TRY(from->next(from->context, &data, &size));
        TRY(write_part(fd, path, data, size, done, from->total));
        done += size;
    }
    if (fsync(fd) != 0) {
        return FAIL(ST_CANT_WRITE, "%s: cannot be flushed to the disk: %s; choose another output with -o", path, strerror(errno));
    }
    return STATUS_OK;
}

/* A limit on the size of files (ulimit -f) shall be an error like a full disk, not a signal that leaves half a file. */
static status write_all(int fd, const char *path, const source *from)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction old;
    const bool ignored = sigaction(SIGXFSZ, &ignore, &old) == 0;
    const status st = write_rest(fd, path, from);
    if (ignored) {
        (void)sigaction(SIGXFSZ, &old, NULL);
    }
    return st;
}

/* The last step of an atomic write: rename, fsync of the folder. */
static status file_commit(const char *temporary, const char *path)
{
    char folder[4096];
    TRY(split(path, folder, sizeof folder));
    if (rename(temporary, path) != 0) {
        return FAIL(ST_CANT_WRITE, "%s: cannot be renamed to %s: %s; choose another output with -o", temporary, path, strerror(errno));
    }
    /* The rename itself must reach the disk; some file systems cannot fsync a folder, and then there is nothing more to do. */
    const int fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    return STATUS_OK;
}

status file_write_parts(const char *path, size_t total, file_next_part *next, void *context)
{
    const source from = {total, next, context};
    char folder[4096], temporary[4096];
    TRY(split(path, folder, sizeof folder));
    TRY(make_folders(folder));
    const int fd = make_temporary(path, temporary, sizeof temporary);
    if (fd < 0) {
        return FAIL(ST_CANT_WRITE, "%s: cannot be made: %s; choose another output with -o", temporary, strerror(errno));
    }
    status st = write_all(fd, temporary, &from);
    if (close(fd) != 0 && status_ok(st)) {
        st = FAIL(ST_CANT_WRITE, "%s: cannot be closed: %s; choose another output with -o", temporary, strerror(errno));
    }
    if (status_ok(st)) {
        st = file_commit(temporary, path);
    }
    if (!status_ok(st)) {
        (void)unlink(temporary);
    }
    return st;
}

static status the_only_part(void *context, const void **data, size_t *size)
{
    const file_bytes *bytes = context;
    *data = bytes->data;
    *size = bytes->size;
    return STATUS_OK;
}

status file_write_atomic(const char *path, const void *data, size_t size)
{
    file_bytes bytes = {data, size};
    return file_write_parts(path, size, the_only_part, &bytes);
}

char *path_join(arena *a, const char *folder, const char *name)
{
    return name[0] == '/' ? arena_text(a, "%s", name) : arena_text(a, "%s/%s", folder, name);
}

char *path_folder(arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return arena_text(a, ".");
    }
    return slash == path ? arena_text(a, "/") : arena_text(a, "%.*s", (int)(slash - path), path);
}
