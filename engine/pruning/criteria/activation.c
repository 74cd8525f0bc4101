#include <math.h>
#include <string.h>

#include "attribution/methods/derivative.h"
#include "attribution/walk_sums.h"
#include "pruning/aggregate.h"
#include "pruning/criterion.h"

/* A component's values a over its positions (docs/attribution.md, section g; mean and deviation of feature maps as in Molchanov et al., 2017):
 *
 *   filter, neuron       its output, before ReLU or GELU; positions are those of the map, or the tokens
 *   head, output         mean over its d columns of |O|, what it hands on; positions are the tokens
 *   head, attention      A; positions are the pairs of query and key. The sum over keys is 1 for every query, so that sum and mean are the
 *                        same for all heads: only the variance says something
 *
 *   sum        of a over positions, of a sample; then as `absolute` says
 *   mean       the same divided by the number of positions
 *   variance   of a over all positions of all samples,  E a^2 - (E a)^2 */
enum { ABSOLUTE, NORMALISE, STATISTIC, VALUES, HEADS };
enum { STATISTIC_MEAN, STATISTIC_SUM, STATISTIC_VARIANCE };
enum { VALUES_RAW, VALUES_RELU };
enum { HEADS_OUTPUT, HEADS_ATTENTION };

static const char *const statistics[] = {"mean", "sum", "variance", NULL};
static const char *const parts[] = {"raw", "relu", NULL};
static const char *const head_values[] = {"output", "attention", NULL};

static const field fields[] = {
    [ABSOLUTE] = AGGREGATE_FIELD_ABSOLUTE(ABSOLUTE_TOKEN),
    [NORMALISE] = AGGREGATE_FIELD_NORMALISE,
    [STATISTIC] = {.name = "statistic",
                   .kind = FIELD_CHOICE,
                   .choices = statistics,
                   .help = "mean or sum over an image's positions, or the variance over all positions of all images, "
                           "for which `absolute` and "
                           "`normalise` do nothing"},
    [VALUES] = {.name = "values",
                .kind = FIELD_CHOICE,
                .choices = parts,
                .help = "the component's values as they are, or only what is positive of them"},
    [HEADS] =
        {.name = "heads",
         .kind = FIELD_CHOICE,
         .choices = head_values,
         .help =
             "what a head's values are: mean absolute output of each token, or its attention, whose mean says nothing"},
};

enum { ACTIVATION_POSITION_SQUARES = AGGREGATE_MOMENTS, ACTIVATION_MOMENTS }; /* sum over positions of a^2 */
static const char *const moments[] = {"absolute", "signed", "square", "position_square"};
_Static_assert(COUNT(moments) == ACTIVATION_MOMENTS, "a name for every moment");

typedef struct activations {
    const graph *graph;
    size_t batch, lanes;
    aggregate aggregate;
    int statistic, values, heads;
    forward *forward;
    float *positive;        /* one sample's values of a layer, as stored */
    double *value, *square; /* [tokens, n] */
} activations;

static size_t positions(const node *n, const graph *g, int heads)
{
    const size_t tokens = component_tokens(n);
    return n->components == COMPONENT_FILTER                             ? n->out.dim[1] * n->out.dim[2]
           : n->components == COMPONENT_HEAD && heads == HEADS_ATTENTION ? tokens * g->nodes[n->in[1]].out.dim[0]
                                                                         : tokens;
}

static size_t most_floats(const graph *g, size_t lanes)
{
    size_t most = 0;
    for (size_t l = 0; l < g->n_layers; l++) {
        const size_t values = component_floats(g, g->layers[l], lanes),
                     outputs = images_floats(g->nodes[g->layers[l]].out, lanes);
        most = values > most ? values : most;
        most = outputs > most ? outputs : most;
    }
    return most;
}

/* ReLUs have a place of their own: the values before them are looked at. */
static status nowhere(arena *a, const graph *g, const bool **out)
{
    bool *none;
    TRY_ALLOC(none, a, g->n_nodes);
    *out = none;
    return STATUS_OK;
}

static aggregate aggregate_of(const criterion_setup *s)
{
    const bool variance = s->parameters[STATISTIC] == STATISTIC_VARIANCE;
    return aggregate_read(s->parameters[ABSOLUTE], variance ? (double)NORM_NONE : s->parameters[NORMALISE]);
}

static status open_forward(arena *a, const criterion_setup *s, void **state)
{
    const bool *none = NULL;
    activations *x;
    TRY_ALLOC(x, a, 1);
    *x = (activations){.graph = s->graph,
                       .batch = s->batch,
                       .lanes = s->backend->block(),
                       .aggregate = aggregate_of(s),
                       .statistic = (int)s->parameters[STATISTIC],
                       .values = (int)s->parameters[VALUES],
                       .heads = (int)s->parameters[HEADS]};
    TRY_ALLOC(x->positive, a, most_floats(s->graph, x->lanes));
    TRY_ALLOC(x->value, a, component_most_values(s->graph));
    TRY_ALLOC(x->square, a, component_most_values(s->graph));
    TRY(nowhere(a, s->graph, &none));
    TRY(forward_build_for_walk(a, s->graph, s->backend, s->batch, none, s->weights, &x->forward));
    *state = x;
    return STATUS_OK;
}

static status bytes(const criterion_setup *s, size_t *out)
{
    arena *scratch = NULL;
    const bool *none = NULL;
    TRY(arena_open("activation plan", &scratch));
    const status st = nowhere(scratch, s->graph, &none);
    if (status_ok(st)) {
        *out = forward_bytes_for_walk(s->graph, s->backend, s->batch, none, s->weights);
    }
    arena_close(&scratch);
    if (!status_ok(st) || *out == SIZE_MAX) {
        return status_ok(st) ? (status){ST_CONFIG} : st;
    }
    *out += most_floats(s->graph, s->backend->block()) * sizeof(float) +
            2 * component_most_values(s->graph) * sizeof(double);
    return STATUS_OK;
}

