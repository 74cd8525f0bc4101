/* Layers against their naive twins, and the laws that every layer of the table must keep. */
#include "support/layer_cases.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "support/naive.h"

/* Float32 products of up to a thousand terms of size 1, against double. */
static const double tolerance = 1e-5;

static void every_layer_of_the_table_is_tested(void **state)
{
    (void)state;
    for (size_t i = 0; i < op_count; i++) {
        size_t found = 0;
        for (size_t k = 0; k < layer_case_count; k++) {
            found += layer_cases[k].op == op_table[i];
        }
        if (found == 0) {
            fail_msg("the layer '%s' has no case in this test", op_table[i]->name);
        }
    }
}

static size_t pick(uint32_t index, size_t from, size_t to)
{
    return from + (size_t)(rng_u64(5, RNG_TEST, 2, index) % (to - from + 1));
}

static double *doubles(layer *l, size_t n)
{
    double *p = arena_alloc(l->a, n, sizeof *p);
    assert_non_null(p);
    return p;
}

static double *as_doubles(layer *l, size_t n, const float *x)
{
    double *p = doubles(l, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (double)x[i];
    }
    return p;
}

static void conv_matches_naive(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        const uint32_t k = 16 * i;
        const size_t groups = pick(k, 1, 3), in = groups * pick(k + 1, 1, 4);
        const conv_attr a = {.out_channels = groups * pick(k + 2, 1, 5),
                             .groups = groups,
                             .kernel = {pick(k + 3, 1, 5), pick(k + 4, 1, 4)},
                             .stride = {pick(k + 5, 1, 3), pick(k + 6, 1, 3)},
                             .padding = {pick(k + 7, 0, 4), pick(k + 8, 0, 3)},
                             .dilation = {pick(k + 9, 1, 3), pick(k + 10, 1, 2)}};
        const layer_spec s = {"conv",
                              &op_conv2d,
                              &a,
                              1,
                              {SHAPE3(in, pick(k + 11, 13, 17), pick(k + 12, 7, 12))},
                              a.out_channels * in / groups * a.kernel[0] * a.kernel[1],
                              pick(k + 13, 0, 1) * a.out_channels,
                              0};
        layer l;
        layer_open(&l, &s, 3, i);
        layer_forward(&l, NULL);
        const conv_shape g = {.in_channels = in,
                              .out_channels = a.out_channels,
                              .groups = groups,
                              .in_height = s.in[0].dim[1],
                              .in_width = s.in[0].dim[2],
                              .out_height = l.n.out.dim[1],
                              .out_width = l.n.out.dim[2],
                              .kernel = {a.kernel[0], a.kernel[1]},
                              .stride = {a.stride[0], a.stride[1]},
                              .padding = {a.padding[0], a.padding[1]},
                              .dilation = {a.dilation[0], a.dilation[1]}};
        double *z = doubles(&l, l.batch * l.n_out);
        naive_conv(&g, l.batch, l.n.weight, l.n.bias, l.x[0], z);
        assert_close("conv", l.batch * l.n_out, l.out, z, tolerance);
        layer_close(&l);
    }
}

static void linear_matches_naive(void **state)
{
    (void)state;
    static const size_t sizes[][4] = {
        /* batch, rows, in, out */
        {1, 1, 5, 3},    {16, 1, 512, 256}, {5, 1, 513, 257}, {33, 1, 1100, 20},
        {3, 17, 30, 40}, {2, 1, 1, 1},      {2, 2, 700, 300},
    };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const size_t rows = sizes[i][1], in = sizes[i][2], out = sizes[i][3];
        const linear_attr a = {.out_features = out};
        layer_spec s = {"linear", &op_linear, &a, 1, {SHAPE1(in)}, in * out, i % 2 * out, 0};
        if (rows > 1) {
            s.in[0] = (shape)SHAPE2(rows, in);
        }
        layer l;
        layer_open(&l, &s, sizes[i][0], i);
        layer_forward(&l, NULL);
        double *z = doubles(&l, l.batch * l.n_out);
        naive_linear(l.batch * rows, in, out, l.n.weight, l.n.bias, l.x[0], z);
        assert_close("linear", l.batch * l.n_out, l.out, z, tolerance);
        layer_close(&l);
    }
}

