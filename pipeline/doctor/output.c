/* The folder of the result: makes, fills, replaces, reads, locks and removes a trial file there, and removes the folders that it made. Rank 0
 * alone writes results, so it alone tries. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io/h5_trial.h"
#include "pipeline/doctor/check.h"
#include "pipeline/doctor/mounts.h"

enum { PATH_BYTES = 4096 };
static const double MIB = 1024.0 * 1024.0, ROOM = 256.0; /* MiB: the result of a large study */

static const char elsewhere[] = "choose another output with -o, or have the folder made writable";

typedef struct trial {
    char path[PATH_BYTES]; /* of the trial file */
    const char *folder;
    size_t made; /* length of the part of `folder` that is there already; the rest is ours to remove */
} trial;

static size_t existing_part(const char *folder)
{
    char path[PATH_BYTES];
    size_t n = strlen(folder);
    (void)snprintf(path, sizeof path, "%s", folder);
    while (n > 0 && access(path, F_OK) != 0) {
        while (n > 0 && path[n - 1] != '/') {
            n--;
        }
        while (n > 0 && path[n - 1] == '/') {
            n--;
        }
        path[n] = '\0';
    }
    return n;
}

/* Empty folders only: rmdir sees to it. */
static void remove_made(const trial *t)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s", t->folder);
    for (size_t n = strlen(path); n > t->made; n--) {
        if (path[n] == '/' || path[n] == '\0') {
            path[n] = '\0';
            (void)rmdir(path);
        }
    }
}

static status fill(const doctor *d, const trial *t)
{
    static const char old[] = "replaced by the next file";
    h5_versions v;
    file_bytes content = {(const unsigned char *)old, sizeof old};
    h5_trial_versions(&v);
    TRY(file_check_writable(d->output));
    TRY(file_write_atomic(t->path, old, sizeof old));
    if (!h5_trial_usable(&v)) {
        return file_write_atomic(t->path, content.data, content.size);
    }
    TRY(h5_trial_make(d->arena, &content));
    TRY(file_write_atomic(t->path, content.data, content.size));
    return h5_trial_read(t->path);
}

/* The system's two kinds of locks, and then HDF5's. NULL: all work. */
static const char *lock_problem(const char *path, char *text, size_t size)
{
    struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    h5_versions v;
    const char *failed = NULL;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        failed = "open";
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        failed = "flock";
    } else if (fcntl(fd, F_SETLK, &record) != 0) {
        failed = "fcntl";
    }
    if (failed != NULL) {
        (void)snprintf(text, size, "%s: %s", failed, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    h5_trial_versions(&v);
    if (failed == NULL && h5_trial_usable(&v) && !h5_trial_locks(path)) {
        (void)snprintf(text, size, "HDF5 cannot open its own file for writing");
        failed = "HDF5";
    }
    return failed == NULL ? NULL : text;
}

static double free_mib(const char *folder)
{
    struct statvfs s;
    return statvfs(folder, &s) == 0 ? (double)s.f_bavail * (double)s.f_frsize / MIB : -1.0;
}

static void look(const trial *t, check *out)
{
    char absolute[PATH_BYTES], kind[64] = "unknown", text[160];
    const double mib = free_mib(t->folder);
    if (realpath(t->folder, absolute) != NULL) {
        mounts_kind("", absolute, sizeof kind, kind);
    } else {
        (void)snprintf(absolute, sizeof absolute, "%s", t->folder);
    }
    if (mib >= 0.0 && mib < ROOM) {
        check_say(out, CHECK_WARNING, "make room, or choose another output with -o",
                  "%.0f MiB free in %.140s (%s), expected %.0f or more", mib, absolute, kind, ROOM);
    }
    if (lock_problem(t->path, text, sizeof text) != NULL) {
        check_say(out, CHECK_WARNING,
                  "export HDF5_USE_FILE_LOCKING=FALSE for what reads the result (h5py, xarray), or choose a folder on "
                  "another file "
                  "system with -o; Pollard itself does without locks",
                  "files cannot be locked in %.100s (%s): %.100s", absolute, kind, text);
    }
    check_say(out, CHECK_OK, "", "%.120s (%s), %.1f GiB free; a trial file was written, replaced, read, locked",
              absolute, kind, mib / 1024.0);
}

static status run(const doctor *d, check *out)
{
    trial t;
    if (d->rank != 0) {
        return STATUS_OK;
    }
    t.folder = path_folder(d->arena, d->output);
    if (t.folder == NULL || strlen(d->output) + 64 >= sizeof t.path) {
        check_say(out, CHECK_FAILED, elsewhere, "the path of the result is too long: %.60s...", d->output);
        return STATUS_OK;
    }
    (void)snprintf(t.path, sizeof t.path, "%s.doctor.%ld", d->output, (long)getpid());
    t.made = existing_part(t.folder);
    const status st = fill(d, &t);
    if (status_ok(st)) {
        look(&t, out);
    } else {
        check_say(out, CHECK_FAILED, elsewhere, "%s", status_message());
        status_clear();
    }
    (void)unlink(t.path);
    remove_made(&t);
    return STATUS_OK;
}

const check_def check_output = {"output", "folder of the result: files, space, locks, kind of file system",
                                ST_CANT_WRITE, run};
