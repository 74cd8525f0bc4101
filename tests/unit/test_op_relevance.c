/* Relevance of the layers that have a rule of their own, against golden single layers (float64) and naive twins. */
#include "support/golden.h"
#include "support/layer.h"

#include <math.h>
#include <string.h>

#include "support/naive.h"

static const double tolerance = 1e-5; /* tests/golden/README.md */
static const double epsilon = 1e-6;

static shape sample_shape(const golden_array *x)
{
    shape s = {.rank = x->rank - 1};
    memcpy(s.dim, x->dim + 1, s.rank * sizeof s.dim[0]);
    return s;
}

/* A layer whose inputs, weights and outputs are those of a golden case; the output is checked against `y`. */
static void open_case(layer *l, golden *g, const char *name, const op_def *op, const void *attr,
                      const char *const inputs[])
{
    layer_spec s = {.what = name, .op = op, .attr = attr};
    golden_array x[MAX_INPUTS];
    for (; s.n_in < MAX_INPUTS && inputs[s.n_in] != NULL; s.n_in++) {
        x[s.n_in] = golden_read(g, "%s/%s", name, inputs[s.n_in]);
        s.in[s.n_in] = sample_shape(&x[s.n_in]);
    }
    if (golden_has(g, "%s/weight", name)) {
        s.n_weight = golden_read(g, "%s/weight", name).count;
        s.n_bias = golden_read(g, "%s/bias", name).count;
    }
    layer_open(l, &s, x[0].dim[0], 1);
    for (size_t i = 0; i < s.n_in; i++) {
        memcpy(l->x[i], x[i].f32, x[i].count * sizeof(float));
    }
    if (s.n_weight > 0) {
        l->n.weight = golden_read(g, "%s/weight", name).f32;
        l->n.bias = golden_read(g, "%s/bias", name).f32;
    }
    layer_forward(l, NULL);
    if (golden_has(g, "%s/y", name)) {
        const golden_array y = golden_read(g, "%s/y", name);
        assert_int_equal(y.count, l->batch * l->n_out);
        assert_close(name, y.count, l->out, y.real, tolerance);
    }
}

static void check_case(const char *name, const op_def *op, const void *attr, const char *const inputs[],
                       const char *const relevances[])
{
    golden *g = golden_open("unit_rules.h5");
    layer l;
    open_case(&l, g, name, op, attr, inputs);
    const golden_array r_out = golden_read(g, "%s/R_out", name);
    float *r_in[MAX_INPUTS] = {NULL};
    assert_int_equal(r_out.count, l.batch * l.n_out);
    for (size_t i = 0; i < l.n_in; i++) {
        r_in[i] = layer_random(&l, l.batch * l.n_x[i], 5);
    }
    layer_relevance(&l, epsilon, r_out.f32, r_in, NULL);
    for (size_t i = 0; i < l.n_in; i++) {
        const golden_array expected = golden_read(g, "%s/%s", name, relevances[i]);
        assert_close(name, expected.count, r_in[i], expected.real, tolerance);
    }
    layer_close(&l);
    golden_close(&g);
}

static const char *const x_alone[] = {"x", NULL}, *const r_in_alone[] = {"R_in"};

static void maxpool_sends_relevance_to_the_first_winner(void **state)
{
    (void)state;
    static const char *const names[] = {"maxpool2x2_s2", "maxpool3x3_s2p1", "maxpool3x3_s2p1_ties"};
    for (size_t i = 0; i < COUNT(names); i++) {
        golden *g = golden_open("unit_rules.h5");
        const maxpool_attr a = {.kernel = (size_t)golden_number(g, names[i], "kernel"),
                                .stride = (size_t)golden_number(g, names[i], "stride"),
                                .padding = (size_t)golden_number(g, names[i], "padding")};
        layer l;
        open_case(&l, g, names[i], &op_maxpool2d, &a, x_alone);
        const golden_array winner = golden_read(g, "%s/argmax_hw", names[i]);
        for (size_t k = 0; k < winner.count; k++) {
            assert_true((int64_t)l.saved[k] == winner.integer[k]);
        }
        layer_close(&l);
        golden_close(&g);
        check_case(names[i], &op_maxpool2d, &a, x_alone, r_in_alone);
    }
}

static void averages_share_by_contribution(void **state)
{
    (void)state;
    check_case("global_avgpool_norm", &op_avgpool2d, &(avgpool_attr){{1, 1}}, x_alone, r_in_alone);
    check_case("avgpool2x2_norm", &op_avgpool2d, &(avgpool_attr){{3, 3}}, x_alone, r_in_alone);
    check_case("adaptive_avgpool_4to7_norm", &op_avgpool2d, &(avgpool_attr){{7, 7}}, x_alone, r_in_alone);
    check_case("adaptive_avgpool_10x9to3x4_norm", &op_avgpool2d, &(avgpool_attr){{3, 4}}, x_alone, r_in_alone);
}

