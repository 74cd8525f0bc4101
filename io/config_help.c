#include "io/config.h"
#include "io/config_schema.h"

enum { KEY_COLUMN = 18 };

/* key, kind and default on one line, the meaning below it. */
static void print_setting(FILE *to, const setting *s, int level)
{
    (void)fprintf(to, "%*s%-*s  %s", 2 * level, "", KEY_COLUMN - 2 * level, s->field.name, setting_form(s).text);
    if (s->field.required) {
        (void)fprintf(to, "; required");
    } else if (s->absent != NULL) {
        (void)fprintf(to, "; default: %s", s->absent);
    } else if (s->field.kind == FIELD_BOOL) {
        (void)fprintf(to, "; default: %s", s->field.def != 0.0 ? "true" : "false");
    } else if (s->field.kind == FIELD_CHOICE) {
        (void)fprintf(to, "; default: %s", setting_choice(s, (size_t)s->field.def));
    } else if (s->field.kind == FIELD_LIST) {
        (void)fprintf(to, "; default: [%s]", number_text(s->field.def).text);
    } else {
        (void)fprintf(to, "; default: %s", number_text(s->field.def).text);
    }
    (void)fprintf(to, "\n%*s%s\n", KEY_COLUMN + 2, "", s->field.help);
}

static void print_section(FILE *to, const section *s, int level)
{
    for (size_t i = 0; i < s->n; i++) {
        print_setting(to, &s->settings[i], level);
        if (s->settings[i].section != NULL) {
            print_section(to, s->settings[i].section, level + 1);
        }
    }
}

/* A member of a family, "rule: gamma", before its own keys. */
static void print_member(FILE *to, const char *key, const char *name, const char *help, const char *source)
{
    (void)fprintf(to, "\n%s: %s\n  %s%s%s%s\n", key, name, help, source != NULL ? " (" : "", source != NULL ? source : "",
                  source != NULL ? ")" : "");
}

static void print_fields(FILE *to, size_t n, const field fields[])
{
    for (size_t i = 0; i < n; i++) {
        const setting s = {.field = fields[i]};
        print_setting(to, &s, 1);
    }
}

void config_print_help(FILE *to)
{
    (void)fprintf(to,
                  "Keys of a study file (YAML). Paths are relative to the study file unless it is said otherwise. A name has\n"
                  "at most %d letters, digits, _ - and ., and begins with a letter, a digit or _. Lists are written [a, b].\n\n",
                  MOST_NAME);
    print_section(to, &study_section, 0);
    for (size_t m = 0; m < criterion_count; m++) {
        const criterion_def *method = criterion_table[m];
        print_member(to, criterion_section.settings[CRITERION_METHOD].field.name, method->name, method->help, NULL);
        print_fields(to, method->n_fields, method->fields);
        if (method->takes_composite) {
            print_setting(to, &composite_setting, 1);
            print_section(to, composite_setting.section, 2);
        }
    }
    config_print_rules(to);
}

void config_print_rules(FILE *to)
{
    for (size_t i = 0; i < rule_count; i++) {
        const rule_def *rule = rule_table[i];
        print_member(to, entry_section.settings[ENTRY_RULE].field.name, rule->name, rule->help, NULL);
        for (size_t k = 0; k < rule->n_fields; k++) {
            const bool stabiliser = rule_is_stabilised(rule) && k == rule->epsilon_field;
            const setting s = {.field = rule->fields[k], .absent = stabiliser ? "the criterion's" : NULL};
            print_setting(to, &s, 1);
        }
    }
    for (size_t i = 0; i < preset_count; i++) {
        const preset_def *preset = &preset_table[i];
        print_member(to, preset_section.settings[PRESET_NAME].field.name, preset->name, preset->help, preset->source);
        print_fields(to, preset->n_fields, preset->fields);
    }
}
