#include "pipeline/search_settings.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/text.h"
#include "io/config_schema.h"
#include "io/config_search.h"
#include "nn/op.h"
#include "pruning/aggregate.h"

static const char *const group_names[SEARCH_GROUPS] = {"low", "mid", "high", "fc"};
static const depth_group groups[SEARCH_GROUPS] = {GROUP_LOW, GROUP_MID, GROUP_HIGH, GROUP_FC};

/* Dimensions: the groups', these two, and what is continuous. */
enum { ABSOLUTE = SEARCH_GROUPS, SOFTMAX, MOST_DIMENSIONS = SEARCH_GROUPS + 2 + 3 * SEARCH_GROUPS };

/* The rule that a group's choice stands for. */
static const char *rule_of(const config_search *o, size_t group, size_t choice)
{
    return search_preset()->fields[group].choices[o->rule[group][choice]];
}

static bool has_attention(const graph *g)
{
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (strcmp(g->nodes[id].op->name, "attention") == 0) {
            return true;
        }
    }
    return false;
}

typedef struct draft {
    space_dimension dimension[MOST_DIMENSIONS];
    const char *choices[MOST_DIMENSIONS];
    size_t n;
} draft;

/* A choice among n words. */
static status add_choice(arena *a, draft *d, const char *name, size_t n, const char *(*word)(const void *of, size_t i), const void *of)
{
    const char *words = "";
    for (size_t i = 0; i < n; i++) {
        TRY_TEXT(words, a, "%s%s%s", words, i == 0 ? "" : ",", word(of, i));
    }
    d->choices[d->n] = words;
    d->dimension[d->n++] = (space_dimension){.name = name, .kind = SPACE_CATEGORICAL, .n_choices = n, .parent = SPACE_ALWAYS};
    return STATUS_OK;
}

typedef struct group_of {
    const config_search *o;
    size_t group;
} group_of;

static const char *rule_word(const void *of, size_t i)
{
    const group_of *g = of;
    return rule_of(g->o, g->group, i);
}

static const char *absolute_word(const void *of, size_t i)
{
    return aggregate_absolutes[((const config_search *)of)->absolute[i]];
}

static const char *softmax_word(const void *of, size_t i)
{
    return softmax_rule_names[((const config_search *)of)->softmax[i]];
}

static const field *field_of(const char *rule, const char *parameter)
{
    const rule_def *r = rule_find(rule);
    assert(r != NULL);
    const size_t i = field_index(r->n_fields, r->fields, parameter);
    assert(i < r->n_fields);
    return &r->fields[i];
}

/* A parameter of a group's rule, where one of its choices is that rule; on the scale that the rule's own table has for it. */
static status add_value(arena *a, draft *d, const config_search *o, size_t group, const char *rule, const char *parameter, const double range[2])
{
    const field *f = field_of(rule, parameter);
    uint64_t when = 0;
    const char *name;
    for (size_t i = 0; i < o->n_rules[group]; i++) {
        when |= (uint64_t)(strcmp(rule_of(o, group, i), rule) == 0) << i;
    }
    if (when == 0) {
        return STATUS_OK;
    }
    TRY_TEXT(name, a, "%s.%s", group_names[group], parameter);
    d->choices[d->n] = "";
    d->dimension[d->n++] = (space_dimension){.name = name, .kind = SPACE_CONTINUOUS, .min = range[0], .max = range[1],
                                             .scale = f->scale, .parent = (int)group, .when = when};
    return STATUS_OK;
}

status settings_open(arena *a, const config_search *o, const study_model *m, settings_space *out)
{
    draft d = {.n = 0};
    const char **choices;
    *out = (settings_space){.options = o, .softmax = has_attention(m->graph)};
    for (size_t g = 0; g < SEARCH_GROUPS; g++) {
        const group_of of = {o, g};
        TRY(add_choice(a, &d, group_names[g], o->n_rules[g], rule_word, &of));
    }
    TRY(add_choice(a, &d, "absolute", o->n_absolute, absolute_word, o));
    if (out->softmax) {
        TRY(add_choice(a, &d, "softmax", o->n_softmax, softmax_word, o));
    }
    for (size_t g = 0; g < SEARCH_GROUPS && o->continuous; g++) {
        TRY(add_value(a, &d, o, g, "gamma", "gamma", g + 1 < SEARCH_GROUPS ? o->gamma : o->gamma_fc));
        TRY(add_value(a, &d, o, g, "alpha-beta", "alpha", o->alpha));
        TRY(add_value(a, &d, o, g, "epsilon", "epsilon", o->epsilon));
    }
    TRY_ALLOC(choices, a, d.n);
    memcpy(choices, d.choices, d.n * sizeof *choices);
    out->choices = choices;
    return space_build(a, d.n, d.dimension, &out->space);
}

size_t settings_walked(const settings_space *s, size_t dimension[SEARCH_GROUPS + 1])
{
    size_t n = 0;
    if (s->softmax) {
        dimension[n++] = SOFTMAX;
    }
    for (size_t g = SEARCH_GROUPS; g-- > 0;) {
        dimension[n++] = g;
    }
    return n;
}

