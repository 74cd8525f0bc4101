#include <assert.h>
#include <math.h>

#include "nn/op.h"
#include "pruning/criterion.h"

/* L1 norm of the weights that a component owns (docs/attribution.md, section g), batch norm folded in, without biases:
 *   filter, neuron   its row of the layer's weight
 *   head h           what compaction drops with it (section h): rows h*d .. h*d+d-1 of the q, k and v projections and the
 *                    same columns of the output projection */
static double block_l1(const node *layer, size_t first_row, size_t rows, size_t first_column, size_t columns)
{
    const size_t width = layer->n_weight / shape_channels(layer->out);
    double sum = 0.0;
    for (size_t r = first_row; r < first_row + rows; r++) {
        for (size_t c = first_column; c < first_column + columns; c++) {
            sum += fabs((double)layer->weight[r * width + c]);
        }
    }
    return sum;
}

static void add_output_projections(const graph *g, node_id attention, size_t width, double *score)
{
    const node *heads = &g->nodes[attention];
    for (node_id id = attention + 1; id < g->n_nodes; id++) {
        const node *reader = &g->nodes[id];
        if (reader->n_in != 1 || reader->in[0] != attention || reader->weight == NULL) {
            continue;
        }
        for (size_t h = 0; h < heads->n_components; h++) {
            score[h] += block_l1(reader, 0, shape_channels(reader->out), h * width, width);
        }
    }
}

static void score_heads(const graph *g, node_id attention, double *score)
{
    const node *heads = &g->nodes[attention];
    const size_t embedding = shape_channels(heads->out), width = embedding / heads->n_components;
    for (size_t h = 0; h < heads->n_components; h++) {
        score[h] = 0.0;
        for (size_t i = 0; i < heads->n_in; i++) {
            const node *projection = &g->nodes[heads->in[i]];
            assert(projection->weight != NULL && shape_channels(projection->out) == embedding);
            score[h] += block_l1(projection, h * width, width, 0, projection->n_weight / embedding);
        }
    }
    add_output_projections(g, attention, width, score);
}

static void score_rows(const node *layer, double *score)
{
    const size_t width = layer->n_weight / layer->n_components;
    for (size_t c = 0; c < layer->n_components; c++) {
        score[c] = block_l1(layer, c, 1, 0, width);
    }
}

static status scores(const criterion_setup *s, uint64_t seed, double *score)
{
    (void)seed;
    const graph *g = s->graph;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *layer = &g->nodes[g->layers[l]];
        if (layer->components == COMPONENT_HEAD) {
            score_heads(g, g->layers[l], score + layer->first_component);
        } else {
            score_rows(layer, score + layer->first_component);
        }
    }
    return STATUS_OK;
}

const criterion_def criterion_magnitude = {
    .name = "magnitude",
    .help = "L1 norm of a component's own weights with batch norm folded in, without biases: a filter's kernel, a "
            "neuron's row, "
            "a head's rows of q, k, v and its columns of the output projection",
    .scores = scores,
};
