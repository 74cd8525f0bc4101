#ifndef ATTRIBUTION_PRODUCT_POOL_H
#define ATTRIBUTION_PRODUCT_POOL_H
/* Products that rules of one layer have in common, where many rules are made ready for it: a pass over the same weights is planned and packed
 * once. Of the rules epsilon, z-plus, alpha-beta and gamma the first one's transpose is part of the last two on inputs of any sign, and
 * the last three have one forward product. */
#include "attribution/rule_driver.h"

/* Of one backend and micro-batch, for layers of one graph. Lives in `a`. */
MUST_CHECK status product_pool_open(arena *a, size_t n_nodes, product_pool **out);
product_pool *product_pool_of(product_pool *all, size_t id); /* what is asked for at node `id` */

/* A product of the layer's own weights, and bias where the pass has one: from l->pool, or made in `a`, and then what `load` takes from `a` is
 * added to *floats. It stays where it is. load false: sizes only. */
MUST_CHECK status product_pool_take(arena *a, const rule_layer *l, conv_pass pass, bool load, size_t *floats, const product **out);

#endif
