/* Relevance of attention: its products and every softmax rule, against golden single layers (float64) and naive twins. */
#include "support/golden.h"
#include "support/layer_cases.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/ops/softmax_rules.h"
#include "support/naive.h"

static const double tolerance = 1e-5; /* tests/golden/README.md */
static const double epsilon = 1e-6;

/* Our names and those of the golden vectors. */
static const struct {
    const char *name, *golden;
} rules[] = {{"epsilon", "Epsilon"}, {"z-plus", "ZPlus_vbias_F"}, {"z-plus-bias", "ZPlus_vbias_T"}, {"cp", "CP"}};

static int rule_named(const char *name)
{
    for (int i = 0; softmax_rule_names[i] != NULL; i++) {
        if (strcmp(softmax_rule_names[i], name) == 0) {
            return i;
        }
    }
    fail_msg("no softmax rule '%s'", name);
    return 0;
}

static void every_softmax_rule_is_tested(void **state)
{
    (void)state;
    for (int i = 0; softmax_rule_names[i] != NULL; i++) {
        bool found = false;
        for (size_t k = 0; k < COUNT(rules); k++) {
            found = found || rule_named(rules[k].name) == i;
        }
        if (!found || strstr(softmax_rule_help, softmax_rule_names[i]) == NULL) {
            fail_msg("the softmax rule '%s' is not tested, or its help is missing", softmax_rule_names[i]);
        }
    }
}

/* One row by the definition; nothing for a rule that lets nothing pass. */
static void naive_row(const char *name, size_t n, double eps, const double *s, const double *r_a, double *r_s)
{
    if (strcmp(name, "epsilon") == 0) {
        naive_softmax_epsilon(n, s, r_a, r_s);
    } else if (strcmp(name, "cp") == 0) {
        memset(r_s, 0, n * sizeof *r_s);
    } else {
        naive_softmax_z_plus(n, eps, strcmp(name, "z-plus-bias") == 0, s, r_a, r_s);
    }
}

/* The naive twins are themselves held against the golden cases [2,3,...], head by head. */
static void naive_attention_rules_match(void **state)
{
    (void)state;
    enum { T = 5, D = 4, HEADS = 6 };
    golden *g = golden_open("unit_rules.h5");
    const double *a = golden_read(g, "av_matmul/A").real, *v = golden_read(g, "av_matmul/v").real;
    const double *r_o = golden_read(g, "av_matmul/R_out").real, *s = golden_read(g, "softmax_rules/x").real;
    const double *r_a = golden_read(g, "softmax_rules/R_out").real, *q = golden_read(g, "qk_matmul/q").real;
    const double *k = golden_read(g, "qk_matmul/k").real, *r_s = golden_read(g, "qk_matmul/R_out").real;
    double big[T * T], small[T * D], other[T * D];
    for (size_t h = 0; h < HEADS; h++) {
        const size_t tt = h * T * T, td = h * T * D;
        for (size_t cp = 0; cp < 2; cp++) {
            const char *group = cp == 1 ? "CP" : "reference";
            naive_av_rule(T, T, D, cp == 1 ? 1.0 : 2.0, epsilon, a + tt, v + td, r_o + td, big, small);
            for (size_t i = 0; i < T * T; i++) {
                assert_true(fabs(big[i] - golden_read(g, "av_matmul/%s/R_A", group).real[tt + i]) < 1e-9);
            }
            for (size_t i = 0; i < T * D; i++) {
                assert_true(fabs(small[i] - golden_read(g, "av_matmul/%s/R_v", group).real[td + i]) < 1e-9);
            }
        }
        for (size_t r = 0; r < COUNT(rules); r++) {
            const double *expected = golden_read(g, "softmax_rules/R_in/%s", rules[r].golden).real;
            for (size_t i = 0; i < T; i++) {
                naive_row(rules[r].name, T, epsilon, s + tt + i * T, r_a + tt + i * T, big + i * T);
            }
            for (size_t i = 0; i < T * T; i++) {
                assert_true(fabs(big[i] - expected[tt + i]) < 1e-9);
            }
        }
        double attention[T * T];
        naive_attention(T, T, D, q + td, k + td, v + td, big, attention, small);
        for (size_t i = 0; i < T * T; i++) {
            assert_true(fabs(big[i] - golden_read(g, "qk_matmul/y").real[tt + i]) < 1e-9);
        }
        naive_qk_rule(T, T, D, 0.5, epsilon, q + td, k + td, r_s + tt, small, other);
        for (size_t i = 0; i < T * D; i++) {
            assert_true(fabs(small[i] - golden_read(g, "qk_matmul/R_q").real[td + i]) < 1e-9);
            assert_true(fabs(other[i] - golden_read(g, "qk_matmul/R_k").real[td + i]) < 1e-9);
        }
    }
    golden_close(&g);
}

