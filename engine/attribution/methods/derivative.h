#ifndef ATTRIBUTION_METHODS_DERIVATIVE_H
#define ATTRIBUTION_METHODS_DERIVATIVE_H
/* What the gradient methods share: the walk that is a true backward pass, and measures of a component over its positions,
 *
 *   v = sum over positions (or keys) of  g m      g the derivative by the component's value a, m = 1, a, a - b ...
 *
 * for every token of a sample (docs/attribution.md, section g). A convolution has one token, all of its map; a head's values are its
 * attention A, its tokens the queries. */
#include "attribution/walk.h"

/* Every layer hands the derivative on. */
MUST_CHECK status derivative_composite(arena *a, const composite **out);

size_t component_tokens(const node *n);
/* Floats of a sample's component values as stored: the layer's output, or A. */
size_t component_floats(const graph *g, node_id id, size_t lanes);
/* The largest tokens x components of a layer, or features of heads: what one sample's values of a layer take. */
size_t component_most_values(const graph *g);

/* One sample's arrays as stored. a NULL: m = 1; b NULL: m = a; else m = a - b. Differences, products and sums are in double. */
typedef struct measured {
    const float *g, *a, *b;
} measured;

/* value [n]: sums over the map's positions. */
void measure_map(size_t n, size_t space, size_t lanes, measured m, double *value);
/* value [count]: of every element by itself. */
void measure_elements(size_t count, measured m, double *value);
/* value [tokens, n] of a layer: of heads what the walk has summed over keys, of others the measure m. */
void measure_component(const node *n, size_t lanes, const float *heads, measured m, double *value);
/* value [n] += sums over tokens of  g (a - bias)  for arrays [tokens, n]; bias [n] or NULL = 0. */
void measure_columns(size_t tokens, size_t n, measured m, const float *bias, double *value);

#endif