static void pools_match_naive(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        const layer_spec *s = &layer_cases[k];
        const size_t in[2] = {s->in[0].dim[1], s->in[0].dim[2]};
        if (s->op != &op_maxpool2d && s->op != &op_avgpool2d) {
            continue;
        }
        layer l;
        layer_open(&l, s, 3, k);
        for (size_t i = 0; i < l.batch * l.n_x[0]; i++) {
            l.x[0][i] = floorf(3.0f * l.x[0][i]); /* ties */
        }
        layer_forward(&l, NULL);
        const size_t planes = l.batch * s->in[0].dim[0], out[2] = {l.n.out.dim[1], l.n.out.dim[2]};
        const double *x = as_doubles(&l, l.batch * l.n_x[0], l.x[0]);
        double *z = doubles(&l, l.batch * l.n_out);
        if (s->op == &op_avgpool2d) {
            naive_avgpool(planes, in, out, x, z);
        } else {
            const maxpool_attr *a = s->attr;
            size_t *winner = arena_alloc(l.a, l.batch * l.n_out, sizeof *winner);
            naive_maxpool(planes, in, out, a->kernel, a->stride, a->padding, x, z, winner);
            for (size_t i = 0; i < l.batch * l.n_out; i++) {
                assert_true((size_t)l.saved[i] == winner[i]);
            }
        }
        assert_close(s->what, l.batch * l.n_out, l.out, z, 1e-6);
        layer_close(&l);
    }
}

/* y[c,i,j] = x[c - before, s i, s j], else 0; relevance goes back the same way and to nothing else. */
static void subsampling_matches_its_definition(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        if (layer_cases[k].op != &op_subsample) {
            continue;
        }
        const subsample_attr *a = layer_cases[k].attr;
        layer l;
        layer_open(&l, &layer_cases[k], 3, k);
        layer_forward(&l, NULL);
        const shape in = layer_cases[k].in[0], out = l.n.out;
        assert_int_equal(out.dim[1], (in.dim[1] + a->stride - 1) / a->stride);
        assert_int_equal(out.dim[2], (in.dim[2] + a->stride - 1) / a->stride);
        float *r_out = layer_random(&l, l.batch * l.n_out, 5),
              *r_in[MAX_INPUTS] = {layer_floats(&l, l.batch * l.n_x[0])};
        double *z = doubles(&l, l.batch * l.n_out), *r = doubles(&l, l.batch * l.n_x[0]);
        for (size_t i = 0; i < l.batch * l.n_out; i++) {
            const size_t x = i % out.dim[2], y = i / out.dim[2] % out.dim[1],
                         c = i / out.dim[2] / out.dim[1] % out.dim[0];
            const size_t b = i / l.n_out;
            if (c >= a->before && c < a->before + in.dim[0]) {
                const size_t from =
                    ((b * in.dim[0] + c - a->before) * in.dim[1] + y * a->stride) * in.dim[2] + x * a->stride;
                z[i] = (double)l.x[0][from];
                r[from] = (double)r_out[i];
            }
        }
        assert_close(layer_cases[k].what, l.batch * l.n_out, l.out, z, 0.0);
        layer_relevance(&l, 1e-6, r_out, r_in, NULL);
        assert_close(layer_cases[k].what, l.batch * l.n_x[0], r_in[0], r, 0.0);
        layer_close(&l);
    }
}

static void rows_match_naive(void **state)
{
    (void)state;
    layer l;
    for (size_t k = 0; k < layer_case_count; k++) {
        const layer_spec *s = &layer_cases[k];
        if (s->op != &op_layernorm && s->op != &op_gelu && s->op != &op_relu && s->op != &op_add) {
            continue;
        }
        layer_open(&l, s, 3, k);
        for (size_t i = 0; s->op == &op_gelu && i < l.batch * l.n_x[0]; i++) {
            l.x[0][i] *= 6.0f;
        }
        layer_forward(&l, NULL);
        const size_t n = l.batch * l.n_out;
        double *y = doubles(&l, n);
        for (size_t i = 0; i < n; i++) {
            const double x = (double)l.x[0][i];
            y[i] = s->op == &op_gelu   ? naive_gelu(x)
                   : s->op == &op_relu ? fmax(x, 0.0)
                   : s->op == &op_add  ? x + (double)l.x[1][i]
                                       : 0.0;
        }
        if (s->op == &op_layernorm) {
            naive_layernorm(l.batch * s->in[0].dim[0], s->in[0].dim[1], layer_norm_attr.eps, l.n.weight, l.n.bias,
                            as_doubles(&l, n, l.x[0]), y);
        }
        assert_close(s->what, n, l.out, y, 1e-6);
        layer_close(&l);
    }
}