static void softmax_rules_are_golden(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    const golden_array s = golden_read(g, "softmax_rules/x"), a = golden_read(g, "softmax_rules/y");
    const golden_array r_a = golden_read(g, "softmax_rules/R_out");
    const size_t n = s.dim[3];
    for (size_t k = 0; k < COUNT(rules); k++) {
        const golden_array expected = golden_read(g, "softmax_rules/R_in/%s", rules[k].golden);
        const softmax_rule *rule = &softmax_rules[rule_named(rules[k].name)];
        float r[512];
        assert_true(r_a.count <= COUNT(r));
        memcpy(r, r_a.f32, r_a.count * sizeof *r);
        for (size_t row = 0; rule->row != NULL && row < s.count; row += n) {
            rule->row(n, epsilon, s.f32 + row, a.f32 + row, r + row);
        }
        for (size_t i = 0; rule->row == NULL && i < expected.count; i++) {
            r[i] = 0.0f; /* what a rule without a row says */
        }
        assert_close(rules[k].name, expected.count, r, expected.real, tolerance);
    }
    golden_close(&g);
}

enum { KEYS = 197 };

/* Logits of one query, from flat to one key that takes nearly all, and relevance A g of its attention as the value product gives it. */
static void make_row(uint32_t index, float scale, float s[KEYS], float a[KEYS], float r[KEYS])
{
    double sum = 0.0;
    for (size_t i = 0; i < KEYS; i++) {
        s[i] = scale * (float)(2.0 * rng_uniform(3, RNG_TEST, index, (uint32_t)i) - 1.0);
        sum += exp((double)s[i]);
    }
    for (size_t i = 0; i < KEYS; i++) {
        a[i] = (float)(exp((double)s[i]) / sum);
        r[i] = a[i] * (float)(2.0 * rng_uniform(4, RNG_TEST, index, (uint32_t)i) - 1.0);
    }
}

static void compare_row(const char *name, float scale, double eps, const float s[KEYS], const float a[KEYS],
                        const float r_a[KEYS])
{
    double logits[KEYS], r_in[KEYS], expected[KEYS];
    float r[KEYS];
    char what[64];
    for (size_t i = 0; i < KEYS; i++) {
        logits[i] = (double)s[i];
        r_in[i] = (double)r_a[i];
        r[i] = r_a[i];
    }
    naive_row(name, KEYS, eps, logits, r_in, expected);
    softmax_rules[rule_named(name)].row(KEYS, eps, s, a, r);
    (void)snprintf(what, sizeof what, "%s, logits up to %g", name, (double)scale);
    assert_close(what, KEYS, r, expected, tolerance);
}

/* Long rows, and sharp ones: where one key has all but 1e-6 of the attention, what is left over is what the rules share out. */
static void softmax_rules_match_naive(void **state)
{
    (void)state;
    const float scales[] = {0.5f, 3.0f, 8.0f};
    float s[KEYS], a[KEYS], r[KEYS];
    for (size_t k = 0; k < COUNT(rules); k++) {
        for (uint32_t i = 0; i < COUNT(scales) && strcmp(rules[k].name, "cp") != 0; i++) {
            make_row(i, scales[i], s, a, r);
            compare_row(rules[k].name, scales[i], epsilon, s, a, r);
        }
    }
    for (size_t k = 0; k < COUNT(rules) && strcmp(rules[k].name, "cp") != 0; k++) {
        double sum = 0.0;
        make_row(7, 1.0f, s, a, r);
        s[31] = 19.0f;
        for (size_t i = 0; i < KEYS; i++) {
            sum += exp((double)s[i]);
        }
        for (size_t i = 0; i < KEYS; i++) {
            const float g = r[i] / a[i];
            a[i] = (float)(exp((double)s[i]) / sum);
            r[i] = a[i] * g;
        }
        assert_true(a[31] > 0.999998f);
        compare_row(rules[k].name, 19.0f, 1e-12, s, a, r);
    }
}

