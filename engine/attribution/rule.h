#ifndef ATTRIBUTION_RULE_H
#define ATTRIBUTION_RULE_H
/* The family of LRP rules: one file each in attribution/rules/, listed in rules.def. A rule for convolutions and linear layers is a table of
 * terms run by one driver (attribution/rule_driver.c); docs/attribution.md, section c. Per group of terms, with x the layer's input,
 * z its output, W and b its weights and bias:
 *
 *   D = sum_terms sign (input(x) * weights(W) + bias(b))      s = [gate on z] R_out / st(D)
 *   R_in += coef sum_terms sign input(x) . (weights(W)' s)    with `flat`: without the factor input(x)
 *
 * where D is exactly 0 and there is no stabiliser, s is 0. The fields are the rule's parameters. */
#include <stdbool.h>

#include "core/field.h"
#include "core/status.h"

/* What is convolved: the input, a part of it, or something that does not depend on the sample. */
typedef enum rule_input {
    INPUT_ALL,      /* x */
    INPUT_POSITIVE, /* max(x, 0) */
    INPUT_NEGATIVE, /* min(x, 0) */
    INPUT_ONE,      /* 1 */
    INPUT_LOW,      /* the least value that an input may have; rule_terms says which */
    INPUT_HIGH      /* the greatest */
} rule_input;

/* all v + positive max(v,0) + negative min(v,0) + square v^2 + one, of weights or of a bias; {0} for no bias. */
typedef struct rule_map {
    double all, positive, negative, square, one;
} rule_map;

typedef struct rule_term {
    rule_input input;
    rule_map weights, bias;
    bool minus; /* sign -1 */
    bool flat;
} rule_term;

typedef enum rule_gate { GATE_NONE, GATE_POSITIVE, GATE_NEGATIVE } rule_gate; /* all, z > 0, z < 0 */

enum { MAX_RULE_TERMS = 4, MAX_RULE_GROUPS = 2, MAX_RULE_PARAMETERS = 8 };

typedef struct rule_group { /* terms that share a denominator */
    double coef;            /* 0: left out */
    rule_gate gate;
    size_t n_terms;
    rule_term term[MAX_RULE_TERMS];
} rule_group;

typedef struct rule_terms {
    size_t n_groups;
    rule_group group[MAX_RULE_GROUPS];
    double low, high; /* of INPUT_LOW and INPUT_HIGH */
    bool
        of_pixels; /* low and high are those of a pixel in [0,1], before the network's mean and standard deviation are taken */
} rule_terms;

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
    const field *fields;
    size_t n_fields;
    rule_terms (*terms)(const double parameters[]); /* RULE_TERMS */
    bool conserves; /* without bias and stabiliser the relevance of a layer's inputs sums to that of its output */
    size_t epsilon_field;                           /* RULE_TERMS: which parameter is the stabiliser of st(.) */
} rule_def;

extern const rule_def *const rule_table[];
extern const size_t rule_count;
const rule_def *rule_find(const char *name); /* NULL if unknown */

/* Whether R_in is computed itself and not its quotient by x: where a term does not end with a factor x. RULE_TERMS only. */
bool rule_is_whole(const rule_def *rule, const double parameters[]);
/* docs/attribution.md, section d, "Projection bias quirk": the bias enters the terms of negative inputs too. */
void rule_spread_bias(rule_terms *t);

/* The normalisation of the images, x = (pixel - mean) / std per channel, for bounds that are stated in pixels. */
typedef struct rule_pixels {
    size_t n_channels; /* 0: not known */
    const float *mean, *std;
} rule_pixels;

bool rule_map_is_zero(const rule_map *m);

#endif
