#ifndef ATTRIBUTION_COMPOSITE_H
#define ATTRIBUTION_COMPOSITE_H
/* A composite maps rules to layers: a list of entries, the first that matches wins. Data, so that a config or the optimiser
 * can write one. */
#include "attribution/rule.h"
#include "nn/graph.h"
#include "nn/op.h"

typedef struct composite_entry {
    const char *name_pattern;  /* shell pattern over node names, NULL = any */
    const char *type;          /* op name, NULL = any */
    depth_group group;         /* GROUP_NONE = any */
    const rule_def *rule;
    double parameters[MAX_RULE_PARAMETERS]; /* in the order of rule->fields */
} composite_entry;

typedef struct composite {
    size_t n;
    const composite_entry *entries;
    double epsilon;     /* stabiliser of layers with a rule of their own (norm, layer norm, attention products) */
    int softmax_rule;   /* index into softmax_rule_names */
} composite;

/* Linear layers take a rule; the others have one of their own or none is needed. */
bool composite_takes_rule(const node *n);

/* The rule of every node: *out [n_nodes], NULL for layers with a rule of their own. Errors: ST_CONFIG where a linear layer has
 * none. */
MUST_CHECK status composite_resolve(arena *a, const composite *c, const graph *g, const composite_entry *const **out);

/* LRP-epsilon everywhere, the softmax included (docs/attribution.md, section d, step 7). */
MUST_CHECK status composite_epsilon(arena *a, double epsilon, const composite **out);

#endif
