#include "attribution/composite.h"

#include <fnmatch.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static bool same_shape(shape a, shape b)
{
    return a.rank == b.rank && memcmp(a.dim, b.dim, a.rank * sizeof a.dim[0]) == 0;
}

bool composite_takes_rule(const node *n)
{
    return n->op->product != NULL;
}

bool rule_is_stabilised(const rule_def *rule)
{
    return rule->epsilon_field < rule->n_fields;
}

/* The first and the last convolution or linear layer, in the order of the graph. */
typedef struct ends {
    node_id first, last;
} ends;

static ends find_ends(const graph *g)
{
    ends e = {SIZE_MAX, SIZE_MAX};
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (composite_takes_rule(&g->nodes[id])) {
            e.first = e.first == SIZE_MAX ? id : e.first;
            e.last = id;
        }
    }
    return e;
}

static bool reaches(const char *type, const op_def *op)
{
    return type == NULL ? op->product != NULL : fnmatch(type, op->name, 0) == 0;
}

static bool matches(const composite_entry *e, const graph *g, node_id id, ends at)
{
    const node *n = &g->nodes[id];
    const bool place = e->place == PLACE_ANY || id == (e->place == PLACE_FIRST ? at.first : at.last);
    return reaches(e->type, n->op) && place && (e->name_pattern == NULL || fnmatch(e->name_pattern, n->name, 0) == 0) &&
           (e->group == GROUP_NONE || e->group == n->group);
}

/* As far as the type of a layer tells: the pass rule also wants an input of the output's shape. */
static bool type_is_for(const rule_def *rule, const op_def *op)
{
    switch (rule->kind) {
    case RULE_TERMS:
        return op->product != NULL;
    case RULE_PASS:
        return op->n_in == 1;
    case RULE_OWN:
        return op->relevance_name != NULL && strcmp(op->relevance_name, rule->name) == 0;
    default:
        return op->product != NULL || op->gradient_way != RELEVANCE_NONE;
    }
}

static bool is_for(const rule_def *rule, const graph *g, const node *n)
{
    const bool shaped = rule->kind != RULE_PASS || n->op->way == RELEVANCE_PASSES || same_shape(n->out, g->nodes[n->in[0]].out);
    return type_is_for(rule, n->op) && shaped;
}

bool composite_type_exists(const char *type)
{
    bool any = false;
    for (size_t i = 0; i < op_count; i++) {
        any = any || (op_table[i]->n_in > 0 && reaches(type, op_table[i])); /* the input is no layer */
    }
    return any;
}

bool composite_type_takes(const char *type, const rule_def *rule)
{
    bool any = false;
    for (size_t i = 0; i < op_count; i++) {
        any = any || (reaches(type, op_table[i]) && type_is_for(rule, op_table[i]));
    }
    return any;
}

static status choose(const composite *c, const graph *g, node_id id, ends at, const composite_entry **out)
{
    const node *n = &g->nodes[id];
    for (size_t i = 0; i < c->n && *out == NULL; i++) {
        *out = matches(&c->entries[i], g, id, at) ? &c->entries[i] : NULL;
    }
    const char *before = c->name != NULL ? "criterion '" : "", *name = c->name != NULL ? c->name : "",
               *behind = c->name != NULL ? "': " : "";
    if (*out == NULL && composite_takes_rule(n)) {
        return FAIL(ST_CONFIG,
                    "%s%s%sthe composite has no rule for layer '%s' (%s, depth group %s): none of its %zu entries "
                    "matches; add one, or an entry without conditions at the end",
                    before, name, behind, n->name, n->op->name, depth_group_name(n->group), c->n);
    }
    if (*out != NULL && !is_for((*out)->rule, g, n)) {
        return FAIL(ST_CONFIG, "%s%s%sthe composite gives layer '%s' (%s) the rule '%s', which is not for such layers", before,
                    name, behind, n->name, n->op->name, (*out)->rule->name);
    }
    return STATUS_OK;
}

status composite_resolve(arena *a, const composite *c, const graph *g, const composite_entry *const **out)
{
    const composite_entry **of;
    const ends at = find_ends(g);
    TRY_ALLOC(of, a, g->n_nodes);
    for (node_id id = 1; id < g->n_nodes; id++) { /* the input is no layer */
        if (!g->nodes[id].inserted) {
            TRY(choose(c, g, id, at, &of[id]));
        }
    }
    *out = of;
    return STATUS_OK;
}

status composite_matches(arena *a, const composite *c, const graph *g, const size_t **out)
{
    size_t *n;
    const ends at = find_ends(g);
    TRY_ALLOC(n, a, c->n);
    for (node_id id = 1; id < g->n_nodes; id++) {
        for (size_t i = 0; i < c->n; i++) {
            n[i] += !g->nodes[id].inserted && matches(&c->entries[i], g, id, at);
        }
    }
    *out = n;
    return STATUS_OK;
}

status composite_complete(arena *a, const composite *stated, const composite *settings, const composite **out)
{
    composite_entry *entries;
    composite *c;
    TRY_ALLOC(entries, a, stated->n);
    TRY_ALLOC(c, a, 1);
    for (size_t i = 0; i < stated->n; i++) {
        const rule_def *rule = stated->entries[i].rule;
        entries[i] = stated->entries[i];
        if (rule_is_stabilised(rule) && isnan(entries[i].parameters[rule->epsilon_field])) {
            entries[i].parameters[rule->epsilon_field] = settings->epsilon;
        }
    }
    *c = *settings;
    c->name = stated->name;
    c->n = stated->n;
    c->entries = entries;
    *out = c;
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
