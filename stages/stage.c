#include "stages/stage.h"

#include <string.h>

#define STAGE(name) extern const stage_def stage_##name;
#include "stages/stages.def"
#undef STAGE

#define STAGE(name) &stage_##name,
const stage_def *const stage_table[] = {
#include "stages/stages.def"
};
#undef STAGE
const size_t stage_count = COUNT(stage_table);

double stage_part(const stage_ctx *c)
{
    const size_t jobs = c->items == NULL ? 1 : c->items->n_tasks;
    return 1.0 / ((double)c->comm->size * (double)jobs);
}

const stage_def *stage_find(const char *name)
{
    for (size_t i = 0; i < stage_count; i++) {
        if (strcmp(stage_table[i]->name, name) == 0) {
            return stage_table[i];
        }
    }
    return NULL;
}
