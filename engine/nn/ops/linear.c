#include "nn/op.h"
#include "nn/sizes.h"

/* z = x W' + b on the last axis: [in] -> [out] or [T,in] -> [T,out], weight [out,in], bias [out]. */
static size_t rows_of(shape s)
{
    return s.rank == 2 ? s.dim[0] : 1;
}

static status infer(const node *n, const shape in[], shape *out)
{
    const linear_attr *a = n->attr;
    char text[SHAPE_TEXT];
    if (in[0].rank != 1 && in[0].rank != 2) {
        return FAIL(ST_DATA, "%s: expected an input [features] or [tokens, features], found %s", n->name,
                    shape_text(in[0].rank, in[0].dim, text));
    }
    const size_t dim[] = {a->out_features, shape_channels(in[0])};
    size_t count;
    if (!sizes_product(2, dim, &count) || n->n_weight != count || (n->n_bias != 0 && n->n_bias != a->out_features)) {
        return FAIL(ST_DATA, "%s: expected weights %s and no bias or one per output, found %zu weights and %zu biases",
                    n->name, shape_text(2, dim, text), n->n_weight, n->n_bias);
    }
    *out = in[0];
    out->dim[in[0].rank - 1] = a->out_features;
    if (!sizes_product(out->rank, out->dim, &count)) {
        return FAIL(ST_DATA, "%s: an output %s is too large for one sample", n->name,
                    shape_text(out->rank, out->dim, text));
    }
    return STATUS_OK;
}

static void product_shape(const node *n, const shape in[], conv_shape *out)
{
    const size_t rows = rows_of(n->out);
    *out = (conv_shape){
        .in_channels = shape_channels(in[0]),
        .out_channels = shape_channels(n->out),
        .groups = 1,
        .in_height = rows,
        .in_width = 1,
        .out_height = rows,
        .out_width = 1,
        .kernel = {1, 1},
        .stride = {1, 1},
        .dilation = {1, 1},
        .rows = true,
    };
}

static void forward(const op_call *c)
{
    product_run(c->product, c->in[0], c->out, c->work);
}

static void live(const node *n, const shape in[], const uint8_t *alive, const uint8_t *const in_live[],
                 uint8_t *out_live)
{
    (void)in;
    (void)in_live;
    for (size_t i = 0; i < shape_channels(n->out); i++) {
        out_live[i] = alive == NULL || alive[i] != 0;
    }
}

static op_cost cost(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live)
{
    const uint64_t outputs = op_count_live(out_live, 0, shape_channels(n->out));
    const uint64_t weights = outputs * op_count_live(in_live, 0, shape_channels(in[0]));
    return (op_cost){.parameters = weights + (n->n_bias == 0 ? 0 : outputs), .macs = weights * rows_of(n->out)};
}

/* Neurons of tokens are padded, so that one kernel serves many masks; q, k and v are whole heads, and logits are what was wanted. */
static status shrink(const shrink_call *c, node *out, channel_map *map)
{
    const size_t features = shape_channels(c->node->out);
    const bool pads = c->node->components == COMPONENT_NEURON && c->node->out.rank == 2;
    linear_attr *a;
    TRY_ALLOC(a, c->arena, 1);
    TRY(channel_map_kept(c->arena, features, c->kept, pads ? c->block : 1, map));
    *a = (linear_attr){.out_features = map->n};
    out->attr = a;
    return op_cut_weights(c, map, &c->in[0], shape_channels(c->in_shape[0]), 1, out);
}

const op_def op_linear = {
    .name = "linear",
    .help = "fully connected layer on the last axis",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .product = product_shape,
    .by_row = 1,
    .live = live,
    .shrink = shrink,
    .cost = cost,
};
