#include "pruning/derived.h"

/* Sensitivity (docs/attribution.md, section g; Simonyan, Vedaldi and Zisserman, 2014, for inputs):  sum over positions of dy/da. */
static const field fields[] = {DERIVED_FIELD_TABLE(ABSOLUTE_TOKEN, START_ONE)};

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.measure = MEASURE_ONE;
    return p;
}

static status open_path(arena *a, const criterion_setup *s, void **state)
{
    const path_setup p = path_of(s);
    return derived_open(a, s, &p, state);
}

static status bytes(const criterion_setup *s, size_t *out)
{
    const path_setup p = path_of(s);
    return path_needs(&p, out);
}

const criterion_def criterion_gradient = {
    .name = "gradient",
    .help = "derivative of a class's logit by the component, summed over its positions",
    .fields = fields,
    .n_fields = COUNT(fields),
    .uses_samples = true,
    .logits_only = true,
    .n_moments = AGGREGATE_MOMENTS,
    .moments = aggregate_moments,
    .open = open_path,
    .bytes = bytes,
    .rows = derived_rows,
    .finish = derived_finish,
    .score_moment = derived_score_moment,
};
