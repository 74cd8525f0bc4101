/* Which classes, reference images and evaluation images the tasks of a study have. All draws of ours are counter-based: a seed draws the same
 * classes and images whatever else the study contains; a smaller subset is the beginning of a larger one. */
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "pipeline/plan.h"

static int compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int compare_size(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static size_t class_size(const dataset *d, size_t class)
{
    return d->class_first[class + 1] - d->class_first[class];
}

static status state_classes(arena *a, arena *scratch, const study *s, const config_subset *subset, study_task *t)
{
    uint32_t *stated;
    TRY_ALLOC(stated, a, t->n_classes);
    TRY(plan_subset(scratch, s->reference_data, subset, stated));
    t->stated = stated;
    return STATUS_OK;
}

static status draw_classes(arena *a, arena *scratch, const study *s, study_task *t)
{
    const size_t n = s->reference_data->n_classes;
    size_t *pool, *drawn;
    uint32_t *classes;
    TRY_ALLOC(pool, scratch, n);
    TRY_ALLOC(drawn, scratch, t->n_classes);
    TRY_ALLOC(classes, a, t->n_classes);
    if (t->stated != NULL) {
        memcpy(classes, t->stated, t->n_classes * sizeof classes[0]);
    } else if (s->config->sampling == SAMPLING_TORCH) {
        TRY(plan_torch_classes(scratch, s->reference_data, t, classes));
    } else {
        rng_subset(t->seed, RNG_CLASSES, 0, n, t->n_classes, pool, drawn);
        for (size_t i = 0; i < t->n_classes; i++) {
            classes[i] = (uint32_t)drawn[i];
        }
    }
    qsort(classes, t->n_classes, sizeof classes[0], compare_u32);
    t->classes = classes;
    return STATUS_OK;
}

size_t plan_tuning_count(const study *s, size_t class)
{
    return (size_t)((double)class_size(s->evaluation_data, class) * s->config->search.split + 0.5);
}

/* Of n images in the order of their draw: where the share first..end begins or ends. */
static size_t share_at(size_t n, const study_share *share, size_t at)
{
    return (n * at + share->of - 1) / share->of;
}

/* Which images of a class a search judges by: in_part [class_size()] true for those of the study's part. The same for all studies, tasks and seeds. */
static status choose_part(arena *scratch, const study *s, size_t class, bool *in_part, size_t *count)
{
    const dataset *d = s->evaluation_data;
    const size_t n = class_size(d, class), tuning = plan_tuning_count(s, class);
    size_t *pool, *chosen;
    for (size_t k = 0; k < n; k++) {
        in_part[k] = s->part != PART_TUNING;
    }
    *count = n;
    if (s->part == PART_ALL) {
        return STATUS_OK;
    }
    if (tuning < 1 || tuning >= n) {
        return FAIL(ST_CONFIG, "%s: search.split: expected some images of class '%s' in %s on either side, found %zu of %zu on the one of the search",
                    s->config->path, d->class_name[class], d->root, tuning, n);
    }
    TRY_ALLOC(pool, scratch, n);
    TRY_ALLOC(chosen, scratch, tuning);
    rng_subset(0, RNG_SPLIT, (uint32_t)class, n, tuning, pool, chosen);
    const bool all = s->share.of == 0;
    const size_t first = all ? 0 : share_at(tuning, &s->share, s->share.first), end = all ? tuning : share_at(tuning, &s->share, s->share.end);
    for (size_t k = 0; k < tuning; k++) {
        in_part[chosen[k]] = s->part == PART_TUNING && k >= first && k < end;
    }
    *count = s->part == PART_TUNING ? end - first : n - tuning;
    return STATUS_OK;
}

static status evaluation_build(arena *a, arena *scratch, const study *s, const study_task *t, study_evaluation *out)
{
    const dataset *d = s->evaluation_data;
    size_t n = 0;
    size_t *sample;
    uint64_t *total;
    for (size_t i = 0; i < t->n_classes; i++) {
        n += class_size(d, t->classes[i]);
    }
    TRY_ALLOC(sample, a, n); /* all, though a part may be fewer */
    TRY_ALLOC(total, a, t->n_classes);
    *out = (study_evaluation){.n_classes = t->n_classes, .classes = t->classes, .samples = {0, sample}, .class_total = total};
    for (size_t i = 0; i < t->n_classes; i++) {
        const size_t class = t->classes[i];
        size_t count = 0;
        bool *in_part;
        TRY_ALLOC(in_part, scratch, class_size(d, class));
        TRY(choose_part(scratch, s, class, in_part, &count));
        total[i] = count;
        for (size_t k = 0; k < class_size(d, class); k++) {
            if (in_part[k]) {
                sample[out->samples.n++] = d->class_first[class] + k;
            }
        }
    }
    return STATUS_OK;
}

static size_t find_evaluation(const study_evaluation *list, size_t n, const study_task *t)
{
    size_t i = 0;
    while (i < n && (list[i].n_classes != t->n_classes ||
                     memcmp(list[i].classes, t->classes, t->n_classes * sizeof t->classes[0]) != 0)) {
        i++;
    }
    return i;
}

static status draw_tasks(arena *a, arena *scratch, study *s)
{
    const config *cfg = s->config;
    study_task *tasks;
    study_evaluation *evaluations;
    const size_t n_drawn = cfg->n_tasks - cfg->n_subsets;
    s->n_tasks = cfg->n_tasks * cfg->n_seeds;
    TRY_ALLOC(tasks, a, s->n_tasks);
    TRY_ALLOC(evaluations, a, s->n_tasks);
    for (size_t i = 0; i < s->n_tasks; i++) {
        study_task *t = &tasks[i];
        t->subset = i / cfg->n_seeds;
        t->n_classes = cfg->task_classes[t->subset];
        t->seed = cfg->seeds[i % cfg->n_seeds];
        arena_reset(scratch);
        if (t->subset >= n_drawn) {
            TRY(state_classes(a, scratch, s, &cfg->subsets[t->subset - n_drawn], t));
        }
        TRY(draw_classes(a, scratch, s, t));
        t->evaluation = find_evaluation(evaluations, s->n_evaluations, t);
        if (t->evaluation == s->n_evaluations) {
            TRY(evaluation_build(a, scratch, s, t, &evaluations[s->n_evaluations]));
            evaluations[s->n_evaluations].number = s->n_evaluations;
            s->n_evaluations++;
        }
    }
    s->tasks = tasks;
    s->evaluations = evaluations;
    return STATUS_OK;
}

/* The images of a class depend on (seed, class) alone, so tasks of one seed share them. */
static status draw_images(arena *scratch, const study *s, const study_reference *r, size_t *sample)
{
    const dataset *d = s->reference_data;
    const study_task *t = &s->tasks[r->task];
    for (size_t i = 0; i < t->n_classes; i++) {
        const size_t class = t->classes[i], n = class_size(d, class);
        size_t *pool;
        if (n < r->per_class) {
            return FAIL(ST_CONFIG, "%s: tasks.references: expected at most %zu, the number of images of class '%s' in %s, found %zu",
                        s->config->path, n, d->class_name[class], d->root, r->per_class);
        }
        arena_reset(scratch);
        TRY_ALLOC(pool, scratch, n);
        rng_subset(t->seed, RNG_REFERENCES, (uint32_t)class, n, r->per_class, pool, sample);
        for (size_t k = 0; k < r->per_class; k++) {
            *sample++ += d->class_first[class];
        }
    }
    return STATUS_OK;
}

static status draw_reference(arena *a, arena *scratch, const study *s, study_reference *r)
{
    size_t *sample;
    const study_task *t = &s->tasks[r->task];
    r->samples.n = t->n_classes * r->per_class;
    TRY_ALLOC(sample, a, r->samples.n);
    r->samples.sample = sample;
    if (s->config->sampling == SAMPLING_TORCH) {
        arena_reset(scratch);
        TRY(plan_torch_references(scratch, s->reference_data, t, r->per_class, &r->samples.n, sample));
    } else {
        TRY(draw_images(scratch, s, r, sample));
    }
    qsort(sample, r->samples.n, sizeof sample[0], compare_size);
    return STATUS_OK;
}

static status draw_references(arena *a, arena *scratch, study *s)
{
    const config *cfg = s->config;
    study_reference *references;
    s->n_references = s->n_tasks * cfg->n_references;
    TRY_ALLOC(references, a, s->n_references);
    for (size_t i = 0; i < s->n_references; i++) {
        references[i].task = i / cfg->n_references;
        references[i].per_class = cfg->references[i % cfg->n_references];
        TRY(draw_reference(a, scratch, s, &references[i]));
    }
    s->references = references;
    return STATUS_OK;
}

status plan_samples(arena *a, arena *scratch, study *s)
{
    for (size_t i = 0; i < s->config->n_tasks - s->config->n_subsets; i++) {
        if (s->config->task_classes[i] > s->reference_data->n_classes) {
            return FAIL(ST_CONFIG, "%s: tasks.classes: expected at most %zu, the number of classes in %s, found %zu", s->config->path,
                        s->reference_data->n_classes, s->reference_data->root, s->config->task_classes[i]);
        }
    }
    TRY(draw_tasks(a, scratch, s));
    TRY(draw_references(a, scratch, s));
    return plan_explained(a, s);
}
