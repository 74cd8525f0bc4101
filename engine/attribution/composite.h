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
    double parameters[MAX_RULE_PARAMETERS]; /* in the order of rule->fields; a stabiliser may be NAN in a list that is not complete yet */
} composite_entry;

typedef struct composite {
    const char *name;   /* of the criterion that states it, for messages; NULL: none */
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

/* Whether the rule has a stabiliser among its parameters: fields[epsilon_field]. */
bool rule_is_stabilised(const rule_def *rule);

/* What is known before there is a network: whether `type` (as in an entry, NULL too) means any layer type, and any that can have the
 * rule. */
bool composite_type_exists(const char *type);
bool composite_type_takes(const char *type, const rule_def *rule);

/* A stated list becomes a composite: it gets all but name and entries from `settings`, and settings->epsilon as the stabiliser of every entry
 * that states none (NAN). The texts of the entries are borrowed. */
MUST_CHECK status composite_complete(arena *a, const composite *stated, const composite *settings, const composite **out);

/* The entry of every node: *out [n_nodes], NULL for layers that keep the rule of their own, as all do that a graph pass
 * put in. Errors: ST_CONFIG where a convolution or linear layer has none, or an entry's rule is not for the layer that it matches. */
MUST_CHECK status composite_resolve(arena *a, const composite *c, const graph *g, const composite_entry *const **out);

/* How many nodes each entry matches, those too that an entry before it decides: *out [c->n]. */
MUST_CHECK status composite_matches(arena *a, const composite *c, const graph *g, const size_t **out);

/* LRP-epsilon everywhere, the softmax included (docs/attribution.md, section d, step 7). */
MUST_CHECK status composite_epsilon(arena *a, double epsilon, const composite **out);

#endif
