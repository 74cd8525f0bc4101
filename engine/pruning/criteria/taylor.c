#include "pruning/derived.h"

/* First-order Taylor expansion of the cost in a gate that multiplies the component (Molchanov et al., 2017; for heads Michel, Levy and
 * Neubig, 2019):  per sample  |sum over tokens and positions of a dL/da|,  which is |dL/d(gate)| at gate 1. A head's gate
 * multiplies its output O, and  sum over columns of O dL/dO = sum over keys of A dL/dA,  so its attention serves as its component here as
 * everywhere. A filter's gate may stand before or after the ReLU: the numbers are the same; a neuron's stands before its GELU. */
static const field fields[] = {DERIVED_FIELD_TABLE(ABSOLUTE_SAMPLE, START_LOSS)};

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.measure = MEASURE_ACTIVATION;
    return p;
}

DERIVED_HOOKS(path_of);

const criterion_def criterion_taylor = {
    .name = "taylor",
    .help = "first-order estimate of what removing the component changes in the loss (or in a logit)",
    .fields = fields,
    .n_fields = COUNT(fields),
    DERIVED_PATH_MEMBERS,
};
