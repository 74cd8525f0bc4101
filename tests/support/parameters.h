#ifndef SUPPORT_PARAMETERS_H
#define SUPPORT_PARAMETERS_H
/* Criteria and their parameters by name, as a study states them; unknown names and words fail the test. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pruning/criterion.h"

static inline void parameters_default(const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS])
{
    assert_non_null(c);
    assert_true(c->n_fields <= MAX_CRITERION_PARAMETERS);
    for (size_t i = 0; i < c->n_fields; i++) {
        parameters[i] = c->fields[i].def;
    }
}

static inline bool parameters_have(const criterion_def *c, const char *name)
{
    size_t i = 0;
    while (i < c->n_fields && strcmp(c->fields[i].name, name) != 0) {
        i++;
    }
    return i < c->n_fields;
}

/* "steps", "20" or "form", "latent" */
static inline void parameters_set(const criterion_def *c, const char *name, const char *value,
                                  double parameters[MAX_CRITERION_PARAMETERS])
{
    size_t i = 0, k = 0;
    while (i < c->n_fields && strcmp(c->fields[i].name, name) != 0) {
        i++;
    }
    if (i == c->n_fields) {
        fail_msg("%s has no parameter %s", c->name, name);
    }
    const field *f = &c->fields[i];
    if (f->kind != FIELD_CHOICE) {
        parameters[i] = f->kind == FIELD_BOOL ? (double)(strcmp(value, "true") == 0) : strtod(value, NULL);
        assert_true(parameters[i] >= f->min && parameters[i] <= f->max);
        return;
    }
    while (f->choices[k] != NULL && strcmp(f->choices[k], value) != 0) {
        k++;
    }
    if (f->choices[k] == NULL) {
        fail_msg("%s: %s cannot be %s", c->name, name, value);
    }
    parameters[i] = (double)k;
}

/* "form=latent steps=20 points=left" over the defaults. */
static inline void parameters_read(const criterion_def *c, const char *text,
                                   double parameters[MAX_CRITERION_PARAMETERS])
{
    char copy[512], *rest = copy, *word;
    parameters_default(c, parameters);
    assert_true(strlen(text) < sizeof copy);
    (void)strcpy(copy, text);
    while ((word = strtok_r(rest, " ", &rest)) != NULL) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        parameters_set(c, word, value, parameters);
    }
}

#endif
