/* How much a study saves because its cells share what they have in common. */
#include <string.h>

#include "pipeline/dry_run_parts.h"

static size_t stage_index(const char *name)
{
    size_t i = 0;
    while (i + 1 < stage_count && strcmp(stage_table[i]->name, name) != 0) {
        i++;
    }
    return i;
}

/* An image is explained once per network and criterion with scores of its own that has a use for it (stages/attribute.c). */
static void count_explained(const study *s, shared_work *out)
{
    for (size_t i = 0; i < s->n_models * s->config->n_criteria; i++) {
        const size_t model = i / s->config->n_criteria, criterion = i % s->config->n_criteria;
        out->once += attribute_explains(s, model, criterion) ? study_explained(s, model, criterion)->n : 0;
    }
    for (size_t i = 0; i < s->n_cells; i++) {
        const size_t reference = s->cells[i].reference;
        out->alone += reference == NO_REFERENCE ? 0 : s->references[reference].samples.n;
    }
}

static void add_stage(const dry_run_report *r, const char *name, shared_work *out)
{
    const size_t i = stage_index(name);
    const stage_forecast *f = &r->stage[i];
    out->at_most = f->at_most;
    out->passes = f->passes;
    out->passes_alone = f->unshared;
    out->hours = r->tried ? r->seconds[i] * (double)r->ranks / 3600.0 : -1.0;
    out->hours_alone = f->passes > 0 ? out->hours * (double)f->unshared / (double)f->passes : out->hours;
}

void dry_run_shared(const dry_run_report *r, shared_work out[SHARED_WORK])
{
    const stage_forecast *masks = &r->stage[stage_index("evaluate")];
    out[SHARED_EXPLAINED] = (shared_work){.what = "explained images"};
    count_explained(&r->plan->study, &out[SHARED_EXPLAINED]);
    add_stage(r, "attribute", &out[SHARED_EXPLAINED]);
    out[SHARED_EVALUATED] = (shared_work){.what = "evaluated masks", .once = masks->distinct, .alone = masks->masks};
    add_stage(r, "evaluate", &out[SHARED_EVALUATED]);
}
