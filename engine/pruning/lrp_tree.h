#ifndef PRUNING_LRP_TREE_H
#define PRUNING_LRP_TREE_H
/* Many criteria of the method lrp that differ in their rules alone, explained together (attribution/tree.h). What is summed over samples are the
 * values of the tree's nodes; a criterion's own sums are put together from them, bit for bit those that it has alone with `absolute: token`. So are
 * the scores of every `absolute` that is taken: `sum` and `never` do not read the moment AGGREGATE_ABSOLUTE, which is here always that of tokens.
 * Of the moments the square is left out: who searches does not ask for it. */
#include "attribution/tree.h"
#include "pruning/criterion.h"

typedef struct lrp_tree lrp_tree;

/* May a criterion with these parameters be one of several in a tree? Not with an audit, with normalised scores, or with absolute values
 * taken per sample. */
bool lrp_tree_takes(const criterion_def *method, const double parameters[]);

/* setups [n] of the same graph, backend and batch, which are borrowed; they agree in target and initial relevance. Errors: those of tree_build(). */
MUST_CHECK status lrp_tree_open(arena *a, size_t n, const criterion_setup setups[], lrp_tree **out);
/* What that takes. `scratch` is reset. */
typedef struct lrp_tree_need {
    size_t bytes;
    size_t row;    /* lrp_tree_row() */
    uint64_t macs; /* multiply-adds an image (tree_cost_total) */
} lrp_tree_need;
MUST_CHECK status lrp_tree_needs(arena *scratch, size_t n, const criterion_setup setups[], lrp_tree_need *out);
size_t lrp_tree_row(const lrp_tree *t); /* numbers of a sample's row: [WALK_MOMENTS, values of all nodes] */

/* rows [batch, lrp_tree_row()]. tick: between pieces of work, with `to`; NULL: nobody is told. */
void lrp_tree_rows(lrp_tree *t, const criterion_batch *b, float *rows, void (*tick)(void *to), void *to);

/* sums [lrp_tree_row()] over samples -> those of criterion `which`, [criterion_row()], the square 0. */
void lrp_tree_sums(const lrp_tree *t, size_t which, const double *sums, double *out);

#endif
