#include "attribution/methods/own_weights.h"

#include <assert.h>
#include <string.h>

#include "attribution/methods/derivative.h"
#include "nn/op.h"

status own_weights_find(arena *a, const graph *g, own_weights *out)
{
    bool *watched;
    node_id *heads;
    TRY_ALLOC(watched, a, g->n_nodes);
    TRY_ALLOC(heads, a, g->n_nodes);
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *n = &g->nodes[g->layers[l]];
        for (size_t i = 0; n->components == COMPONENT_HEAD && i < n->n_in; i++) {
            assert(g->nodes[n->in[i]].weight != NULL);
            watched[n->in[i]] = true;
            heads[n->in[i]] = g->layers[l];
        }
    }
    *out = (own_weights){watched, heads};
    return STATUS_OK;
}

/* sum of g z, then the bias' share of it is taken out with the sum of g: both are in double. */
static void add_filters(const node *n, const float *g, const float *z, size_t lanes, double *value, double *sum)
{
    const size_t space = n->out.dim[1] * n->out.dim[2];
    measure_map(n->n_components, space, lanes, (measured){.g = g, .a = z}, value);
    for (size_t c = 0; c < n->n_components; c++) {
        sum[c] += value[c];
    }
    if (n->bias != NULL) {
        measure_map(n->n_components, space, lanes, (measured){.g = g}, value);
        for (size_t c = 0; c < n->n_components; c++) {
            sum[c] -= (double)n->bias[c] * value[c];
        }
    }
}

/* Rows of a projection, or columns that read the heads' outputs side by side: every head has its share of the features. */
static void add_heads(const node *n, size_t heads, const float *g, const float *z, double *value, double *sum)
{
    const size_t features = shape_channels(n->out);
    memset(value, 0, features * sizeof *value);
    measure_columns(component_tokens(n), features, (measured){.g = g, .a = z}, n->bias, value);
    for (size_t i = 0; i < features; i++) {
        sum[i / (features / heads)] += value[i];
    }
}

void own_weights_add(const own_weights *w, const graph *g, const forward *f, const walk_view *v, size_t b, size_t lanes,
                     double *value, double *sums, const size_t first_sum[])
{
    const node *n = &g->nodes[v->id];
    const node_id heads = w->heads[v->id];
    const size_t each = images_floats(n->out, lanes);
    const float *r = v->r + b * each, *z = forward_output(f, v->id) + b * each;
    if (heads != 0) {
        add_heads(n, g->nodes[heads].n_components, r, z, value, sums + first_sum[heads]);
    } else if (n->components == COMPONENT_HEAD) {
        add_heads(n, n->n_components, r, z, value, sums + first_sum[v->id]);
    } else if (n->components == COMPONENT_FILTER) {
        add_filters(n, r, z, lanes, value, sums + first_sum[v->id]);
    } else {
        measure_columns(component_tokens(n), n->n_components, (measured){.g = r, .a = z}, n->bias,
                        sums + first_sum[v->id]);
    }
}
