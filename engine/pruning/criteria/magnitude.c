#include <assert.h>
#include <math.h>

#include "nn/op.h"
#include "pruning/criterion.h"

/* Norm of the weights that a component owns (docs/attribution.md, section g; L1 for filters: Li et al., 2017), batch norm folded in, without
 * biases:
 *   filter, neuron   its row of the layer's weight
 *   head h           what compaction drops with it (section h): rows h*d .. h*d+d-1 of the q, k and v projections and the
 *                    same columns of the output projection */
enum { NORM };
enum { L1, L2 };

static const char *const norms[] = {"l1", "l2", NULL};

static const field fields[] = {
    [NORM] = {.name = "norm",
              .kind = FIELD_CHOICE,
              .choices = norms,
              .help = "sum of absolute weights, or root of the sum of squares"},
};

/* Of |w|, or of w^2. */
static double block_sum(const node *layer, int norm, size_t first_row, size_t rows, size_t first_column, size_t columns)
{
    const size_t width = layer->n_weight / shape_channels(layer->out);
    double sum = 0.0;
    for (size_t r = first_row; r < first_row + rows; r++) {
        for (size_t c = first_column; c < first_column + columns; c++) {
            const double w = (double)layer->weight[r * width + c];
            sum += norm == L1 ? fabs(w) : w * w;
        }
    }
    return sum;
}

static void add_output_projections(const graph *g, node_id attention, int norm, size_t width, double *score)
{
    const node *heads = &g->nodes[attention];
    for (node_id id = attention + 1; id < g->n_nodes; id++) {
        const node *reader = &g->nodes[id];
        if (reader->n_in != 1 || reader->in[0] != attention || reader->weight == NULL) {
            continue;
        }
        for (size_t h = 0; h < heads->n_components; h++) {
            score[h] += block_sum(reader, norm, 0, shape_channels(reader->out), h * width, width);
        }
    }
}

static void score_heads(const graph *g, node_id attention, int norm, double *score)
{
    const node *heads = &g->nodes[attention];
    const size_t embedding = shape_channels(heads->out), width = embedding / heads->n_components;
    for (size_t h = 0; h < heads->n_components; h++) {
        score[h] = 0.0;
        for (size_t i = 0; i < heads->n_in; i++) {
            const node *projection = &g->nodes[heads->in[i]];
            assert(projection->weight != NULL && shape_channels(projection->out) == embedding);
            score[h] += block_sum(projection, norm, h * width, width, 0, projection->n_weight / embedding);
        }
    }
    add_output_projections(g, attention, norm, width, score);
}

static void score_rows(const node *layer, int norm, double *score)
{
    const size_t width = layer->n_weight / layer->n_components;
    for (size_t c = 0; c < layer->n_components; c++) {
        score[c] = block_sum(layer, norm, c, 1, 0, width);
    }
}

static status scores(const criterion_setup *s, uint64_t seed, double *score)
{
    (void)seed;
    const graph *g = s->graph;
    const int norm = (int)s->parameters[NORM];
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *layer = &g->nodes[g->layers[l]];
        if (layer->components == COMPONENT_HEAD) {
            score_heads(g, g->layers[l], norm, score + layer->first_component);
        } else {
            score_rows(layer, norm, score + layer->first_component);
        }
    }
    for (size_t i = 0; norm == L2 && i < g->n_components; i++) {
        score[i] = sqrt(score[i]);
    }
    return STATUS_OK;
}

const criterion_def criterion_magnitude = {
    .name = "magnitude",
    .help = "norm of a component's own weights with batch norm folded in, without biases: a filter's kernel, a "
            "neuron's row, a head's rows of q, k, v and its columns of the output projection",
    .fields = fields,
    .n_fields = COUNT(fields),
    .scores = scores,
};
