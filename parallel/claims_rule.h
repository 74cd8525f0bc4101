#ifndef PARALLEL_CLAIMS_RULE_H
#define PARALLEL_CLAIMS_RULE_H
/* How much is dealt out at a time: what parallel/claims.c does, and what is simulated of it (pipeline/scale.h). No MPI here. */
#include <stdbool.h>
#include <stdint.h>

/* What one node gets at a time of the `left` units: its share of half of them, and at least one. */
static inline uint64_t claims_portion(uint64_t left, uint64_t ranks_there, uint64_t ranks)
{
    const uint64_t n = left * ranks_there / (2 * ranks);
    return n == 0 ? 1 : n;
}

/* Is a node's stock so low that more is asked for? As long as it keeps each rank busy once more. */
static inline bool claims_is_low(uint64_t in_stock, uint64_t ranks_there)
{
    return in_stock <= ranks_there;
}

#endif
