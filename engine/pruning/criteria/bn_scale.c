#include <math.h>

#include "pruning/criterion.h"

/* |gamma| of the batch norm behind a filter (network slimming: Liu et al., 2017): the scale of the filter's normalised output. The graph has
 * batch norm folded in and keeps gamma for this (node.norm_scale). */
static status check(const criterion_setup *s)
{
    const graph *g = s->graph;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *layer = &g->nodes[g->layers[l]];
        if (layer->norm_scale == NULL) {
            return FAIL(ST_CONFIG,
                        "the criterion bn-scale needs a batch norm behind every prunable layer, and layer '%s' (%s of "
                        "a %s network) has "
                        "none; take another criterion for this network, for example magnitude",
                        layer->name, component_kind_name(layer->components), g->architecture);
        }
    }
    return STATUS_OK;
}

static status scores(const criterion_setup *s, uint64_t seed, double *score)
{
    (void)seed;
    const graph *g = s->graph;
    TRY(check(s));
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *layer = &g->nodes[g->layers[l]];
        for (size_t c = 0; c < layer->n_components; c++) {
            score[layer->first_component + c] = fabs((double)layer->norm_scale[c]);
        }
    }
    return STATUS_OK;
}

const criterion_def criterion_bn_scale = {
    .name = "bn-scale",
    .help =
        "absolute scale of the batch norm behind a filter; only for networks that have one behind every prunable layer",
    .check = check,
    .scores = scores,
};
