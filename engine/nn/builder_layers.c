/* Layers with parameters, read from their tensors: convolution (batch norm folded in) and linear. */
#include <math.h>
#include <string.h>

#include "nn/builder.h"

/* sigma' = w/sqrt(var + eps),  W' = sigma' W,  b' = (b - mean) sigma' + b_norm  per output channel
 * (docs/attribution.md, section b). */
typedef struct batch_norm {
    const float *weight, *bias, *mean, *var; /* [channels] */
    double eps;
} batch_norm;

static batch_norm take_norm(builder *b, const char *name, size_t channels)
{
    batch_norm n = {.eps = 1e-5};
    (void)builder_real(b, "bn_eps", &n.eps);
    n.weight = builder_take(b, builder_text(b, "%s.weight", name), 1, &channels, NULL);
    n.bias = builder_take(b, builder_text(b, "%s.bias", name), 1, &channels, NULL);
    n.mean = builder_take(b, builder_text(b, "%s.running_mean", name), 1, &channels, NULL);
    n.var = builder_take(b, builder_text(b, "%s.running_var", name), 1, &channels, NULL);
    for (size_t c = 0; !builder_failed(b) && builder_fills(b) && c < channels; c++) {
        if (n.var[c] < 0.0f) {
            builder_fail(b, FAIL(ST_DATA,
                                 "%s: tensor '%s.running_var': expected a variance of at least 0, found %g at [%zu]",
                                 builder_tensors(b)->source, name, (double)n.var[c], c));
        }
    }
    return n;
}

static void fold(builder *b, const char *name, const batch_norm *n, size_t channels, size_t filter, float *weight,
                 float *bias)
{
    for (size_t c = 0; c < channels; c++) {
        const double scale = (double)n->weight[c] / sqrt((double)n->var[c] + n->eps);
        bool finite = true;
        for (size_t i = c * filter; i < (c + 1) * filter; i++) {
            weight[i] = (float)(scale * (double)weight[i]);
            finite = finite && isfinite(weight[i]);
        }
        bias[c] = (float)(((double)bias[c] - (double)n->mean[c]) * scale + (double)n->bias[c]);
        if (!finite || !isfinite(bias[c])) {
            builder_fail(b, FAIL(ST_DATA,
                                 "%s: folding the batch norm into '%s' leaves the range of float32 in channel %zu",
                                 builder_tensors(b)->source, name, c));
            return;
        }
    }
}

node_id builder_conv(builder *b, node_id in, const conv_layer *layer)
{
    const size_t channels = builder_shape(b, in).dim[0], k = layer->kernel;
    size_t dim[4] = {0, channels, k, k};
    float *weight = builder_take(b, builder_text(b, "%s.weight", layer->name), 4, dim, dim);
    float *bias = NULL;
    if (layer->bias) {
        bias = builder_take(b, builder_text(b, "%s.bias", layer->name), 1, dim, NULL);
    } else if (layer->norm != NULL) {
        bias = builder_weights(b, dim[0]);
    }
    batch_norm n = {.weight = NULL};
    if (layer->norm != NULL) {
        n = take_norm(b, layer->norm, dim[0]);
        if (!builder_failed(b) && builder_fills(b)) {
            fold(b, layer->name, &n, dim[0], channels * k * k, weight, bias);
        }
    }
    const conv_attr attr = {.out_channels = dim[0],
                            .kernel = {k, k},
                            .stride = {layer->stride, layer->stride},
                            .padding = {layer->padding, layer->padding},
                            .dilation = {1, 1},
                            .groups = 1};
    const node_id id = builder_add(b, &op_conv2d, layer->name, 1, &in, &attr, sizeof attr, weight, dim[0] * channels * k * k,
                                   bias, bias == NULL ? 0 : dim[0]);
    builder_norm_scale(b, id, n.weight);
    return id;
}

node_id builder_filters(builder *b, node_id in, depth_group group, const char *prefix, const char *conv,
                        const char *norm, size_t kernel, size_t stride)
{
    const conv_layer layer = {
        .name = builder_text(b, "%s%s", prefix, conv),
        .norm = builder_text(b, "%s%s", prefix, norm),
        .kernel = kernel,
        .stride = stride,
        .padding = (kernel - 1) / 2,
    };
    const node_id x = builder_conv(b, in, &layer);
    builder_prunable(b, x, COMPONENT_FILTER, builder_shape(b, x).dim[0]);
    builder_group(b, x, group);
    return x;
}

const size_t *builder_published_size(const builder *b, const char *first, const char *last)
{
    static const size_t size[2] = {224, 224};
    const tensor *x = tensors_find(builder_tensors(b), first), *y = tensors_find(builder_tensors(b), last);
    const bool published =
        x != NULL && y != NULL && x->rank == 4 && y->rank == 2 && x->dim[0] == 64 && y->dim[0] == 1000;
    return published ? size : NULL;
}

depth_group builder_block_group(size_t block, size_t blocks)
{
    return block < (blocks + 3) / 4 ? GROUP_LOW : block < blocks * 3 / 4 ? GROUP_MID : GROUP_HIGH;
}

node_id builder_linear(builder *b, node_id in, const char *name, const char *source)
{
    size_t dim[2] = {0, shape_channels(builder_shape(b, in))};
    const float *weight = builder_take(b, builder_text(b, "%s.weight", source), 2, dim, dim);
    const float *bias = builder_take(b, builder_text(b, "%s.bias", source), 1, dim, NULL);
    const linear_attr attr = {.out_features = dim[0]};
    return builder_add(b, &op_linear, name, 1, &in, &attr, sizeof attr, weight, dim[0] * dim[1], bias, dim[0]);
}