/* Columns [h d, (h+1) d) of [t,e] as doubles. */
static double *head_of(layer *l, const float *x, size_t t, size_t e, size_t d, size_t h)
{
    double *out = doubles(l, t * d);
    for (size_t i = 0; i < t * d; i++) {
        out[i] = (double)x[i / d * e + h * d + i % d];
    }
    return out;
}

static float *floats_of_head(layer *l, const float *x, size_t t, size_t e, size_t d, size_t h)
{
    float *out = layer_floats(l, t * d);
    for (size_t i = 0; i < t * d; i++) {
        out[i] = x[i / d * e + h * d + i % d];
    }
    return out;
}

static void attention_matches_naive(void **state)
{
    (void)state;
    enum { T = 5, E = 12, H = 3, D = E / H, BATCH = 2 };
    const layer_spec s = {
        "attention", &op_attention, &layer_three_heads, 3, {SHAPE2(T, E), SHAPE2(T, E), SHAPE2(T, E)}, 0, 0, H};
    layer l;
    layer_open(&l, &s, BATCH, 9);
    for (size_t i = 0; i < BATCH * T * E; i++) {
        l.x[0][i] *= 5.0f; /* attention far from uniform */
    }
    layer_forward(&l, NULL);
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t h = 0; h < H; h++) {
            const size_t at = b * T * E;
            double logits[T * T], attention[T * T], out[T * D];
            naive_attention(T, T, D, head_of(&l, l.x[0] + at, T, E, D, h), head_of(&l, l.x[1] + at, T, E, D, h),
                            head_of(&l, l.x[2] + at, T, E, D, h), logits, attention, out);
            assert_close("attention", T * T, l.saved + (b * H + h) * T * T, attention, 1e-6);
            assert_close("attention output", T * D, floats_of_head(&l, l.out + at, T, E, D, h), out, 1e-6);
        }
    }
    layer_close(&l);
}

/* Tokens and rows only move numbers (and add): checked by index. */
static void tokens_are_in_order(void **state)
{
    (void)state;
    enum { E = 6, GH = 3, GW = 2, T = GH * GW + 1 };
    const layer_spec s = {"tokens", &op_tokens, NULL, 1, {SHAPE3(E, GH, GW)}, E, T * E, 0};
    layer l;
    layer_open(&l, &s, 2, 4);
    layer_forward(&l, NULL);
    for (size_t b = 0; b < 2; b++) {
        for (size_t t = 0; t < T; t++) {
            for (size_t e = 0; e < E; e++) {
                const float x = t == 0 ? l.n.weight[e] : l.x[0][((b * E + e) * GH + (t - 1) / GW) * GW + (t - 1) % GW];
                assert_true(l.out[(b * T + t) * E + e] == x + l.n.bias[t * E + e]);
            }
        }
    }
    layer_close(&l);
    const layer_spec row = {"row", &op_token_row, &layer_third_row, 1, {SHAPE2(5, 6)}, 0, 0, 0};
    layer_open(&l, &row, 2, 4);
    layer_forward(&l, NULL);
    assert_memory_equal(l.out, l.x[0] + 2 * 6, 6 * sizeof(float));
    assert_memory_equal(l.out + 6, l.x[0] + (5 + 2) * 6, 6 * sizeof(float));
    layer_close(&l);
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* <A x, y> = <x, A' y> */
static void adjoints_are_adjoint(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        if (layer_cases[k].op->product == NULL) {
            continue;
        }
        layer l;
        layer_open(&l, &layer_cases[k], 3, k);
        const size_t n_in = l.batch * l.n_x[0], n_out = l.batch * l.n_out;
        const float *y = layer_random(&l, n_out, 50 + k);
        float *r = layer_random(&l, n_in, 60 + k);
        layer_product(&l, (conv_pass){0}, l.n.weight, NULL, l.x[0], l.out);
        layer_product(&l, (conv_pass){.adjoint = true}, l.n.weight, NULL, y, r);
        const double left = dot(n_out, l.out, y), right = dot(n_in, l.x[0], r),
                     size = sqrt(dot(n_out, l.out, l.out) * dot(n_out, y, y));
        if (!(fabs(left - right) <= 1e-6 * size)) {
            fail_msg("%s: <Ax,y> = %.9g, <x,A'y> = %.9g", layer_cases[k].what, left, right);
        }
        layer_close(&l);
    }
}

