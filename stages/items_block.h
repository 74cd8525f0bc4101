#ifndef STAGES_ITEMS_BLOCK_H
#define STAGES_ITEMS_BLOCK_H
/* How many items of a list are claimed together: what stages/items.c does, and what is simulated of it (pipeline/scale.h). */
#include <stddef.h>

static inline size_t items_block(size_t n_left, size_t ranks, size_t stretch)
{
    enum { BLOCKS_A_RANK = 16 }; /* that a rank claims of a list, about: the last one is what the others may wait for */
    const size_t fair = n_left / (ranks * BLOCKS_A_RANK);
    return fair < 1 ? 1 : fair > stretch ? stretch : fair;
}

#endif
