#ifndef CORE_FIELD_H
#define CORE_FIELD_H
/* A parameter's only statement: parsing, range checks, --help and the search range of the optimiser come from it.
 * A rule, criterion or config section has an array of fields; its values are an array of doubles in the same order
 * (FIELD_TEXT and lists live only in config sections, whose typed structs the config reader fills). */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef enum field_kind {
    FIELD_REAL,
    FIELD_COUNT, /* a non-negative integer */
    FIELD_BOOL,
    FIELD_CHOICE, /* value = index into `choices` */
    FIELD_TEXT,
    FIELD_PATH, /* relative to the config file */
    FIELD_LIST, /* what the elements are is the section's business */
    FIELD_SECTION
} field_kind;

typedef enum field_scale { SCALE_LINEAR, SCALE_LOG } field_scale;

typedef struct field {
    const char *name;
    field_kind kind;
    double def, min, max; /* inclusive range; FIELD_CHOICE: def is an index */
    field_scale scale;
    const char *const *choices; /* FIELD_CHOICE: NULL-terminated */
    bool required;
    const char *help; /* one line, with the unit where there is one */
} field;

/* Which of n fields has the name; n: none. */
static inline size_t field_index(size_t n, const field fields[], const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(fields[i].name, name) != 0) {
        i++;
    }
    return i;
}

#endif
