#ifndef PIPELINE_WATCH_H
#define PIPELINE_WATCH_H
/* What a run says of itself in the journal, for `pollard status`: one frame a run (ITEM_RUN), written by rank 0. */
#include "pipeline/resume.h"
#include "stages/stage.h"

enum { RUN_NOTE_LAYOUT = 1, RUN_NOTE_FIELDS = 5 };

/* Then n_rates doubles, and for each cell its texts, each with a zero behind it: model, kind, classes, criterion, references. Cells with equal
 * texts differ by their seed. */
typedef struct run_note {
    uint32_t layout, ranks, task, n_tasks; /* of an array, counted from 0 */
    double started;                        /* seconds of the epoch */
    uint64_t rows, whole, pruned;          /* items that there are; pruned: at most */
    uint32_t prediction, n_rates, n_cells, n_models, text;
    uint32_t more; /* 1: heatmaps or a search, whose items are not among those */
    char study[64], host[64], job[32];
} run_note;

/* rows, whole and pruned alone, as far as the study says. */
void watch_count(const study *s, run_note *n);

/* Local, on rank 0. */
MUST_CHECK status watch_note(arena *a, const study *s, resume *r);

#endif
