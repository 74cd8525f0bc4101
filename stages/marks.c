#include "stages/marks.h"

#include <string.h>

#include "io/dataset_read.h"

/* As dataset_look(); images of one shard that follow each other are of one file, which is asked once. */
static bool look(const dataset *d, const size_t sample[], size_t i, bool there, dataset_stamp *now)
{
    const bool again = i > 0 && d->kind != DATASET_FILES && dataset_shard_of(d, sample[i]) == dataset_shard_of(d, sample[i - 1]);
    return again ? there : dataset_look(d, sample[i], now);
}

void marks_note(const dataset *d, size_t n, const size_t sample[], const file_mark mark[], noted_mark out[])
{
    dataset_stamp now;
    bool there = false;
    for (size_t i = 0; i < n; i++) {
        out[i] = (noted_mark){.mark = mark[sample[i]]};
        there = look(d, sample, i, there, &now);
        if (there) {
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
    dataset_stamp now;
    bool there = false;
    for (size_t i = 0; i < n; i++) {
        dataset_image found;
        there = look(d, sample, i, there, &now);
        if (there && is_unchanged(d, &now, &noted[i])) {
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
