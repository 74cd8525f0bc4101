#include "pruning/criterion.h"

#include <string.h>

#include "attribution/walk_audit.h"

#define CRITERION(name) extern const criterion_def criterion_##name;
#include "pruning/criteria/criteria.def"
#undef CRITERION

#define CRITERION(name) &criterion_##name,
const criterion_def *const criterion_table[] = {
#include "pruning/criteria/criteria.def"
};
#undef CRITERION
const size_t criterion_count = COUNT(criterion_table);

const criterion_def *criterion_find(const char *name)
{
    for (size_t i = 0; i < criterion_count; i++) {
        if (strcmp(criterion_table[i]->name, name) == 0) {
            return criterion_table[i];
        }
    }
    return NULL;
}

size_t criterion_row(const criterion_def *c, const criterion_setup *s)
{
    return c->n_moments * s->graph->n_components + (c->n_extra == NULL ? 0 : c->n_extra(s));
}

size_t criterion_score_moment(const criterion_def *c, const criterion_setup *s)
{
    return c->score_moment == NULL ? NO_MOMENT : c->score_moment(s);
}

size_t criterion_audit(const criterion_def *c, const criterion_setup *s)
{
    return criterion_row(c, s) - s->graph->n_nodes * AUDIT_SUMS;
}

size_t criterion_passes(const criterion_def *c, const criterion_setup *s)
{
    return c->passes == NULL ? 1 : c->passes(s);
}

status criterion_check(const criterion_def *c, const criterion_setup *s)
{
    return c->check == NULL ? STATUS_OK : c->check(s);
}