static void residual_sum_splits_by_contribution(void **state)
{
    (void)state;
    static const char *const summands[] = {"a", "b", NULL}, *const shares[] = {"R_a", "R_b"};
    check_case("residual_sum_norm", &op_add, NULL, summands, shares);
}

static void layernorm_rule_matches(void **state)
{
    (void)state;
    check_case("layernorm_rule", &op_layernorm, &(layernorm_attr){.eps = 1e-6}, x_alone, r_in_alone);
}

static void gelu_matches(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    const golden_array x = golden_read(g, "gelu/x"), y = golden_read(g, "gelu/y");
    const layer_spec s = {"gelu", &op_gelu, NULL, 1, {{.rank = 1, .dim = {x.count}}}, 0, 0, 0};
    layer l;
    layer_open(&l, &s, 1, 1);
    memcpy(l.x[0], x.f32, x.count * sizeof(float));
    layer_forward(&l, NULL);
    for (size_t i = 0; i < x.count; i++) { /* relative to each value: the tail of negative x must not be lost */
        assert_close("gelu", 1, &l.out[i], &y.real[i], 1e-5);
    }
    layer_close(&l);
    golden_close(&g);
}

static void pass_layers_pass(void **state)
{
    (void)state;
    static const op_def *const ops[] = {&op_relu, &op_gelu, &op_flatten};
    assert_true(op_relu.way == RELEVANCE_PASSES && op_gelu.way == RELEVANCE_PASSES);
    for (size_t i = 0; i < COUNT(ops); i++) {
        const layer_spec s = {ops[i]->name, ops[i], NULL, 1, {{.rank = 3, .dim = {2, 3, 4}}}, 0, 0, 0};
        layer l;
        layer_open(&l, &s, 2, i);
        const float *r_out = layer_random(&l, 48, 3);
        float *r_in[MAX_INPUTS] = {layer_floats(&l, 48)};
        layer_forward(&l, NULL);
        layer_relevance(&l, epsilon, r_out, r_in, NULL);
        assert_memory_equal(r_in[0], r_out, 48 * sizeof(float));
        assert_string_equal(ops[i]->relevance_name, "pass");
        layer_close(&l);
    }
}

/* The class token's row only; at the bottom the share of the positional embedding and the class token are dropped. */
static void ends_of_a_transformer(void **state)
{
    (void)state;
    enum { T = 5, E = 3 };
    layer l;
    const layer_spec row = {"row", &op_token_row, &(token_row_attr){.row = 0}, 1, {{.rank = 2, .dim = {T, E}}}, 0, 0,
                            0};
    layer_open(&l, &row, 2, 1);
    const float *r_out = layer_random(&l, 2 * E, 3);
    float *r_in[MAX_INPUTS] = {layer_random(&l, 2 * T * E, 4)};
    layer_relevance(&l, epsilon, r_out, r_in, NULL);
    for (size_t i = 0; i < 2 * T * E; i++) {
        assert_true(r_in[0][i] == (i % (T * E) < E ? r_out[i / (T * E) * E + i % E] : 0.0f));
    }
    layer_close(&l);

    const layer_spec tokens = {"tokens", &op_tokens, NULL, 1, {{.rank = 3, .dim = {E, 2, 2}}}, E, T * E, 0};
    layer_open(&l, &tokens, 2, 1);
    layer_forward(&l, NULL);
    r_out = layer_random(&l, 2 * T * E, 3);
    r_in[0] = layer_random(&l, 2 * E * 4, 4);
    layer_relevance(&l, epsilon, r_out, r_in, NULL);
    for (size_t i = 0; i < 2 * E * 4; i++) {
        const size_t b = i / (E * 4), e = i / 4 % E, t = i % 4 + 1, at = (b * T + t) * E + e;
        const double x = (double)l.x[0][i], z = x + (double)l.n.bias[t * E + e];
        assert_close("tokens", 1, &r_in[0][i], &(double){x * (double)r_out[at] / naive_stabilise(z, epsilon)},
                     tolerance);
    }
    layer_close(&l);
}

