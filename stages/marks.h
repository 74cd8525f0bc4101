#ifndef STAGES_MARKS_H
#define STAGES_MARKS_H
/* Which image files an item was computed from, so that a resumed run notices when they are others now. */
#include "stages/batch.h"

typedef struct noted_mark {
    file_mark mark;
    int64_t seconds, nanoseconds; /* when the file was last changed, as its file system says */
} noted_mark;

/* Local. Of the samples that were just read; mark [n_samples of d]. */
void marks_note(const dataset *d, size_t n, const size_t sample[], const file_mark mark[], noted_mark out[]);
/* Local. A file of the same size and time counts as unchanged; of another time, its content decides. `scratch` is reset. Errors: ST_DATA
 * naming the file; ST_NO_INPUT. */
MUST_CHECK status marks_check(arena *scratch, const dataset *d, size_t n, const size_t sample[], const noted_mark noted[]);
/* Local. Into mark [n_samples of d]. */
void marks_take(size_t n, const size_t sample[], const noted_mark noted[], file_mark mark[]);

#endif