/* z-plus shares out what comes: sum(R_S) = sum(R_A) as the stabiliser goes to 0. */
static void z_plus_conserves(void **state)
{
    (void)state;
    float s[KEYS], a[KEYS], r[KEYS];
    double before = 0.0, after = 0.0, size = 0.0;
    make_row(5, 2.0f, s, a, r);
    for (size_t i = 0; i < KEYS; i++) {
        before += (double)r[i];
        size += fabs((double)r[i]);
    }
    softmax_rules[rule_named("z-plus")].row(KEYS, 0.0, s, a, r);
    for (size_t i = 0; i < KEYS; i++) {
        after += (double)r[i];
    }
    assert_true(size > 0.1 && fabs(after - before) < 1e-6 * size);
}

/* A single key has all the attention whatever its logit: no term is positive, and nothing is divided by 0. */
static void a_single_key_gets_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(rules); k++) {
        const softmax_rule *rule = &softmax_rules[rule_named(rules[k].name)];
        for (int sign = -1; rule->row != NULL && sign <= 1; sign++) {
            float r = 0.5f;
            rule->row(1, 0.0, &(float){(float)sign}, &(float){1.0f}, &r);
            assert_true(r == 0.0f);
        }
    }
}

static void only_cp_leaves_queries_and_keys_out(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(rules); k++) {
        const int rule = rule_named(rules[k].name);
        const bool all = strcmp(rules[k].name, "cp") != 0;
        assert_true(op_attention.reaches(rule, 2));
        assert_true(op_attention.reaches(rule, 0) == all && op_attention.reaches(rule, 1) == all);
        assert_true((softmax_rules[rule].row != NULL) == all);
    }
}

/* The product with the values, through the layer: golden A, v and output. Heads are put side by side. */
static void check_value_rule(const char *name, const char *group)
{
    enum { B = 2, H = 3, T = 5, D = 4, E = H * D };
    golden *g = golden_open("unit_rules.h5");
    const layer_spec s = {"av", &op_attention, &layer_three_heads, 3, {SHAPE2(T, E), SHAPE2(T, E), SHAPE2(T, E)}, 0, 0,
                          H};
    const golden_array a = golden_read(g, "av_matmul/A"), v = golden_read(g, "av_matmul/v"),
                       y = golden_read(g, "av_matmul/y");
    const golden_array r_out = golden_read(g, "av_matmul/R_out"), r_v = golden_read(g, "av_matmul/%s/R_v", group);
    const golden_array r_a = golden_read(g, "av_matmul/%s/R_A", group);
    layer l;
    layer_open(&l, &s, B, 1);
    l.softmax_rule = rule_named(name);
    float *r_o = layer_floats(&l, B * T * E), *found = layer_floats(&l, B * T * E),
          *component = layer_floats(&l, B * T * H);
    double *expected = arena_alloc(l.a, B * T * E, sizeof *expected), *sums = arena_alloc(l.a, B * T * H, sizeof *sums);
    memcpy(l.saved, a.f32, a.count * sizeof(float));
    for (size_t i = 0; i < B * T * E; i++) {
        const size_t b = i / (T * E), t = i / E % T, h = i % E / D, j = i % D, from = ((b * H + h) * T + t) * D + j;
        l.x[2][i] = v.f32[from];
        l.out[i] = y.f32[from];
        r_o[i] = r_out.f32[from];
        expected[i] = r_v.real[from];
    }
    for (size_t i = 0; i < B * H * T * T; i++) {
        sums[(i / (H * T * T) * T + i / T % T) * H + i / (T * T) % H] += r_a.real[i];
    }
    layer_relevance(&l, epsilon, r_o, (float *[]){NULL, NULL, found}, component);
    assert_close("R_v", B * T * E, found, expected, tolerance);
    assert_close("heads", B * T * H, component, sums, tolerance);
    layer_close(&l);
    golden_close(&g);
}

static void attention_value_rule_matches(void **state)
{
    (void)state;
    check_value_rule("epsilon", "reference");
    check_value_rule("z-plus", "reference");
    check_value_rule("z-plus-bias", "reference");
    check_value_rule("cp", "CP");
}

enum { MOST = 8, D = 4, HEADS = 2, E = D * HEADS };

