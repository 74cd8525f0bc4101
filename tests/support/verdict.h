#ifndef SUPPORT_VERDICT_H
#define SUPPORT_VERDICT_H
/* The verdict on a sample of which all logits are at hand. */
#include "pruning/curve.h"

static inline verdict verdict_of(size_t n_logits, const float logits[], size_t n, const uint32_t classes[], uint32_t label)
{
    float selected[1024];
    for (size_t i = 0; i < n && i < sizeof selected / sizeof selected[0]; i++) {
        selected[i] = logits[classes[i]];
    }
    return curve_verdict(n_logits, n, classes, selected, label);
}

#endif