/* Attention [heads, tokens, keys] -> sums over keys [tokens, heads]. */
static void sum_attention(size_t heads, size_t tokens, size_t keys, const float *attention, double *value,
                          double *square)
{
    for (size_t h = 0; h < heads; h++) {
        for (size_t t = 0; t < tokens; t++, attention += keys) {
            double sum = 0.0, squares = 0.0;
            for (size_t k = 0; k < keys; k++) {
                sum += (double)attention[k];
                squares += (double)attention[k] * (double)attention[k];
            }
            value[t * heads + h] = sum;
            square[t * heads + h] = squares;
        }
    }
}

/* Outputs of heads side by side [tokens, heads, columns] -> mean absolute values [tokens, heads]. */
static void mean_outputs(size_t heads, size_t tokens, size_t columns, const float *out, double *value, double *square)
{
    for (size_t i = 0; i < tokens * heads; i++, out += columns) {
        double sum = 0.0;
        for (size_t k = 0; k < columns; k++) {
            sum += fabs((double)out[k]);
        }
        value[i] = sum / (double)columns;
        square[i] = value[i] * value[i];
    }
}

/* x->value and x->square [tokens, n] of sample b. */
static void find_values(const activations *x, node_id id, size_t b)
{
    const node *n = &x->graph->nodes[id];
    const size_t tokens = component_tokens(n), heads = n->components == COMPONENT_HEAD ? n->n_components : 0;
    const size_t each = component_floats(x->graph, id, x->lanes), outputs = images_floats(n->out, x->lanes);
    const float *a = forward_component(x->forward, id) + b * each;
    if (heads > 0 && x->heads == HEADS_ATTENTION) {
        sum_attention(heads, tokens, x->graph->nodes[n->in[1]].out.dim[0], a, x->value, x->square);
        return;
    }
    if (heads > 0) {
        mean_outputs(heads, tokens, shape_channels(n->out) / heads, forward_output(x->forward, id) + b * outputs,
                     x->value, x->square);
        return;
    }
    for (size_t i = 0; x->values == VALUES_RELU && i < each; i++) {
        x->positive[i] = a[i] > 0.0f ? a[i] : 0.0f;
    }
    a = x->values == VALUES_RELU ? x->positive : a;
    measure_component(n, x->lanes, NULL, (measured){.g = a}, x->value);
    measure_component(n, x->lanes, NULL, (measured){.g = a, .a = a}, x->square);
}

static void write_layer(const activations *x, node_id id, size_t b, float *row)
{
    const node *n = &x->graph->nodes[id];
    const size_t tokens = component_tokens(n), all = x->graph->n_components;
    const double scale = x->statistic == STATISTIC_MEAN ? 1.0 / (double)positions(n, x->graph, x->heads) : 1.0;
    find_values(x, id, b);
    for (size_t i = 0; i < tokens * n->n_components; i++) {
        x->value[i] *= scale;
    }
    row += n->first_component;
    sums_of_values(tokens, n->n_components, x->value, row + AGGREGATE_ABSOLUTE * all, row + AGGREGATE_SIGNED * all);
    for (size_t c = 0; c < n->n_components; c++) {
        double sum = 0.0;
        for (size_t t = 0; t < tokens; t++) {
            sum += x->square[t * n->n_components + c];
        }
        row[ACTIVATION_POSITION_SQUARES * all + c] = (float)sum;
    }
}

static void rows(void *state, const criterion_batch *b, float *out)
{
    const activations *x = state;
    const size_t stride = ACTIVATION_MOMENTS * x->graph->n_components;
    forward_run(x->forward, b->images, NULL);
    for (size_t i = 0; i < x->batch; i++) {
        for (size_t l = 0; l < x->graph->n_layers; l++) {
            write_layer(x, x->graph->layers[l], i, out + i * stride);
        }
    }
    aggregate_rows(&x->aggregate, x->graph, x->batch, stride, out);
}

/* Of n_samples x positions values; at least 0, which rounding could miss. */
static void score_variances(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    const graph *g = s->graph;
    const double *sum = sums + AGGREGATE_SIGNED * g->n_components,
                 *square = sums + ACTIVATION_POSITION_SQUARES * g->n_components;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *n = &g->nodes[g->layers[l]];
        const double count = (double)n_samples * (double)positions(n, g, (int)s->parameters[HEADS]);
        for (size_t c = n->first_component; c < n->first_component + n->n_components; c++) {
            const double mean = sum[c] / count, variance = square[c] / count - mean * mean;
            score[c] = variance < 0.0 ? 0.0 : variance;
        }
    }
}

static size_t score_moment(const criterion_setup *s)
{
    const aggregate how = aggregate_of(s);
    return s->parameters[STATISTIC] == STATISTIC_VARIANCE ? NO_MOMENT : aggregate_summand(&how);
}

static void finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    const aggregate how = aggregate_of(s);
    if (s->parameters[STATISTIC] == STATISTIC_VARIANCE) {
        score_variances(s, n_samples, sums, score);
    } else {
        aggregate_finish(&how, s->graph->n_components, sums, score);
    }
}

const criterion_def criterion_activation = {
    .name = "activation",
    .help = "mean, sum or variance of the component's values over its positions",
    .fields = fields,
    .n_fields = COUNT(fields),
    .uses_samples = true,
    .n_moments = ACTIVATION_MOMENTS,
    .moments = moments,
    .open = open_forward,
    .bytes = bytes,
    .rows = rows,
    .finish = finish,
    .score_moment = score_moment,
};
