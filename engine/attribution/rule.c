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