/* Head h of x [rows,E]. */
static void head_of(size_t rows, const float *x, size_t h, double out[MOST * D])
{
    for (size_t i = 0; i < rows * D; i++) {
        out[i] = (double)x[i / D * E + h * D + i % D];
    }
}

/* Relevance of q, k, v and of the head per query, as the twins have it. */
typedef struct head_relevance {
    double in[3][MOST * D], head[MOST];
} head_relevance;

static void naive_head(const layer *l, const char *name, size_t h, const float *r_out, head_relevance *to)
{
    const size_t tq = l->in_shape[0].dim[0], t = l->in_shape[1].dim[0];
    double x[3][MOST * D], r_o[MOST * D], logits[MOST * MOST], a[MOST * MOST], o[MOST * D], r_a[MOST * MOST],
        r_s[MOST * MOST];
    for (size_t k = 0; k < 3; k++) {
        head_of(k == 0 ? tq : t, l->x[k], h, x[k]);
    }
    head_of(tq, r_out, h, r_o);
    naive_attention(tq, t, D, x[0], x[1], x[2], logits, a, o);
    naive_av_rule(tq, t, D, strcmp(name, "cp") == 0 ? 1.0 : 2.0, epsilon, a, x[2], r_o, r_a, to->in[2]);
    for (size_t i = 0; i < tq; i++) {
        naive_row(name, t, epsilon, logits + i * t, r_a + i * t, r_s + i * t);
        to->head[i] = 0.0;
        for (size_t k = 0; k < t; k++) {
            to->head[i] += r_a[i * t + k];
        }
    }
    naive_qk_rule(tq, t, D, 0.5, epsilon, x[0], x[1], r_s, to->in[0], to->in[1]);
}

static void check_attention(const char *name, size_t queries, size_t keys)
{
    const layer_spec s = {name,
                          &op_attention,
                          &(attention_attr){.heads = HEADS},
                          3,
                          {SHAPE2(queries, E), SHAPE2(keys, E), SHAPE2(keys, E)},
                          0,
                          0,
                          HEADS};
    layer l;
    layer_open(&l, &s, 1, 6);
    l.softmax_rule = rule_named(name);
    for (size_t i = 0; i < keys * E; i++) {
        l.x[2][i] += 2.0f; /* outputs away from 0, where rounding would be amplified */
    }
    for (size_t i = 0; i < queries * E; i += 2) {
        l.x[0][i] += 2.0f;
    }
    layer_forward(&l, NULL);
    const float *r_out = layer_random(&l, queries * E, 8);
    float *r_in[MAX_INPUTS] = {NULL}, *component = layer_random(&l, queries * HEADS, 9);
    for (size_t k = 0; k < 3; k++) {
        r_in[k] = op_attention.reaches(l.softmax_rule, k) ? layer_random(&l, l.n_x[k], 10) : NULL;
    }
    layer_relevance(&l, epsilon, r_out, r_in, component);
    for (size_t h = 0; h < HEADS; h++) {
        head_relevance expected;
        naive_head(&l, name, h, r_out, &expected);
        for (size_t k = 0; k < 3; k++) {
            float found[MOST * D];
            for (size_t i = 0; i < l.n_x[k] / HEADS && r_in[k] != NULL; i++) {
                found[i] = r_in[k][i / D * E + h * D + i % D];
            }
            if (r_in[k] != NULL) {
                assert_close(name, l.n_x[k] / HEADS, found, expected.in[k], tolerance);
            }
        }
        for (size_t i = 0; i < queries; i++) {
            assert_true(fabs((double)component[i * HEADS + h] - expected.head[i]) < 1e-5);
        }
    }
    layer_close(&l);
}

static void attention_rules_match_naive(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(rules); k++) {
        check_attention(rules[k].name, 5, 5);
        check_attention(rules[k].name, 1, 7);
        check_attention(rules[k].name, 6, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_softmax_rule_is_tested),
        cmocka_unit_test(naive_attention_rules_match),
        cmocka_unit_test(softmax_rules_are_golden),
        cmocka_unit_test(softmax_rules_match_naive),
        cmocka_unit_test(z_plus_conserves),
        cmocka_unit_test(a_single_key_gets_nothing),
        cmocka_unit_test(only_cp_leaves_queries_and_keys_out),
        cmocka_unit_test(attention_value_rule_matches),
        cmocka_unit_test(attention_rules_match_naive),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
