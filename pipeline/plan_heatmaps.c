/* Which images are explained before and after pruning (`heatmaps:`). Drawn by class alone: a class has the same images in every task and for
 * every seed, so that curves differ by what was pruned, and a larger number of images contains the smaller. */
#include <stdlib.h>
#include <string.h>

#include "attribution/walk.h"
#include "attribution/walk_pruned.h"
#include "core/rng.h"
#include "pipeline/plan.h"

static int compare_size(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Out of the n images of the class that count in this study: beside a search they are not those that it judges by. */
static status draw_class(arena *scratch, const study *s, size_t class, size_t n, const size_t of[], size_t each, size_t *sample)
{
    const dataset *d = s->evaluation_data;
    size_t *pool;
    if (n < each) {
        return FAIL(ST_CONFIG, "%s: heatmaps.images: expected at most %zu, the number of images of class '%s' in %s, found %zu",
                    s->config->path, n, d->class_name[class], d->root, each);
    }
    arena_reset(scratch);
    TRY_ALLOC(pool, scratch, n);
    rng_subset(0, RNG_HEATMAPS, (uint32_t)class, n, each, pool, sample);
    for (size_t i = 0; i < each; i++) {
        sample[i] = of[sample[i]];
    }
    qsort(sample, each, sizeof *sample, compare_size);
    return STATUS_OK;
}

status plan_heatmaps(arena *a, arena *scratch, study *s)
{
    const size_t each = s->config->heatmaps.images;
    study_evaluation *sets;
    if (each == 0) {
        return STATUS_OK;
    }
    TRY_ALLOC(sets, a, s->n_evaluations);
    memcpy(sets, s->evaluations, s->n_evaluations * sizeof *sets);
    for (size_t e = 0; e < s->n_evaluations; e++) {
        size_t *sample;
        TRY_ALLOC(sample, a, sets[e].n_classes * each);
        const size_t *of = sets[e].samples.sample; /* class after class */
        for (size_t k = 0; k < sets[e].n_classes; k++) {
            TRY(draw_class(scratch, s, sets[e].classes[k], sets[e].class_total[k], of, each, sample + k * each));
            of += sets[e].class_total[k];
        }
        sets[e].heatmaps = (sample_list){sets[e].n_classes * each, sample};
    }
    s->evaluations = sets;
    return STATUS_OK;
}

/* Builds nothing: a walk's needs are those of one that could be built. */
status plan_heatmaps_check(arena *scratch, const study *s)
{
    for (size_t m = 0; m < s->n_models && s->config->heatmaps.images > 0; m++) {
        const criterion_setup setup = study_heatmap_setup(s, m);
        const composite *c;
        size_t bytes;
        arena_reset(scratch);
        status st = s->config->heatmaps.explanation.method->composite(scratch, &setup, &c);
        if (status_ok(st)) {
            st = walk_needs_with(setup.graph, c, setup.backend, setup.batch, &(walk_options){.to_input = true}, &bytes);
        }
        if (status_ok(st)) {
            st = walk_pruned_check(scratch, setup.graph, c);
        }
        if (!status_ok(st)) {
            return status_about(st, "%s: heatmaps: on model '%s'", s->config->path, s->models[m].config->name);
        }
    }
    return STATUS_OK;
}