/* Bias, sum and ReLU done with the product are those done after it. */
static void fused_steps_match_single_ones(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        if (layer_cases[k].op->product == NULL) {
            continue;
        }
        for (unsigned bits = 0; bits < 8; bits++) {
            layer l;
            layer_open(&l, &layer_cases[k], 3, k);
            const bool has_bias = (bits & 1) != 0 && l.n.bias != NULL;
            const conv_pass pass = {.bias = has_bias, .add = (bits & 2) != 0, .relu = (bits & 4) != 0};
            const size_t n = l.batch * l.n_out;
            const shape s = l.n.out;
            const size_t plane = s.rank == 3 ? s.dim[1] * s.dim[2] : 1;
            double *expected = doubles(&l, n);
            float *z = layer_floats(&l, n);
            layer_product(&l, (conv_pass){0}, l.n.weight, NULL, l.x[0], z);
            for (size_t i = 0; i < n; i++) {
                expected[i] = (double)z[i] + (has_bias ? (double)l.n.bias[i / plane % shape_channels(s)] : 0.0) +
                              (pass.add ? (double)l.out[i] : 0.0);
                expected[i] = pass.relu ? fmax(expected[i], 0.0) : expected[i];
            }
            layer_product(&l, pass, l.n.weight, l.n.bias, l.x[0], l.out);
            assert_close(layer_cases[k].what, n, l.out, expected, 1e-6);
            layer_close(&l);
        }
    }
}

/* What slot 0 holds after everything a layer can do. */
typedef struct slot_results {
    float *out, *saved, *z, *r, *r_in[MAX_INPUTS], *g_in[MAX_INPUTS], *component, *g_component;
    size_t n_component;
} slot_results;

static void run_everything(layer *l, slot_results *r)
{
    const op_def *op = l->n.op;
    float *r_out = layer_random(l, l->batch * l->n_out, 70);
    *r = (slot_results){.out = l->out, .saved = l->saved};
    for (size_t b = 1; b < l->batch; b++) {
        memcpy(r_out + b * l->n_out, r_out, l->n_out * sizeof *r_out);
    }
    layer_forward(l, NULL);
    if (op->product != NULL) {
        r->z = layer_floats(l, l->batch * l->n_out);
        r->r = layer_floats(l, l->batch * l->n_x[0]);
        layer_product(l, (conv_pass){.relu = true}, l->n.weight, NULL, l->x[0], r->z);
        layer_product(l, (conv_pass){.adjoint = true}, l->n.weight, NULL, r_out, r->r);
    }
    if (op->relevance != NULL) {
        r->n_component = op == &op_attention ? l->n.out.dim[0] * l->n.n_components : 0;
        r->component = layer_floats(l, l->batch * r->n_component);
        for (size_t i = 0; i < l->n_in; i++) {
            r->r_in[i] = layer_floats(l, l->batch * l->n_x[i]);
        }
        layer_relevance(l, 1e-6, r_out, r->r_in, r->n_component == 0 ? NULL : r->component);
    }
    if (op->gradient_way != RELEVANCE_NONE) {
        r->g_component = layer_floats(l, l->batch * r->n_component);
        for (size_t i = 0; i < l->n_in; i++) {
            r->g_in[i] = layer_floats(l, l->batch * l->n_x[i]);
        }
        layer_gradient(l, r_out, r->g_in, r->n_component == 0 ? NULL : r->g_component, NULL);
    }
}

