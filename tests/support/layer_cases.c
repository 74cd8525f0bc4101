#include "support/layer_cases.h"

static const conv_attr conv_plain = {
    .out_channels = 7, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_groups = {
    .out_channels = 6, .kernel = {3, 2}, .stride = {2, 1}, .padding = {2, 0}, .dilation = {1, 2}, .groups = 2};
static const conv_attr conv_point = {
    .out_channels = 5, .kernel = {1, 1}, .stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_patch = {
    .out_channels = 12, .kernel = {4, 4}, .stride = {4, 4}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_wide = {
    .out_channels = 72, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1};
static const conv_attr conv_down = {
    .out_channels = 48, .kernel = {1, 1}, .stride = {2, 2}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1};
static const linear_attr linear_row = {.out_features = 520}, linear_small = {.out_features = 9},
                         linear_tokens = {.out_features = 21}, linear_many = {.out_features = 200};
static const maxpool_attr pool_vgg = {.kernel = 2, .stride = 2}, pool_stem = {.kernel = 3, .stride = 2, .padding = 1};
static const avgpool_attr average_one = {.output = {1, 1}}, average_more = {.output = {7, 7}},
                          average_uneven = {.output = {3, 4}};
static const subsample_attr subsample_half = {.stride = 2, .out_channels = 40, .before = 8},
                            subsample_one = {.stride = 1, .out_channels = 7, .before = 3},
                            subsample_third = {.stride = 3, .out_channels = 18, .before = 0};
const layernorm_attr layer_norm_attr = {.eps = 1e-6};
const attention_attr layer_three_heads = {.heads = 3};
static const token_row_attr first_row = {.row = 0};
const token_row_attr layer_third_row = {.row = 2};

const layer_spec layer_cases[] = {
    {"input", &op_input, NULL, 1, {SHAPE3(2, 5, 4)}, 0, 0, 0},
    {"conv 3x3", &op_conv2d, &conv_plain, 1, {SHAPE3(3, 9, 8)}, 7 * 3 * 9, 7, 7},
    {"conv grouped", &op_conv2d, &conv_groups, 1, {SHAPE3(4, 7, 9)}, 6 * 2 * 6, 0, 6},
    {"conv 1x1", &op_conv2d, &conv_point, 1, {SHAPE3(8, 6, 5)}, 5 * 8, 5, 5},
    {"conv patches", &op_conv2d, &conv_patch, 1, {SHAPE3(3, 12, 16)}, 12 * 3 * 16, 12, 12},
    {"conv wide", &op_conv2d, &conv_wide, 1, {SHAPE3(40, 15, 14)}, 72 * 40 * 9, 72, 72},
    {"conv downsample", &op_conv2d, &conv_down, 1, {SHAPE3(24, 14, 14)}, 48 * 24, 48, 48},
    {"linear large", &op_linear, &linear_row, 1, {SHAPE1(1100)}, 520 * 1100, 520, 520},
    {"linear small", &op_linear, &linear_small, 1, {SHAPE1(33)}, 9 * 33, 0, 9},
    {"linear tokens", &op_linear, &linear_tokens, 1, {SHAPE2(17, 26)}, 21 * 26, 21, 21},
    {"linear many tokens", &op_linear, &linear_many, 1, {SHAPE2(197, 64)}, 200 * 64, 200, 200},
    {"relu", &op_relu, NULL, 1, {SHAPE3(3, 4, 5)}, 0, 0, 0},
    {"gelu", &op_gelu, NULL, 1, {SHAPE2(5, 7)}, 0, 0, 0},
    {"gelu of images", &op_gelu, NULL, 1, {SHAPE3(3, 4, 5)}, 0, 0, 0},
    {"maxpool 2x2", &op_maxpool2d, &pool_vgg, 1, {SHAPE3(3, 7, 6)}, 0, 0, 0},
    {"maxpool 3x3", &op_maxpool2d, &pool_stem, 1, {SHAPE3(2, 8, 9)}, 0, 0, 0},
    {"avgpool 1x1", &op_avgpool2d, &average_one, 1, {SHAPE3(3, 5, 6)}, 0, 0, 0},
    {"avgpool 7x7", &op_avgpool2d, &average_more, 1, {SHAPE3(3, 4, 4)}, 0, 0, 0},
    {"avgpool 3x4", &op_avgpool2d, &average_uneven, 1, {SHAPE3(2, 10, 9)}, 0, 0, 0},
    {"subsample half", &op_subsample, &subsample_half, 1, {SHAPE3(24, 6, 5)}, 0, 0, 0},
    {"subsample odd", &op_subsample, &subsample_one, 1, {SHAPE3(3, 4, 5)}, 0, 0, 0},
    {"subsample third", &op_subsample, &subsample_third, 1, {SHAPE3(18, 8, 7)}, 0, 0, 0},
    {"add", &op_add, NULL, 2, {SHAPE3(2, 3, 4), SHAPE3(2, 3, 4)}, 0, 0, 0},
    {"flatten", &op_flatten, NULL, 1, {SHAPE3(2, 3, 4)}, 0, 0, 0},
    {"layernorm", &op_layernorm, &layer_norm_attr, 1, {SHAPE2(5, 24)}, 24, 24, 0},
    {"tokens", &op_tokens, NULL, 1, {SHAPE3(6, 3, 2)}, 6, 42, 0},
    {"attention", &op_attention, &layer_three_heads, 3, {SHAPE2(5, 12), SHAPE2(5, 12), SHAPE2(5, 12)}, 0, 0, 3},
    {"attention, two queries",
     &op_attention,
     &layer_three_heads,
     3,
     {SHAPE2(2, 12), SHAPE2(11, 12), SHAPE2(11, 12)},
     0,
     0,
     3},
    {"token row", &op_token_row, &layer_third_row, 1, {SHAPE2(5, 6)}, 0, 0, 0},
    {"class row", &op_token_row, &first_row, 1, {SHAPE2(4, 3)}, 0, 0, 0},
};
const size_t layer_case_count = COUNT(layer_cases);
