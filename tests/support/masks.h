#ifndef SUPPORT_MASKS_H
#define SUPPORT_MASKS_H
/* Which components are left at one rate, from the program's own account of when each of them goes. */
#include "support/support.h"

#include "pruning/ranking.h"

/* alive [n]: 1 = kept, after the first `count` of the order are removed. */
static inline void masks_alive(size_t n, const uint32_t order[], size_t count, uint8_t alive[])
{
    static uint16_t removed_at[4096];
    assert_true(n <= sizeof removed_at / sizeof removed_at[0]);
    ranking_removed_at(n, order, 1, &count, removed_at);
    for (size_t i = 0; i < n; i++) {
        alive[i] = removed_at[i] != 0;
    }
}

#endif
