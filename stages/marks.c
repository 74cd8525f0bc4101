#include "stages/marks.h"

#include <string.h>
#include <sys/stat.h>

#include "io/sha256.h"

enum { PATH_BYTES = 8192 };

/* false: no such file, or a name that no file can have. */
static bool look(const dataset *d, size_t sample, char path[PATH_BYTES], struct stat *out)
{
    return snprintf(path, PATH_BYTES, "%s/%s", d->root, d->path[sample]) < PATH_BYTES && stat(path, out) == 0;
}

void marks_note(const dataset *d, size_t n, const size_t sample[], const file_mark mark[], noted_mark out[])
{
    char path[PATH_BYTES];
    struct stat info;
    for (size_t i = 0; i < n; i++) {
        out[i] = (noted_mark){.mark = mark[sample[i]]};
        if (look(d, sample[i], path, &info)) {
            out[i].seconds = (int64_t)info.st_mtim.tv_sec;
            out[i].nanoseconds = (int64_t)info.st_mtim.tv_nsec;
        }
    }
}

static bool is_unchanged(const struct stat *now, const noted_mark *then)
{
    return (uint64_t)now->st_size == then->mark.bytes && (int64_t)now->st_mtim.tv_sec == then->seconds &&
           (int64_t)now->st_mtim.tv_nsec == then->nanoseconds;
}

status marks_check(arena *scratch, const dataset *d, size_t n, const size_t sample[], const noted_mark noted[])
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        file_bytes file;
        uint8_t digest[32];
        if (look(d, sample[i], path, &info) && is_unchanged(&info, &noted[i])) {
            continue;
        }
        arena_reset(scratch);
        TRY(file_read(scratch, path, SIZE_MAX / 2, &file));
        sha256(file.data, file.size, digest);
        if (memcmp(digest, noted[i].mark.sha256, sizeof digest) != 0) {
            return FAIL(ST_DATA,
                        "%s: the image was changed since finished work of this run has used it: expected %ju bytes as they were, found %zu; "
                        "put the old file back, or begin anew with --fresh",
                        path, (uintmax_t)noted[i].mark.bytes, file.size);
        }
    }
    return STATUS_OK;
}

void marks_take(size_t n, const size_t sample[], const noted_mark noted[], file_mark mark[])
{
    for (size_t i = 0; i < n; i++) {
        mark[sample[i]] = noted[i].mark;
    }
}
