#include "stages/work_list.h"

#include <string.h>

status work_note(work_notes *notes, const work_list *list)
{
    if (notes->n == notes->room) {
        const size_t room = notes->room == 0 ? 16 : 2 * notes->room;
        work_list *more;
        TRY_ALLOC(more, notes->arena, room);
        if (notes->n > 0) {
            memcpy(more, notes->list, notes->n * sizeof *more);
        }
        notes->list = more;
        notes->room = room;
    }
    notes->list[notes->n++] = *list;
    return STATUS_OK;
}
