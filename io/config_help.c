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

void config_print_help(FILE *to)
{
    (void)fprintf(to,
                  "Keys of a study file (YAML). Paths are relative to the study file unless it is said otherwise. A name has\n"
                  "at most %d letters, digits, _ - and ., and begins with a letter, a digit or _. Lists are written [a, b].\n\n",
                  MOST_NAME);
    print_section(to, &study_section, 0);
    for (size_t m = 0; m < criterion_count; m++) {
        const criterion_def *method = criterion_table[m];
        (void)fprintf(to, "\nmethod: %s\n  %s\n", method->name, method->help);
        for (size_t i = 0; i < method->n_fields; i++) {
            const setting s = {.field = method->fields[i]};
            print_setting(to, &s, 1);
        }
    }
}
