#ifndef ATTRIBUTION_TREE_SUMS_H
#define ATTRIBUTION_TREE_SUMS_H
/* Which forward products of the rules a tree keeps from branch to branch; internal to tree*.c. */
#include "attribution/tree_grow.h"

/* Forward products of one layer that are kept: rules with the same key have them in common (rule_driver.h). The first step that
 * needs them finds them. */
typedef struct kept_sums {
    buffer_id buffer;
    size_t first; /* step */
} kept_sums;

typedef struct tree_sums {
    size_t n;
    kept_sums *kept;
    size_t bytes; /* of all that are kept, did they live at the same time */
} tree_sums;

/* Of sums that several steps need, those that save the most multiply-adds per byte are kept, as long as all of them together take no more
 * than `most_bytes`; the steps are told, and their buffers join those of `p`, alive from the first step that needs them to the last. Rules
 * must be there. */
MUST_CHECK status tree_sums_choose(arena *a, const graph *g, size_t most_bytes, tree_program *p, tree_sums *out);

#endif
