#include <assert.h>
#include <math.h>
#include <string.h>

#include "attribution/methods/derivative.h"
#include "nn/op.h"
#include "pruning/criterion.h"

/* Wanda (Sun et al., 2024) for components: a weight w that reads input channel j scores |w| ||x_j||, with the norm
 *
 *   ||x_j|| = root of the sum over samples and positions of x_j^2
 *
 * of that channel over all reference images, and a component the sum over its own weights (docs/attribution.md, section h):
 *   filter, neuron   its kernel or row, on the layer's input
 *   head             its rows of q, k and v, on their input, and its columns of the output projection, on its own output
 * A channel's squares are counted once for each position of its map, not once for each window that reads it.
 *
 * Rows hold no moments but the sums of squares of every channel that is read, each node once: layers that share an input share them. */
static bool is_input_of(const graph *g, const node *layer, node_id id, node_id input)
{
    bool reads = layer->components == COMPONENT_HEAD ? id == input : layer->in[0] == input;
    for (size_t i = 0; layer->components == COMPONENT_HEAD && i < layer->n_in; i++) {
        assert(g->nodes[layer->in[i]].op->product != NULL);
        reads = reads || g->nodes[layer->in[i]].in[0] == input;
    }
    return reads;
}

static bool is_read(const graph *g, node_id input)
{
    bool read = false;
    for (size_t l = 0; l < g->n_layers && !read; l++) {
        read = is_input_of(g, &g->nodes[g->layers[l]], g->layers[l], input);
    }
    return read;
}

static size_t n_extra(const criterion_setup *s)
{
    size_t channels = 0;
    for (node_id id = 0; id < s->graph->n_nodes; id++) {
        channels += is_read(s->graph, id) ? shape_channels(s->graph->nodes[id].out) : 0;
    }
    return channels;
}

/* An input whose squares are summed. */
typedef struct source {
    node_id id;
    size_t lanes; /* as it is stored; 1: plain */
} source;

typedef struct norms {
    const graph *graph;
    size_t batch, row, n_sources;
    source *sources; /* ascending ids */
    double *value;   /* [most channels] */
    forward *forward;
} norms;

static size_t most_channels(const graph *g)
{
    size_t most = 0;
    for (node_id id = 0; id < g->n_nodes; id++) {
        const size_t channels = shape_channels(g->nodes[id].out);
        most = is_read(g, id) && channels > most ? channels : most;
    }
    return most;
}

/* The images are in plain order where only convolutions read them. */
static size_t lanes_of(const criterion_setup *s, node_id id)
{
    conv_shape conv = {0};
    for (size_t l = 0; id == 0 && l < s->graph->n_layers; l++) {
        if (s->graph->nodes[s->graph->layers[l]].in[0] == id) {
            forward_product_shape(s->graph, s->graph->layers[l], &conv);
        }
    }
    return conv.plain_input || s->graph->nodes[id].out.rank != 3 ? 1 : s->backend->block();
}

static status open_forward(arena *a, const criterion_setup *s, void **state)
{
    norms *n;
    TRY_ALLOC(n, a, 1);
    *n = (norms){.graph = s->graph, .batch = s->batch, .row = n_extra(s)};
    TRY_ALLOC(n->sources, a, s->graph->n_nodes);
    TRY_ALLOC(n->value, a, most_channels(s->graph));
    for (node_id id = 0; id < s->graph->n_nodes; id++) {
        if (is_read(s->graph, id)) {
            n->sources[n->n_sources++] = (source){id, lanes_of(s, id)};
        }
    }
    TRY(forward_build_for_walk(a, s->graph, s->backend, s->batch, NULL, s->weights,
                               &n->forward)); /* outputs of ReLUs are there, fused or not */
    *state = n;
    return STATUS_OK;
}

static status bytes(const criterion_setup *s, size_t *out)
{
    *out = forward_bytes_for_walk(s->graph, s->backend, s->batch, NULL, s->weights);
    if (*out == SIZE_MAX) {
        return (status){ST_CONFIG};
    }
    *out += most_channels(s->graph) * sizeof(double);
    return STATUS_OK;
}

