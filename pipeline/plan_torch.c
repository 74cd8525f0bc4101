/* `sampling: torch`: the reference program's draws (docs/attribution.md, section i). After torch.manual_seed(seed) one generator gives
 * randperm(classes), of which the first are the task's, and then, class by class in the drawn order, randperm(images of the class), of
 * which the first are explained; a class with fewer images than are wanted gives all of them without a draw. For a stated subset the
 * permutation of the classes is drawn all the same, then the images class by class in the stated order: a subset that states the classes
 * that a seed would draw, in their order, has the images that they would have. */
#include <string.h>

#include "core/mt19937.h"
#include "pipeline/plan.h"

/* The classes in the drawn order. The generator is where the images begin. */
static status draw_order(arena *scratch, const dataset *d, const study_task *t, mt19937 *g, size_t **order)
{
    TRY_ALLOC(*order, scratch, d->n_classes);
    mt19937_seed(g, (uint32_t)t->seed);
    mt19937_permutation(g, d->n_classes, *order);
    return STATUS_OK;
}

status plan_torch_classes(arena *scratch, const dataset *d, const study_task *t, uint32_t classes[])
{
    mt19937 g;
    size_t *order = NULL;
    TRY(draw_order(scratch, d, t, &g, &order));
    for (size_t i = 0; i < t->n_classes; i++) {
        classes[i] = (uint32_t)order[i];
    }
    return STATUS_OK;
}

status plan_torch_references(arena *scratch, const dataset *d, const study_task *t, size_t per_class, size_t *n,
                             size_t sample[])
{
    mt19937 g;
    size_t *order = NULL, *images;
    TRY(draw_order(scratch, d, t, &g, &order));
    for (size_t i = 0; i < t->n_classes && t->stated != NULL; i++) {
        order[i] = t->stated[i];
    }
    TRY_ALLOC(images, scratch, d->n_samples);
    *n = 0;
    for (size_t i = 0; i < t->n_classes; i++) {
        const size_t first = d->class_first[order[i]], all = d->class_first[order[i] + 1] - first;
        const size_t wanted = all < per_class ? all : per_class;
        if (all >= per_class) {
            mt19937_permutation(&g, all, images);
        }
        for (size_t k = 0; k < wanted; k++) {
            sample[(*n)++] = first + (all >= per_class ? images[k] : k);
        }
    }
    return STATUS_OK;
}
