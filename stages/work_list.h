#ifndef STAGES_WORK_LIST_H
#define STAGES_WORK_LIST_H
/* A list of items (stages/items.h) as numbers: what it costs to work it off, told without doing it. Stages describe their lists while the plan
 * tries them, in the order in which they run them (stage_ctx.noted); pipeline/scale.h works them off on other numbers of ranks. Seconds are those of a processor. */
#include "core/arena.h"

/* Items that follow each other in a list and are alike. */
typedef struct work_part {
    size_t n;
    size_t n_kinds;        /* item i takes seconds[i % n_kinds], and reads the images that all items of the same i / n_kinds read */
    const double *seconds; /* [n_kinds] */
    double read_seconds;   /* for these images */
    size_t ticks;          /* so often does an item look whether there is something to answer, its end included; at least 1 */
} work_part;

typedef struct work_list {
    const char *stage;
    size_t n_parts;
    const work_part *part; /* [n_parts] */
    size_t stretch;        /* of item_list */
    size_t payload;        /* bytes that an item notes */
    size_t summed;         /* bytes that are added up over all ranks behind the list */
    double every_rank;     /* seconds of what every rank does for itself, beside the items */
} work_list;

/* What trials note. */
typedef struct work_notes {
    arena *arena;
    size_t n, room;
    work_list *list; /* [n] */
} work_notes;

/* *list and what it points to lie in notes->arena. Errors: ST_ENVIRONMENT. */
MUST_CHECK status work_note(work_notes *notes, const work_list *list);

#endif