static void sum_squares(const norms *n, const source *x, size_t b, float *out)
{
    const shape s = n->graph->nodes[x->id].out;
    const size_t channels = shape_channels(s);
    const float *in = forward_output(n->forward, x->id) + b * images_floats(s, x->lanes);
    if (s.rank == 3) {
        measure_map(channels, s.dim[1] * s.dim[2], x->lanes, (measured){.g = in, .a = in}, n->value);
    } else {
        memset(n->value, 0, channels * sizeof *n->value);
        measure_columns(s.rank == 2 ? s.dim[0] : 1, channels, (measured){.g = in, .a = in}, NULL, n->value);
    }
    for (size_t c = 0; c < channels; c++) {
        out[c] = (float)n->value[c];
    }
}

static void rows(void *state, const criterion_batch *b, float *out)
{
    const norms *n = state;
    forward_run(n->forward, b->images, NULL);
    for (size_t i = 0; i < n->batch; i++) {
        float *row = out + i * n->row;
        for (size_t k = 0; k < n->n_sources; k++) {
            sum_squares(n, &n->sources[k], i, row);
            row += shape_channels(n->graph->nodes[n->sources[k].id].out);
        }
    }
}

/* Rows [first, first + n) of a product's weights; square [input channels] sums of squares. */
static double weigh_rows(const graph *g, const node *n, size_t first, size_t rows, const double *square)
{
    const size_t outputs = shape_channels(n->out), width = n->n_weight / outputs;
    conv_shape s;
    shape in[] = {g->nodes[n->in[0]].out};
    n->op->product(n, in, &s);
    const size_t taps = s.kernel[0] * s.kernel[1], in_group = s.in_channels / s.groups, out_group = outputs / s.groups;
    double sum = 0.0;
    for (size_t r = first; r < first + rows; r++) {
        for (size_t i = 0; i < width; i++) {
            sum += fabs((double)n->weight[r * width + i]) * sqrt(square[r / out_group * in_group + i / taps]);
        }
    }
    return sum;
}

/* Columns of the layers that read the heads' outputs. */
static void add_columns(const graph *g, node_id attention, const double *square, double *score)
{
    const size_t features = shape_channels(g->nodes[attention].out),
                 width = features / g->nodes[attention].n_components;
    for (node_id id = attention + 1; id < g->n_nodes; id++) {
        const node *reader = &g->nodes[id];
        for (size_t i = 0; reader->in[0] == attention && reader->n_in == 1 && i < reader->n_weight; i++) {
            score[i % features / width] += fabs((double)reader->weight[i]) * sqrt(square[i % features]);
        }
    }
}

/* What `input` contributes to a layer. */
static void add_input(const graph *g, node_id layer, node_id input, const double *square, double *score)
{
    const node *n = &g->nodes[layer];
    const size_t rows = shape_channels(n->out) / n->n_components; /* 1, or the columns of a head */
    for (size_t i = 0; i < n->n_in; i++) {
        const node *reader = n->components == COMPONENT_HEAD ? &g->nodes[n->in[i]] : n;
        for (size_t c = 0; reader->in[0] == input && c < n->n_components; c++) {
            score[n->first_component + c] += weigh_rows(g, reader, c * rows, rows, square);
        }
    }
    if (n->components == COMPONENT_HEAD && layer == input) {
        add_columns(g, layer, square, score + n->first_component);
    }
}

static void finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    (void)n_samples;
    const graph *g = s->graph;
    for (size_t c = 0; c < g->n_components; c++) {
        score[c] = 0.0;
    }
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (!is_read(g, id)) {
            continue;
        }
        for (size_t l = 0; l < g->n_layers; l++) {
            add_input(g, g->layers[l], id, sums, score);
        }
        sums += shape_channels(g->nodes[id].out);
    }
}

const criterion_def criterion_wanda = {
    .name = "wanda",
    .help =
        "sum over the component's own weights of |weight| times the norm of what it reads, over all reference images",
    .uses_samples = true,
    .n_extra = n_extra,
    .open = open_forward,
    .bytes = bytes,
    .rows = rows,
    .finish = finish,
};
