#include "pruning/derived.h"

/* Gradient x activation (docs/attribution.md, section g):  sum over positions of a dy/da  at the component's own output: a filter before its ReLU,
 * a neuron before its GELU, a head's attention. It is input x gradient (Shrikumar et al., 2016) with the component as the input. */
static const field fields[] = {DERIVED_FIELD_TABLE(ABSOLUTE_TOKEN, START_ONE)};

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.measure = MEASURE_ACTIVATION;
    return p;
}

DERIVED_HOOKS(path_of);

const criterion_def criterion_gradient_activation = {
    .name = "gradient-activation",
    .help = "derivative of a class's logit by the component times the component, summed over its positions",
    .fields = fields,
    .n_fields = COUNT(fields),
    DERIVED_PATH_MEMBERS,
};
