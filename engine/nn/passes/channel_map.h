#ifndef NN_PASSES_CHANNEL_MAP_H
#define NN_PASSES_CHANNEL_MAP_H
/* Which channels of a whole layer a compacted one has, and in which places; and the part of a weight matrix that follows from it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

#define NO_CHANNEL UINT32_MAX /* in a place that only pads: it holds 0 */

typedef struct channel_map {
    size_t n;                /* places, at least 1 */
    const uint32_t *channel; /* [n] ascending, but for NO_CHANNEL */
    bool whole;              /* every channel is in its own place */
} channel_map;

MUST_CHECK status channel_map_whole(arena *a, size_t n, channel_map *out);
/* The kept ones of n, padded to a multiple of `unit`, at least one place. */
MUST_CHECK status channel_map_kept(arena *a, size_t n, const uint8_t kept[], size_t unit, channel_map *out);
bool channel_map_equal(const channel_map *a, const channel_map *b);

/* Of a matrix [., all_columns, taps]: rows and columns of NO_CHANNEL are 0. */
typedef struct weight_cut {
    channel_map row, column;
    size_t all_columns, taps;
} weight_cut;

/* to [row.n, column.n, taps]; vector [row.n] of a vector of as many as there are rows. */
void weight_cut_matrix(const weight_cut *c, const float *all, float *to);
void weight_cut_vector(const weight_cut *c, const float *all, float *to);

#endif