/* The slot law (architecture): a sample's bits depend neither on its slot nor on the size of the batch. */
static void slots_have_the_same_bits(void **state)
{
    (void)state;
    static const size_t batches[] = {16, 6, 19};
    for (size_t k = 0; k < layer_case_count; k++) {
        layer one, l;
        slot_results alone, r;
        layer_open(&one, &layer_cases[k], 1, k);
        run_everything(&one, &alone);
        for (size_t i = 0; i < COUNT(batches); i++) {
            layer_open(&l, &layer_cases[k], batches[i], k);
            layer_same_sample(&l);
            run_everything(&l, &r);
            assert_same_slots(layer_cases[k].what, l.batch, l.n_out, r.out);
            assert_memory_equal(r.out, alone.out, l.n_out * sizeof(float));
            assert_same_slots(layer_cases[k].what, l.batch, l.n_saved, r.saved);
            if (r.z != NULL) {
                assert_same_slots(layer_cases[k].what, l.batch, l.n_out, r.z);
                assert_same_slots(layer_cases[k].what, l.batch, l.n_x[0], r.r);
                assert_memory_equal(r.r, alone.r, l.n_x[0] * sizeof(float));
            }
            for (size_t j = 0; j < l.n_in && r.r_in[j] != NULL; j++) {
                assert_same_slots(layer_cases[k].what, l.batch, l.n_x[j], r.r_in[j]);
                assert_memory_equal(r.r_in[j], alone.r_in[j], l.n_x[j] * sizeof(float));
            }
            for (size_t j = 0; j < l.n_in && r.g_in[j] != NULL; j++) {
                assert_same_slots(layer_cases[k].what, l.batch, l.n_x[j], r.g_in[j]);
                assert_memory_equal(r.g_in[j], alone.g_in[j], l.n_x[j] * sizeof(float));
            }
            assert_same_slots(layer_cases[k].what, l.batch, r.n_component, r.component);
            assert_same_slots(layer_cases[k].what, l.batch, r.n_component, r.g_component);
            layer_close(&l);
        }
        layer_close(&one);
    }
}

/* Dead components are exactly 0, the others keep their bits. */
static void dead_components_are_zero(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        if (layer_cases[k].n_components == 0) {
            continue;
        }
        layer l;
        layer_open(&l, &layer_cases[k], 3, k);
        uint8_t *alive = arena_alloc(l.a, l.n.n_components, 1);
        for (size_t c = 0; c < l.n.n_components; c++) {
            alive[c] = c % 3 != 1;
        }
        layer_forward(&l, NULL);
        const float *dense = memcpy(layer_floats(&l, l.batch * l.n_out), l.out, l.batch * l.n_out * sizeof(float));
        layer_forward(&l, alive);
        const shape s = l.n.out;
        const size_t plane = s.rank == 3 ? s.dim[1] * s.dim[2] : 1, share = shape_channels(s) / l.n.n_components;
        for (size_t i = 0; i < l.batch * l.n_out; i++) {
            const size_t c = i / plane % shape_channels(s) / share;
            if (l.out[i] != (alive[c] ? dense[i] : 0.0f)) {
                fail_msg("%s: element %zu of component %zu is %g", layer_cases[k].what, i, c, (double)l.out[i]);
            }
        }
        layer_close(&l);
    }
}

static void layers_work_in_place_where_they_say_so(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        for (size_t i = 0; layer_cases[k].op->in_place && i < layer_cases[k].n_in; i++) {
            layer l;
            layer_open(&l, &layer_cases[k], 3, k);
            layer_forward(&l, NULL);
            const float *apart = memcpy(layer_floats(&l, l.batch * l.n_out), l.out, l.batch * l.n_out * sizeof(float));
            layer_forward_in_place(&l, i, NULL);
            assert_memory_equal(l.out, apart, l.batch * l.n_out * sizeof(float));
            layer_close(&l);
        }
    }
}

static size_t rows_in(shape s)
{
    return s.rank == 2 ? s.dim[0] : 0;
}

