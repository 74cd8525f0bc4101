#ifndef STAGES_MASKS_H
#define STAGES_MASKS_H
/* Which masks the curves of a model want. Equal ones lie next to each other, so that each is evaluated once. */
#include "stages/study.h"

/* One point of a curve wants this mask on this evaluation set. */
typedef struct mask_use {
    size_t evaluation, cell, rate;
    size_t
        unknown; /* cell + 1 where components are removed by a ranking that is not known yet: equal to no other cell's; else 0 */
    uint64_t hash;        /* of `alive`; unknown: how many components are removed */
    const uint8_t *alive; /* [n_alive] = [graph->n_components]; unknown: NULL and 0 */
    size_t n_alive;
} mask_use;

typedef struct mask_list {
    size_t n;
    mask_use *use; /* [n] by evaluation set, then by mask */
} mask_list;

/* removed_at, removed [n_cells]: as prune_output has them; removed_at NULL for a cell whose ranking is not known yet. */
MUST_CHECK status masks_collect(arena *a, const study *s, size_t model, const uint16_t *const removed_at[],
                                const size_t *const removed[], mask_list *out);
size_t masks_bytes(const study *s, size_t model); /* what masks_collect takes where all rankings are known */

/* Multiply-adds under a mask; under one that is not known yet, those of a random one. `scratch` is reset. */
MUST_CHECK status masks_macs(arena *scratch, const study *s, size_t model, const mask_use *u, const size_t *const removed[], double *out);

size_t masks_end(const mask_list *l, size_t first);     /* behind the uses that share the mask of use[first] */
size_t masks_set_begin(const mask_list *l, size_t use); /* the first use of its evaluation set */
size_t masks_set_end(const mask_list *l, size_t first); /* behind the uses that share its evaluation set */
size_t masks_distinct(const mask_list *l, size_t first, size_t end);

#endif
