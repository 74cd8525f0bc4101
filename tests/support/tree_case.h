#ifndef SUPPORT_TREE_CASE_H
#define SUPPORT_TREE_CASE_H
/* Trees of composites on the golden networks, compared with the composites' own walks. Everything lives in the network's `work`, or in the arena
 * that is given, and fails the running test where it does not work. */
#include "support/network.h"

#include "attribution/tree.h"

extern const char *const tree_networks[];
extern const size_t tree_network_count;
bool network_is_vit(const network *n);

enum { TREE_ENTRIES = 6, TREE_GROUPS = 4, TREE_RULES = 4, TREE_SOFTMAX_RULES = 4 };

/* A composite that is put together entry by entry. */
typedef struct tree_made {
    composite c;
    composite_entry entries[TREE_ENTRIES];
} tree_made;

tree_made *tree_make(arena *a, int softmax_rule);
composite_entry *tree_add(tree_made *m, const char *rule); /* for all layers, with the rule's defaults */
void tree_set(composite_entry *e, const char *parameter, double value);
tree_made *tree_everywhere(arena *a, const char *rule);

typedef struct tree_list_of {
    size_t n;
    const composite **of;
} tree_list_of;

tree_list_of tree_empty_list(arena *a, size_t room);
void tree_put(tree_list_of *l, const tree_made *m);
/* The paper's grid: composite i has in group g the rule of digit g of i to the base of 4, the lowest group being the lowest digit. Each of
 * `softmax_rules` times that; step: of the grid, only every so many. */
extern const char *const tree_grid_rules[TREE_RULES];
tree_list_of tree_grid(arena *a, int softmax_rules, size_t step);

/* All nodes' rows of a run. */
typedef struct tree_result {
    const tree *t;
    double *values; /* [NETWORK_BATCH, WALK_MOMENTS, tree_values()] */
    size_t calls, last;
} tree_result;

extern const walk_start tree_start;       /* from relevance 1 */
extern const tree_options tree_all_sums;
tree *tree_made_of(const network *n, const tree_list_of *l, const tree_options *o);
tree_result tree_run_from(const network *n, tree *t, const float *images, const size_t target[], const walk_start *start);

/* What the composite's own walk gives, [NETWORK_BATCH, WALK_MOMENTS, n_components]. */
const float *tree_alone(const network *n, const composite *c, const walk_start *start, unsigned without);
/* Composite i of a tree: every sample and moment, put together from its nodes. */
void assert_tree_same(const network *n, const tree_result *r, size_t i, const float *rows, const char *what);
void assert_tree_as_alone(const network *n, const tree_list_of *l, const char *what);

#endif