/* A value of the point, or the rule's own. */
static double value_of(const settings_space *s, const double point[], size_t group, const char *parameter, double absent)
{
    for (size_t i = 0; i < s->space.n; i++) {
        const char *name = s->space.dimension[i].name;
        const size_t n = strlen(group_names[group]);
        if (strncmp(name, group_names[group], n) == 0 && name[n] == '.' && strcmp(name + n + 1, parameter) == 0 && !isnan(point[i])) {
            return point[i];
        }
    }
    return absent;
}

/* What the preset four-groups takes for a rule that has the parameter. */
static double default_of(const rule_def *rule, size_t which)
{
    const preset_def *p = search_preset();
    for (size_t i = SEARCH_GROUPS; i < p->n_fields; i++) {
        if (strcmp(p->fields[i].name, rule->fields[which].name) == 0) {
            return p->fields[i].def;
        }
    }
    return rule_is_stabilised(rule) && which == rule->epsilon_field ? (double)NAN : rule->fields[which].def;
}

static void fill_entry(const settings_space *s, const double point[], size_t group, composite_entry *out)
{
    const rule_def *rule = rule_find(rule_of(s->options, group, (size_t)point[group]));
    assert(rule != NULL);
    *out = (composite_entry){.group = groups[group], .rule = rule};
    for (size_t i = 0; i < rule->n_fields; i++) {
        out->parameters[i] = value_of(s, point, group, rule->fields[i].name, default_of(rule, i));
    }
}

static void set_parameter(config_criterion *c, const char *name, double value)
{
    for (size_t i = 0; i < c->method->n_fields; i++) {
        c->parameters[i] = strcmp(c->method->fields[i].name, name) == 0 ? value : c->parameters[i];
    }
}

status settings_criterion(arena *a, const settings_space *s, const double point[], const char *name, config_criterion *out)
{
    composite_entry *entries;
    composite *list;
    *out = (config_criterion){.name = name, .method = criterion_find("lrp")};
    TRY_ALLOC(entries, a, SEARCH_GROUPS + 1);
    TRY_ALLOC(list, a, 1);
    for (size_t g = 0; g < SEARCH_GROUPS; g++) {
        fill_entry(s, point, g, &entries[g]);
    }
    const rule_def *rest = rule_find("epsilon"); /* reaches what is in no depth group, as in the preset */
    assert(rest != NULL && out->method != NULL);
    entries[SEARCH_GROUPS] = (composite_entry){.rule = rest};
    for (size_t i = 0; i < rest->n_fields; i++) {
        entries[SEARCH_GROUPS].parameters[i] = default_of(rest, i);
    }
    *list = (composite){.name = name, .n = SEARCH_GROUPS + 1, .entries = entries};
    out->composite = list;
    for (size_t i = 0; i < out->method->n_fields; i++) {
        out->parameters[i] = out->method->fields[i].def;
    }
    set_parameter(out, "audit", 0.0);
    set_parameter(out, "absolute", (double)s->options->absolute[(size_t)point[ABSOLUTE]]);
    if (s->softmax) {
        set_parameter(out, "softmax", (double)s->options->softmax[(size_t)point[SOFTMAX]]);
    }
    return STATUS_OK;
}

/* ---- as text ---- */

static status entry_text(arena *a, const composite_entry *e, const char **out)
{
    const char *t = "{";
    if (e->group != GROUP_NONE) {
        TRY_TEXT(t, a, "%sgroup: %s, ", t, depth_group_name(e->group));
    }
    TRY_TEXT(t, a, "%srule: %s", t, e->rule->name);
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        const setting s = {.field = e->rule->fields[i]};
        if (!isnan(e->parameters[i])) {
            TRY_TEXT(t, a, "%s, %s: %s", t, e->rule->fields[i].name, value_text(&s, e->parameters[i]).text);
        }
    }
    TRY_TEXT(*out, a, "%s}", t);
    return STATUS_OK;
}

static status text_without(arena *a, const config_criterion *c, const char *without, const char **out)
{
    const char *t = "", *one = NULL;
    for (size_t i = 0; i < c->composite->n; i++) {
        TRY(entry_text(a, &c->composite->entries[i], &one));
        TRY_TEXT(t, a, "%s%s%s", t, i == 0 ? "" : ", ", one);
    }
    TRY_TEXT(t, a, "method: %s, composite: [%s]", c->method->name, t);
    for (size_t i = 0; i < c->method->n_fields; i++) {
        const setting s = {.field = c->method->fields[i]};
        if (strcmp(s.field.name, without) != 0) {
            TRY_TEXT(t, a, "%s, %s: %s", t, s.field.name, value_text(&s, c->parameters[i]).text);
        }
    }
    *out = t;
    return STATUS_OK;
}

status settings_text(arena *a, const config_criterion *c, const char **out)
{
    const char *t;
    TRY(text_without(a, c, "", &t));
    TRY_TEXT(*out, a, "{name: %s, %s}", c->name, t);
    return STATUS_OK;
}

status settings_scoring(arena *a, const config_criterion *c, const char **out)
{
    return text_without(a, c, "", out);
}

status settings_scoring_in_tree(arena *a, const config_criterion *c, const char **out)
{
    return text_without(a, c, "absolute", out);
}
