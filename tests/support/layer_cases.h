#ifndef SUPPORT_LAYER_CASES_H
#define SUPPORT_LAYER_CASES_H
/* Layers that the laws of the family are tested on, at least one of each type of the table (tests/unit/test_ops.c sees to that). */
#include "support/layer.h"

#define SHAPE1(a)                                                                                                      \
    {                                                                                                                  \
        .rank = 1, .dim = { a }                                                                                        \
    }
#define SHAPE2(a, b)                                                                                                   \
    {                                                                                                                  \
        .rank = 2, .dim = { a, b }                                                                                     \
    }
#define SHAPE3(a, b, c)                                                                                                \
    {                                                                                                                  \
        .rank = 3, .dim = { a, b, c }                                                                                  \
    }

extern const layer_spec layer_cases[];
extern const size_t layer_case_count;

/* Attributes that tests of a single type use too. */
extern const attention_attr layer_three_heads;
extern const token_row_attr layer_third_row;
extern const layernorm_attr layer_norm_attr;

#endif
