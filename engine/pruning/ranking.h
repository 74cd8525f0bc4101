#ifndef PRUNING_RANKING_H
#define PRUNING_RANKING_H
/* From scores to nested masks: one permutation and one count per rate (docs/attribution.md, section h). */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"

typedef enum ranking_order { RANKING_LEAST_FIRST, RANKING_MOST_FIRST, RANKING_ORDERS } ranking_order;
typedef enum ranking_scope { RANKING_GLOBAL, RANKING_LAYER, RANKING_SCOPES } ranking_scope;
/* As studies and results call them; NULL at the end. */
extern const char *const ranking_order_names[RANKING_ORDERS + 1], *const ranking_scope_names[RANKING_SCOPES + 1];

typedef struct ranking_options {
    ranking_order order; /* which end of the scores goes first */
    ranking_scope scope; /* all layers together, or each by itself */
    double floor;        /* in [0, 1), global scope: the share of a layer that stays as long as anything else can go */
} ranking_options;

/* What is ranked: the components of one kind, layer after layer. */
typedef struct ranking_layers {
    size_t n, n_layers;
    const size_t *size; /* [n_layers], n together */
} ranking_layers;

/* How many of n components go at a rate: truncation of the double product, the rate parsed from its decimal text. */
size_t ranking_count(size_t n, double rate);
/* The same under a scope: with RANKING_LAYER the sum of the layers' own counts. */
size_t ranking_removed(const ranking_options *o, const ranking_layers *l, double rate);

/* How many components of a layer of n the floor protects: n x floor, rounded up; products within 1e-9 of an integer are that integer. */
size_t ranking_floor(size_t n, double floor);

/* order [n]: component indices, first to be removed first: ascending score, ties by ascending index. Scores must not be NaN (ST_DATA). */
MUST_CHECK status ranking_build(arena *scratch, size_t n, const double score[], uint32_t order[]);

/* The same under options: at every rate in [0, 1) the first ranking_removed() of `order` are what is removed.
 *   most-first   descending score, ties by ascending index
 *   floor        first what no floor protects, then what one does; each in the order above. A layer's protected components are the last
 *                ranking_floor() of its own order, so the floor holds at every rate that removes no more than is unprotected.
 *   layer        ascending by the smallest rate at which the component's layer removes it, ties by ascending index; does not depend on
 *                the rates of a study. No floor: every layer loses the same share anyway. */
MUST_CHECK status ranking_build_by(arena *scratch, const ranking_options *o, const ranking_layers *l,
                                   const double score[], uint32_t order[]);

/* removed_at [n]: index of the first rate at which a component is gone, n_rates = never. count [n_rates] ascends. */
void ranking_removed_at(size_t n, const uint32_t order[], size_t n_rates, const size_t count[], uint16_t removed_at[]);

#endif
