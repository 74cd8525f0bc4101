#ifndef PIPELINE_RULE_TEXT_H
#define PIPELINE_RULE_TEXT_H
/* A layer's relevance rule in words, with all parameters that its numbers depend on: "epsilon (epsilon=1e-06)", "norm (epsilon=1e-06)",
 * "winner", "attention (epsilon=1e-06, softmax=epsilon)", "pass instead of norm". */
#include "attribution/composite.h"

/* given: what the composite resolves to for the node; NULL: the layer's own rule. Lives in `a`; NULL when memory is gone. */
const char *rule_text(arena *a, const composite *c, const composite_entry *given, const node *n);

#endif
