#include "stages/marks.h"

#include <string.h>

#include "io/dataset_read.h"

void marks_note(const dataset *d, size_t n, const size_t sample[], const file_mark mark[], noted_mark out[])
{
    dataset_stamp now;
    for (size_t i = 0; i < n; i++) {
        out[i] = (noted_mark){.mark = mark[sample[i]]};
        if (dataset_look(d, sample[i], &now)) {
            out[i].seconds = now.seconds;
            out[i].nanoseconds = now.nanoseconds;
        }
    }
}

/* The size tells only of files that hold one image. */
static bool is_unchanged(const dataset *d, const dataset_stamp *now, const noted_mark *then)
{
    return (d->kind != DATASET_FILES || now->bytes == then->mark.bytes) && now->seconds == then->seconds &&
           now->nanoseconds == then->nanoseconds;
}

status marks_check(arena *scratch, const dataset *d, size_t n, const size_t sample[], const noted_mark noted[])
{
    for (size_t i = 0; i < n; i++) {
        dataset_stamp now;
        dataset_image found;
        if (dataset_look(d, sample[i], &now) && is_unchanged(d, &now, &noted[i])) {
            continue;
        }
        arena_reset(scratch);
        TRY(dataset_read(scratch, d, sample[i], &found));
        if (memcmp(found.sha256, noted[i].mark.sha256, sizeof found.sha256) != 0) {
            return FAIL(ST_DATA,
                        "%s: the image was changed since finished work of this run has used it: expected %ju bytes as they were, found %ju; "
                        "put the old file back, or begin anew with --fresh",
                        found.name, (uintmax_t)noted[i].mark.bytes, (uintmax_t)found.original);
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
