#include "pruning/derived.h"

/* Sensitivity (docs/attribution.md, section g; Simonyan, Vedaldi and Zisserman, 2014, for inputs):  sum over positions of dy/da. */
static const field fields[] = {DERIVED_FIELD_TABLE(ABSOLUTE_TOKEN, START_ONE)};

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.measure = MEASURE_ONE;
    return p;
}

DERIVED_HOOKS(path_of);

const criterion_def criterion_gradient = {
    .name = "gradient",
    .help = "derivative of a class's logit by the component, summed over its positions",
    .fields = fields,
    .n_fields = COUNT(fields),
    DERIVED_PATH_MEMBERS,
};
