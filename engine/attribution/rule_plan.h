#ifndef ATTRIBUTION_RULE_PLAN_H
#define ATTRIBUTION_RULE_PLAN_H
/* What a rule made ready for a layer consists of; internal to rule_build.c (builds it) and rule_driver.c (runs it). */
#include "attribution/rule_driver.h"
#include "attribution/rule_flat.h"
#include "attribution/rule_signed.h"

/* The products of one term: forward with its share of the bias, and transposed. NULL: it has none. */
typedef struct term_products {
    const product *forward, *adjoint;
} term_products;

typedef struct group_plan {
    const float
        *constant; /* [out] of one sample: what terms that depend on no sample give to the denominator; NULL: nothing */
    bool varies;   /* other terms give something too */
    term_products term[MAX_RULE_TERMS];
} group_plan;

/* Scratch arrays of one call: where they lie in `work`. */
typedef struct rule_scratch {
    size_t quotient, denominator, input, relevance, op, total;
} rule_scratch;

typedef enum rule_path {
    PATH_GRADIENT, /* W' R */
    PATH_OUTPUT, /* one group of one term (x, W, b): the denominator is the layer's output, and no forward operator is run */
    PATH_SIGNED, /* a table of the signed form */
    PATH_FLAT,   /* one term with equal weights */
    PATH_TERMS   /* any table, term by term */
} rule_path;

struct rule_plan {
    rule_path path;
    rule_terms terms;
    bool whole;
    float epsilon;
    size_t batch, n_in, n_out; /* floats of a sample as stored */
    size_t floats;
    rule_scratch scratch;
    const float *low, *high;           /* [in] of one sample; NULL: no term asks for it */
    group_plan group[MAX_RULE_GROUPS]; /* PATH_GRADIENT, PATH_OUTPUT: the adjoint of the first term of the first */
    signed_plan signs;                 /* PATH_SIGNED */
    flat_plan flat;                    /* PATH_FLAT */
};

#endif
