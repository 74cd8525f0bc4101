#include "attribution/composite.h"

#include <fnmatch.h>
#include <string.h>

static bool matches(const composite_entry *e, const node *n)
{
    return (e->name_pattern == NULL || fnmatch(e->name_pattern, n->name, 0) == 0) &&
           (e->type == NULL || strcmp(e->type, n->op->name) == 0) && (e->group == GROUP_NONE || e->group == n->group);
}

static const composite_entry *first_match(const composite *c, const node *n)
{
    for (size_t i = 0; i < c->n; i++) {
        if (matches(&c->entries[i], n)) {
            return &c->entries[i];
        }
    }
    return NULL;
}

bool composite_takes_rule(const node *n)
{
    return n->op->product != NULL;
}

status composite_resolve(arena *a, const composite *c, const graph *g, const composite_entry *const **out)
{
    const composite_entry **of;
    TRY_ALLOC(of, a, g->n_nodes);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        if (!composite_takes_rule(n)) {
            continue;
        }
        of[id] = first_match(c, n);
        if (of[id] == NULL) {
            return FAIL(ST_CONFIG,
                        "the composite has no rule for layer '%s' (%s, depth group %s): none of its %zu entries "
                        "matches; add one, or an entry without conditions at the end",
                        n->name, n->op->name, depth_group_name(n->group), c->n);
        }
    }
    *out = of;
    return STATUS_OK;
}

static status softmax_rule_find(const char *name, int *out)
{
    for (int i = 0; softmax_rule_names[i] != NULL; i++) {
        if (strcmp(softmax_rule_names[i], name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    return FAIL(ST_BUG, "the softmax rule '%s' is missing from the table", name);
}

status composite_epsilon(arena *a, double epsilon, const composite **out)
{
    composite_entry *everywhere;
    composite *c;
    TRY_ALLOC(everywhere, a, 1);
    TRY_ALLOC(c, a, 1);
    everywhere->rule = rule_find("epsilon");
    if (everywhere->rule == NULL) {
        return FAIL(ST_BUG, "the rule 'epsilon' is missing from the table");
    }
    everywhere->parameters[everywhere->rule->epsilon_field] = epsilon;
    *c = (composite){.n = 1, .entries = everywhere, .epsilon = epsilon};
    TRY(softmax_rule_find("epsilon", &c->softmax_rule));
    *out = c;
    return STATUS_OK;
}
