#ifndef PRUNING_RANKING_H
#define PRUNING_RANKING_H
/* From scores to nested masks: one permutation and one count per rate (docs/attribution.md, section h). */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

/* How many of n components go at a rate: truncation of the double product, the rate parsed from its decimal text. */
size_t ranking_count(size_t n, double rate);

/* order [n]: component indices, first to be removed first: ascending score, ties by ascending index. Scores must not be NaN (ST_DATA). */
MUST_CHECK status ranking_build(arena *scratch, size_t n, const double score[], uint32_t order[]);

/* removed_at [n]: index of the first rate at which a component is gone, n_rates = never. Rates ascend. */
void ranking_removed_at(size_t n, const uint32_t order[], size_t n_rates, const double rate[], uint16_t removed_at[]);

/* alive [n] at one rate: 1 = kept. */
void ranking_alive(size_t n, const uint32_t order[], size_t count, uint8_t alive[]);

#endif
