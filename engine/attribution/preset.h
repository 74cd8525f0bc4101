#ifndef ATTRIBUTION_PRESET_H
#define ATTRIBUTION_PRESET_H
/* Composites with a name. The table in preset.c is the only statement of them: study files, --help and the documentation follow from
 * it. A new one is one entry there. */
#include "attribution/composite.h"

/* One parameter of an entry's rule: that of the preset named `from`, or where that is NULL a fixed value. */
typedef struct preset_value {
    const char *parameter, *from;
    double fixed;
} preset_value;

/* As composite_entry. What `values` does not set keeps the rule's default; a stabiliser is then the criterion's. */
typedef struct preset_entry {
    const char *type;
    depth_group group;
    composite_place place;
    const char *rule, *chosen; /* the rule's name, or where that is NULL the preset's parameter that chooses one */
    const preset_value *values; /* of a rule that is chosen: those that it has */
    size_t n_values;
} preset_entry;

typedef struct preset_def {
    const char *name, *help, *source;
    const field *fields; /* the preset's own parameters */
    size_t n_fields;
    const preset_entry *entries;
    size_t n_entries;
} preset_def;

extern const preset_def preset_table[];
extern const size_t preset_count;
const preset_def *preset_find(const char *name); /* NULL if unknown */

enum { MAX_PRESET_PARAMETERS = 8 };

/* The preset's list of entries, yet to be completed (composite_complete). parameters: in the order of the fields; name: composite.name. */
MUST_CHECK status preset_build(arena *a, const preset_def *p, const double parameters[], const char *name, const composite **out);

#endif