/* What a layer of tokens says of itself: row t of its output comes from row t alone of the inputs that it names. */
static void layers_by_row_read_one_row(void **state)
{
    (void)state;
    const size_t t = 1;
    for (size_t k = 0; k < layer_case_count; k++) {
        for (size_t i = 0; i < layer_cases[k].n_in; i++) {
            layer l;
            layer_open(&l, &layer_cases[k], 2, k);
            const bool by_row = (layer_cases[k].op->by_row >> i & 1u) != 0;
            const size_t width = l.in_shape[i].dim[1], wide = l.n.out.dim[1];
            if (!by_row || rows_in(l.in_shape[i]) <= t || rows_in(l.n.out) <= t) {
                layer_close(&l);
                continue;
            }
            layer_forward(&l, NULL);
            const float *before = memcpy(layer_floats(&l, l.batch * l.n_out), l.out, l.batch * l.n_out * sizeof(float));
            for (size_t j = 0; j < l.batch * l.n_x[i]; j++) {
                l.x[i][j] += j % l.n_x[i] / width == t ? 0.0f : 1.0f;
            }
            layer_forward(&l, NULL);
            for (size_t b = 0; b < l.batch; b++) {
                const size_t row = b * l.n_out + t * wide;
                assert_memory_equal(l.out + row, before + row, wide * sizeof(float));
            }
            assert_memory_not_equal(l.out, before, wide * sizeof(float)); /* row 0 */
            layer_close(&l);
        }
    }
}

/* A layer that maps 0 to 0 says which channels stay 0: what compaction counts on. */
static void live_channels_are_true(void **state)
{
    (void)state;
    for (size_t k = 0; k < layer_case_count; k++) {
        if (layer_cases[k].op->live != op_relu.live && layer_cases[k].op != &op_flatten &&
            layer_cases[k].op != &op_subsample) {
            continue;
        }
        layer l;
        uint8_t in_live[64], out_live[64];
        layer_open(&l, &layer_cases[k], 1, k);
        const shape s = l.in_shape[0], o = l.n.out;
        const size_t plane = s.rank == 3 ? s.dim[1] * s.dim[2] : 1, out_plane = o.rank == 3 ? o.dim[1] * o.dim[2] : 1;
        for (size_t i = 0; i < l.n_x[0]; i++) {
            const size_t c = i / plane % shape_channels(s);
            in_live[c] = c % 2 == 0;
            l.x[0][i] = in_live[c] ? fabsf(l.x[0][i]) + 0.1f : 0.0f;
        }
        layer_forward(&l, NULL);
        l.n.op->live(&l.n, l.in_shape, NULL, (const uint8_t *const[]){in_live}, out_live);
        for (size_t i = 0; i < l.n_out; i++) {
            assert_true((l.out[i] != 0.0f) == (out_live[i / out_plane % shape_channels(o)] != 0));
        }
        layer_close(&l);
    }
}

static void not_a_number_is_not_hidden(void **state)
{
    (void)state;
    static const op_def *const ops[] = {&op_relu, &op_maxpool2d};
    for (size_t k = 0; k < layer_case_count; k++) {
        for (size_t i = 0; i < COUNT(ops); i++) {
            if (layer_cases[k].op == ops[i]) {
                layer l;
                layer_open(&l, &layer_cases[k], 1, k);
                l.x[0][1] = NAN;
                layer_forward(&l, NULL);
                assert_true(isnan(l.out[0]) || isnan(l.out[1]));
                layer_close(&l);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_of_the_table_is_tested),
        cmocka_unit_test(conv_matches_naive),
        cmocka_unit_test(linear_matches_naive),
        cmocka_unit_test(pools_match_naive),
        cmocka_unit_test(subsampling_matches_its_definition),
        cmocka_unit_test(rows_match_naive),
        cmocka_unit_test(attention_matches_naive),
        cmocka_unit_test(tokens_are_in_order),
        cmocka_unit_test(adjoints_are_adjoint),
        cmocka_unit_test(fused_steps_match_single_ones),
        cmocka_unit_test(slots_have_the_same_bits),
        cmocka_unit_test(dead_components_are_zero),
        cmocka_unit_test(layers_work_in_place_where_they_say_so),
        cmocka_unit_test(layers_by_row_read_one_row),
        cmocka_unit_test(live_channels_are_true),
        cmocka_unit_test(not_a_number_is_not_hidden),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
