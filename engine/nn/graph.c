#include "nn/graph.h"

#include <stdio.h>

size_t shape_count(shape s)
{
    size_t n = 1;
    for (size_t i = 0; i < s.rank; i++) {
        n *= s.dim[i];
    }
    return n;
}

size_t shape_channels(shape s)
{
    return s.rank == 3 ? s.dim[0] : s.dim[s.rank - 1];
}

static const char *dims_text(size_t rank, const size_t dim[], const char *zero, char text[SHAPE_TEXT])
{
    int used = snprintf(text, SHAPE_TEXT, "[");
    for (size_t i = 0; i < rank && used < SHAPE_TEXT; i++) {
        const char *separator = i == 0 ? "" : ", ";
        char *end = text + used;
        const size_t room = SHAPE_TEXT - (size_t)used;
        used += dim[i] == 0 ? snprintf(end, room, "%s%s", separator, zero)
                            : snprintf(end, room, "%s%zu", separator, dim[i]);
    }
    if (used < SHAPE_TEXT) {
        (void)snprintf(text + used, SHAPE_TEXT - (size_t)used, "]");
    }
    return text;
}

const char *shape_text(size_t rank, const size_t dim[], char text[SHAPE_TEXT])
{
    return dims_text(rank, dim, "0", text);
}

const char *shape_pattern_text(size_t rank, const size_t dim[], char text[SHAPE_TEXT])
{
    return dims_text(rank, dim, "any", text);
}

const char *component_kind_name(component_kind k)
{
    static const char *const names[COMPONENT_KINDS] = {"none", "filters", "neurons", "heads"};
    return names[k];
}

const char *depth_group_name(depth_group g)
{
    static const char *const names[] = {"none", "low", "mid", "high", "fc"};
    return names[g];
}

status graph_components(arena *a, const graph *g, component_kind kind, size_t *n, const size_t **out)
{
    *n = 0;
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *layer = &g->nodes[g->layers[i]];
        *n += layer->components == kind ? layer->n_components : 0;
    }
    size_t *list, used = 0;
    TRY_ALLOC(list, a, *n);
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *layer = &g->nodes[g->layers[i]];
        for (size_t c = 0; layer->components == kind && c < layer->n_components; c++) {
            list[used++] = layer->first_component + c;
        }
    }
    *out = list;
    return STATUS_OK;
}

status graph_layer_sizes(arena *a, const graph *g, component_kind kind, size_t *n_layers, const size_t **size)
{
    size_t *list;
    *n_layers = 0;
    TRY_ALLOC(list, a, g->n_layers);
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *layer = &g->nodes[g->layers[i]];
        if (layer->components == kind) {
            list[(*n_layers)++] = layer->n_components;
        }
    }
    *size = list;
    return STATUS_OK;
}
