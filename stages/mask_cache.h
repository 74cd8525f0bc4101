#ifndef STAGES_MASK_CACHE_H
#define STAGES_MASK_CACHE_H
/* Counts of pruned networks that were evaluated before, by the mask's digest: a search comes to the same mask by many ways. The same on all ranks. */
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

typedef struct mask_cache_entry {
    uint32_t model, evaluation;
    uint8_t digest[16];
    const int64_t *counters; /* of the unpruned network its predictions are behind them (stages/counters.h) */
} mask_cache_entry;

typedef struct mask_cache {
    arena *arena; /* of everything in it */
    size_t n, n_sorted, room;
    mask_cache_entry *entry; /* [n] the first n_sorted by key */
} mask_cache;

/* NULL: not there. */
const int64_t *mask_cache_find(const mask_cache *c, size_t model, size_t evaluation, const uint8_t digest[16]);
/* Copies counters [n_counters]; found once mask_cache_sort() was called. */
MUST_CHECK status mask_cache_add(mask_cache *c, size_t model, size_t evaluation, const uint8_t digest[16], size_t n_counters, const int64_t counters[]);
void mask_cache_sort(mask_cache *c);

#endif
