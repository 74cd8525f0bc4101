#ifndef ATTRIBUTION_RULE_H
#define ATTRIBUTION_RULE_H
/* The family of LRP rules for convolution and linear layers: one file each in attribution/rules/, listed in rules.def.
 * A rule is a table of terms run by one driver (attribution/rule_driver.c); docs/attribution.md, section c. Per group
 * of terms:
 *
 *   D = sum_terms (part(x) * part(w) + part(b))   s = R_out / st(D)   R_in += coef sum_terms part(x) . (part(w)' s)
 *
 * where D is exactly 0 (epsilon = 0 only), s is 0. The fields are the rule's parameters. */
#include <stdbool.h>

#include "core/field.h"
#include "core/status.h"

typedef enum rule_part {
    PART_ALL,      /* x, w, b */
    PART_POSITIVE, /* max(., 0) */
    PART_NEGATIVE, /* min(., 0) */
    PART_NONE      /* no bias; not for x and w */
} rule_part;

typedef struct rule_term {
    rule_part input, weights, bias;
} rule_term;

typedef struct rule_group { /* terms that share a denominator */
    double coef;
    const rule_term *terms;
    size_t n_terms;
} rule_group;

/* What a rule is made of, and so which layers it is for. */
typedef enum rule_kind {
    RULE_TERMS,    /* a table of terms: convolutions and linear layers */
    RULE_PASS,     /* R_in = R_out: layers of one input, whose output has its shape */
    RULE_OWN,      /* what layers with a rule of their own call by this name (op_def.relevance_name) */
    RULE_GRADIENT, /* R_in = J' R_out with the layer's derivative J: every layer that has one */
} rule_kind;

typedef struct rule_def {
    const char *name, *help;
    rule_kind kind;
    bool whole; /* RULE_TERMS: ends without the factor x, so that R_in is the relevance itself and not its quotient by x */
    const field *fields;
    size_t n_fields;
    const rule_group *groups;
    size_t n_groups;
    size_t epsilon_field; /* which parameter is the stabiliser of st(.) */
} rule_def;

extern const rule_def *const rule_table[];
extern const size_t rule_count;
const rule_def *rule_find(const char *name); /* NULL if unknown */

enum { MAX_RULE_PARAMETERS = 8 };

#endif
