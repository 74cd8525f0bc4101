#include "attribution/rule.h"

#include <string.h>

#define RULE(name) extern const rule_def rule_##name;
#include "attribution/rules/rules.def"
#undef RULE

#define RULE(name) &rule_##name,
const rule_def *const rule_table[] = {
#include "attribution/rules/rules.def"
};
#undef RULE
const size_t rule_count = COUNT(rule_table);

const rule_def *rule_find(const char *name)
{
    for (size_t i = 0; i < rule_count; i++) {
        if (strcmp(rule_table[i]->name, name) == 0) {
            return rule_table[i];
        }
    }
    return NULL;
}

bool rule_is_whole(const rule_def *rule, const double parameters[])
{
    const rule_terms t = rule->terms(parameters);
    bool whole = false;
    for (size_t g = 0; g < t.n_groups; g++) {
        for (size_t k = 0; k < t.group[g].n_terms; k++) {
            const rule_term *term = &t.group[g].term[k];
            whole = whole || term->flat || term->input >= INPUT_ONE;
        }
    }
    return whole;
}

bool rule_map_is_zero(const rule_map *m)
{
    return m->all == 0.0 && m->positive == 0.0 && m->negative == 0.0 && m->square == 0.0 && m->one == 0.0;
}

void rule_spread_bias(rule_terms *t)
{
    for (size_t g = 0; g < t->n_groups; g++) {
        for (size_t k = 0; k < t->group[g].n_terms; k++) {
            rule_term *term = &t->group[g].term[k];
            if (term->input == INPUT_NEGATIVE) {
                term->bias = term->weights;
            }
        }
    }
}
