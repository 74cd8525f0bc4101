#include "nn/op.h"
#include "nn/sizes.h"

/* Cross-correlation with zero padding (docs/attribution.md, section a): [C,H,W] -> [out,oh,ow], weight [out,C/groups,kh,kw], bias [out]. */
static void product_shape(const node *n, const shape in[], conv_shape *out)
{
    const conv_attr *a = n->attr;
    *out = (conv_shape){
        .in_channels = in[0].dim[0],
        .out_channels = a->out_channels,
        .groups = a->groups,
        .in_height = in[0].dim[1],
        .in_width = in[0].dim[2],
        .out_height = n->out.dim[1],
        .out_width = n->out.dim[2],
        .kernel = {a->kernel[0], a->kernel[1]},
        .stride = {a->stride[0], a->stride[1]},
        .padding = {a->padding[0], a->padding[1]},
        .dilation = {a->dilation[0], a->dilation[1]},
    };
}

static size_t patch_size(const node *n, const shape in[])
{
    const conv_attr *a = n->attr;
    return in[0].dim[0] / a->groups * a->kernel[0] * a->kernel[1];
}

static status check_weights(const node *n, const shape in[])
{
    const conv_attr *a = n->attr;
    size_t count;
    const size_t dim[] = {a->out_channels, in[0].dim[0] / a->groups, a->kernel[0], a->kernel[1]};
    if (!sizes_product(4, dim, &count) || n->n_weight != count || (n->n_bias != 0 && n->n_bias != a->out_channels)) {
        char text[SHAPE_TEXT];
        return FAIL(ST_DATA, "%s: expected weights %s and no bias or one per channel, found %zu weights and %zu biases",
                    n->name, shape_text(4, dim, text), n->n_weight, n->n_bias);
    }
    return STATUS_OK;
}

static status infer(const node *n, const shape in[], shape *out)
{
    const conv_attr *a = n->attr;
    char text[SHAPE_TEXT];
    if (in[0].rank != 3 || a->groups == 0 || in[0].dim[0] % a->groups != 0 || a->out_channels % a->groups != 0) {
        return FAIL(ST_DATA, "%s: expected an input [channels, height, width] that %zu groups divide, found %s",
                    n->name, a->groups, shape_text(in[0].rank, in[0].dim, text));
    }
    TRY(check_weights(n, in));
    *out = (shape){.rank = 3, .dim = {a->out_channels}};
    for (size_t i = 0; i < 2; i++) {
        const size_t window = a->dilation[i] * (a->kernel[i] - 1) + 1, padded = in[0].dim[1 + i] + 2 * a->padding[i];
        if (a->stride[i] == 0 || a->dilation[i] == 0 || a->dilation[i] > MAX_COUNT || a->padding[i] > MAX_COUNT ||
            window > padded) {
            return FAIL(ST_DATA,
                        "%s: a window of %zu does not fit into an input %s with padding %zu; is the image size right?",
                        n->name, window, shape_text(in[0].rank, in[0].dim, text), a->padding[i]);
        }
        out->dim[1 + i] = (padded - window) / a->stride[i] + 1;
    }
    size_t outputs;
    if (!sizes_product(3, out->dim, &outputs) || patch_size(n, in) > MAX_WORKSPACE / (outputs / a->out_channels)) {
        return FAIL(ST_DATA, "%s: an output %s of %zu inputs each is too large for one sample", n->name,
                    shape_text(3, out->dim, text), patch_size(n, in));
    }
    return STATUS_OK;
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
    for (size_t c = 0; c < n->out.dim[0]; c++) {
        out_live[c] = alive == NULL || alive[c] != 0;
    }
}

static op_cost cost(const node *n, const shape in[], const uint8_t *in_live, const uint8_t *out_live)
{
    const conv_attr *a = n->attr;
    const size_t taps = a->kernel[0] * a->kernel[1], plane = n->out.dim[1] * n->out.dim[2];
    const size_t in_group = in[0].dim[0] / a->groups, out_group = a->out_channels / a->groups;
    op_cost sum = {.parameters = n->n_bias == 0 ? 0 : op_count_live(out_live, 0, a->out_channels)};
    for (size_t g = 0; g < a->groups; g++) {
        const uint64_t weights = (uint64_t)op_count_live(in_live, g * in_group, (g + 1) * in_group) * taps *
                                 op_count_live(out_live, g * out_group, (g + 1) * out_group);
        sum.parameters += weights;
        sum.macs += weights * plane;
    }
    return sum;
}

/* Columns that go with an input channel of every group differ, so groups take their inputs whole. */
static bool takes_whole(const node *n)
{
    const conv_attr *a = n->attr;
    return a->groups > 1;
}

/* What is left of the outputs; in groups, zeros in the places of the others. */
static status rows_left(const shrink_call *c, channel_map *row, channel_map *map)
{
    const conv_attr *a = c->node->attr;
    TRY(channel_map_kept(c->arena, a->out_channels, c->kept, 1, map));
    *row = *map;
    if (a->groups == 1 || map->whole) {
        return STATUS_OK;
    }
    uint32_t *channel;
    TRY_ALLOC(channel, c->arena, a->out_channels);
    for (size_t i = 0; i < a->out_channels; i++) {
        channel[i] = c->kept[i] ? (uint32_t)i : NO_CHANNEL;
    }
    *row = (channel_map){.n = a->out_channels, .channel = channel};
    return channel_map_whole(c->arena, a->out_channels, map);
}

static status shrink(const shrink_call *c, node *out, channel_map *map)
{
    const conv_attr *whole = c->node->attr;
    const size_t in_group = c->in_shape[0].dim[0] / whole->groups;
    channel_map row, column = c->in[0];
    conv_attr *a;
    TRY_ALLOC(a, c->arena, 1);
    TRY(rows_left(c, &row, map));
    if (whole->groups > 1) {
        TRY(channel_map_whole(c->arena, in_group, &column));
    }
    *a = *whole;
    a->out_channels = row.n;
    out->attr = a;
    return op_cut_weights(c, &row, &column, in_group, a->kernel[0] * a->kernel[1], out);
}

static size_t facts(const node *n, op_fact out[MAX_OP_FACTS])
{
    const conv_attr *a = n->attr;
    out[0] = (op_fact){"kernel", 2, {a->kernel[0], a->kernel[1]}, 0.0};
    out[1] = (op_fact){"stride", 2, {a->stride[0], a->stride[1]}, 0.0};
    out[2] = (op_fact){"padding", 2, {a->padding[0], a->padding[1]}, 0.0};
    out[3] = (op_fact){"dilation", 2, {a->dilation[0], a->dilation[1]}, 0.0};
    out[4] = (op_fact){"groups", 1, {a->groups, 0}, 0.0};
    return 5;
}

const op_def op_conv2d = {
    .name = "conv2d",
    .help = "two-dimensional convolution",
    .n_in = 1,
    .infer = infer,
    .forward = forward,
    .product = product_shape,
    .live = live,
    .shrink = shrink,
    .takes_whole = takes_whole,
    .cost = cost,
    .facts = facts,
};
