#include "pruning/derived.h"

/* SNIP (Lee, Ajanthan and Torr, 2019) for components. For a single weight it is |w dL/dw|, the derivative of the loss L over all samples
 * together by a gate at that weight; the weights of a component get one gate in common, whose derivative is  sum over w of w dL/dw.  Own
 * weights, and how they come without a derivative by any weight: attribution/methods/own_weights.h. Tokens share the weights, so
 * `absolute: token` is the same as `sample`. */
static const field fields[] = {DERIVED_FIELD_TABLE(ABSOLUTE_SUM, START_LOSS)};

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.measure = MEASURE_WEIGHTS;
    return p;
}

DERIVED_HOOKS(path_of);

const criterion_def criterion_snip = {
    .name = "snip",
    .help =
        "|sum over the component's own weights of weight x derivative of the loss|, over all reference images together",
    .fields = fields,
    .n_fields = COUNT(fields),
    DERIVED_PATH_MEMBERS,
};