/* An input whose relevance is not wanted changes nothing for the others. */
static void unwanted_relevance_is_left_out(void **state)
{
    (void)state;
    const shape s = {.rank = 2, .dim = {5, 8}};
    const layer_spec specs[] = {{"attention", &op_attention, &(attention_attr){.heads = 2}, 3, {s, s, s}, 0, 0, 2},
                                {"add", &op_add, NULL, 2, {s, s}, 0, 0, 0}};
    for (size_t k = 0; k < COUNT(specs); k++) {
        layer l;
        layer_open(&l, &specs[k], 2, 1);
        layer_forward(&l, NULL);
        const float *r_out = layer_random(&l, 80, 3);
        float *all[MAX_INPUTS], *one[MAX_INPUTS] = {NULL};
        for (size_t i = 0; i < MAX_INPUTS; i++) {
            all[i] = layer_floats(&l, 80);
        }
        layer_relevance(&l, epsilon, r_out, all, NULL);
        for (size_t i = 0; i < specs[k].n_in; i++) {
            one[i] = layer_floats(&l, 80);
            layer_relevance(&l, epsilon, r_out, one, NULL);
            assert_memory_equal(one[i], all[i], 80 * sizeof(float));
            one[i] = NULL;
        }
        layer_close(&l);
    }
}

/* Relevance that comes as a quotient t by the output is the relevance t out. */
static void quotients_are_relevance(void **state)
{
    (void)state;
    const shape image = {.rank = 3, .dim = {10, 6, 4}}, rows = {.rank = 2, .dim = {5, 8}};
    const maxpool_attr window = {.kernel = 3, .stride = 2, .padding = 1};
    const layer_spec specs[] = {
        {"attention", &op_attention, &(attention_attr){.heads = 2}, 3, {rows, rows, rows}, 0, 0, 2},
        {"add", &op_add, NULL, 2, {image, image}, 0, 0, 0},
        {"maxpool", &op_maxpool2d, &window, 1, {image}, 0, 0, 0},
        {"avgpool", &op_avgpool2d, &(avgpool_attr){{3, 3}}, 1, {image}, 0, 0, 0},
        {"avgpool, as it is", &op_avgpool2d, &(avgpool_attr){{6, 4}}, 1, {image}, 0, 0, 0},
        {"subsample", &op_subsample, &(subsample_attr){.stride = 2, .out_channels = 21, .before = 5}, 1, {image}, 0, 0, 0},
        {"flatten", &op_flatten, NULL, 1, {image}, 0, 0, 0},
        {"layernorm", &op_layernorm, &(layernorm_attr){.eps = 1e-6}, 1, {rows}, 8, 8, 0},
        {"tokens", &op_tokens, NULL, 1, {image}, 10, 250, 0},
        {"row", &op_token_row, &(token_row_attr){.row = 1}, 1, {rows}, 0, 0, 0},
    };
    for (size_t k = 0; k < COUNT(specs); k++) {
        layer l;
        layer_open(&l, &specs[k], 2, 1);
        layer_forward(&l, NULL);
        const size_t n_out = l.batch * l.n_out;
        const float *t = layer_random(&l, n_out, 3);
        float *r_out = memcpy(layer_floats(&l, n_out), t, n_out * sizeof *t), *of_t[MAX_INPUTS] = {NULL},
              *of_r[MAX_INPUTS] = {NULL};
        for (size_t i = 0; i < n_out; i++) {
            r_out[i] *= l.out[i];
        }
        for (size_t i = 0; i < l.n_in; i++) {
            of_t[i] = layer_floats(&l, l.batch * l.n_x[i]);
            of_r[i] = layer_floats(&l, l.batch * l.n_x[i]);
        }
        layer_relevance_of(&l, 0.1, t, l.out, of_t, NULL);
        layer_relevance(&l, 0.1, r_out, of_r, NULL);
        for (size_t i = 0; i < l.n_in; i++) {
            double *expected = arena_alloc(l.a, l.batch * l.n_x[i], sizeof *expected);
            for (size_t j = 0; j < l.batch * l.n_x[i]; j++) {
                expected[j] = (double)of_r[i][j];
            }
            assert_close(specs[k].what, l.batch * l.n_x[i], of_t[i], expected, 1e-6);
        }
        layer_close(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maxpool_sends_relevance_to_the_first_winner),
        cmocka_unit_test(averages_share_by_contribution),
        cmocka_unit_test(residual_sum_splits_by_contribution),
        cmocka_unit_test(layernorm_rule_matches),
        cmocka_unit_test(gelu_matches),
        cmocka_unit_test(pass_layers_pass),
        cmocka_unit_test(ends_of_a_transformer),
        cmocka_unit_test(unwanted_relevance_is_left_out),
        cmocka_unit_test(quotients_are_relevance),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
