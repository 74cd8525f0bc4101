#ifndef ATTRIBUTION_COMPOSITE_H
#define ATTRIBUTION_COMPOSITE_H
/* A composite maps rules to layers: a list of entries, the first that matches wins. Data, so that a config or the optimiser
 * can write one. Convolutions and linear layers need a rule. Other layers have one of their own (norm, pass, winner ...), which an entry
 * overrides only where it names their type. */
#include "attribution/rule.h"
#include "nn/graph.h"
#include "nn/op.h"

typedef enum composite_place { PLACE_ANY, PLACE_FIRST, PLACE_LAST } composite_place; /* among convolutions and linear layers */

typedef struct composite_entry {
    const char *name_pattern;  /* shell pattern over node names, NULL = any */
    const char *type;          /* shell pattern over op names, NULL = convolutions and linear layers */
    depth_group group;         /* GROUP_NONE = any */
    composite_place place;
    const rule_def *rule;
    double parameters[MAX_RULE_PARAMETERS]; /* in the order of rule->fields */
} composite_entry;

typedef struct composite {
    size_t n;
    const composite_entry *entries;
    double epsilon;     /* stabiliser of layers with a rule of their own (norm, layer norm, attention products) */
    int softmax_rule;   /* index into softmax_rule_names */
    bool proj_bias;     /* q, k, v and output projections: their bias enters every term of a rule, as in the paper's program
                           (docs/attribution.md, section d, "Projection bias quirk"); false: as in every other layer */
    rule_pixels pixels; /* how the images were normalised, for rules with bounds in pixels (z-box) */
} composite;

/* Convolutions and linear layers take a rule; the others have one of their own or none is needed. */
bool composite_takes_rule(const node *n);

/* The entry of every node: *out [n_nodes], NULL for layers that keep the rule of their own, as all do that a graph pass
 * put in. Errors: ST_CONFIG where a convolution or linear layer has none, or an entry's rule is not for the layer that it matches. */
MUST_CHECK status composite_resolve(arena *a, const composite *c, const graph *g, const composite_entry *const **out);

/* LRP-epsilon everywhere, the softmax included (docs/attribution.md, section d, step 7). */
MUST_CHECK status composite_epsilon(arena *a, double epsilon, const composite **out);

#endif
