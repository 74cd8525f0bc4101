#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "attribution/composite.h"
#include "attribution/rule_driver.h"
#include "core/rng.h"
#include "nn/stabilise.h"

/* Tables that no rule of the family uses yet, for the general path of the driver (docs/attribution.md, section c). */
static const rule_term agreeing[] = {
    {.input = PART_POSITIVE, .weights = PART_POSITIVE, .bias = PART_POSITIVE},
    {.input = PART_NEGATIVE, .weights = PART_NEGATIVE, .bias = PART_NONE},
};
static const rule_term opposing[] = {
    {.input = PART_POSITIVE, .weights = PART_NEGATIVE, .bias = PART_NEGATIVE},
    {.input = PART_NEGATIVE, .weights = PART_POSITIVE, .bias = PART_NONE},
};
static const rule_term everything[] = {{.input = PART_ALL, .weights = PART_ALL, .bias = PART_ALL}};
static const rule_group zplus_groups[] = {{.coef = 1.0, .terms = agreeing, .n_terms = COUNT(agreeing)}};
static const rule_group alpha2beta1_groups[] = {{.coef = 2.0, .terms = agreeing, .n_terms = COUNT(agreeing)},
                                                {.coef = -1.0, .terms = opposing, .n_terms = COUNT(opposing)}};
static const rule_group half_groups[] = {{.coef = 0.5, .terms = everything, .n_terms = 1},
                                         {.coef = 0.5, .terms = everything, .n_terms = 1}};
static const field epsilon_only[] = {{.name = "epsilon", .def = 1e-6, .min = 0.0, .max = 1.0}};

#define TABLE(name_, groups_)                                                                                          \
    {                                                                                                                  \
        .name = (name_), .fields = epsilon_only, .n_fields = 1, .groups = (groups_), .n_groups = COUNT(groups_)        \
    }
static const rule_def zplus = TABLE("z-plus", zplus_groups);
static const rule_def alpha2beta1 = TABLE("alpha2beta1", alpha2beta1_groups);
static const rule_def halved_epsilon = TABLE("halved epsilon", half_groups); /* the epsilon rule by the general path */

static const char *const cases[] = {
    "conv1x1_s2",       "conv3x2_dil2",  "conv3x3_groups2",  "conv3x3_s1p1", "conv3x3_s1p1_nonneg",
    "conv3x3_s2p1_odd", "conv4x4_s4",    "conv7x7_s2p3",     "linear_mixed", "linear_nobias",
    "linear_nonneg",    "linear_tokens", "linear_zero_rows",
};

/* One layer with its input, output and relevance. */
typedef struct layer_case {
    node node;
    conv_attr conv;
    linear_attr linear;
    size_t batch, n_in, n_out;
    shape in_shape;
    const float *x, *z, *r_out;
} layer_case;

static arena *memory;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("rule test", &memory)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static float *floats(size_t n)
{
    float *x = arena_alloc(memory, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static shape sample_shape(const golden_array *a)
{
    shape s = {.rank = a->rank - 1};
    for (size_t i = 0; i < s.rank; i++) {
        s.dim[i] = a->dim[i + 1];
    }
    return s;
}

static void read_pair(golden *g, const char *name, const char *attribute, size_t out[2])
{
    double value[2];
    assert_int_equal(golden_numbers(g, name, attribute, 2, value), 2);
    out[0] = (size_t)value[0];
    out[1] = (size_t)value[1];
}

static void read_attributes(golden *g, const char *name, const golden_array *w, layer_case *c)
{
    if (w->rank == 2) {
        c->linear = (linear_attr){.out_features = w->dim[0]};
        c->node.op = &op_linear;
        c->node.attr = &c->linear;
        return;
    }
    c->conv = (conv_attr){.out_channels = w->dim[0],
                          .kernel = {w->dim[2], w->dim[3]},
                          .groups = (size_t)golden_number(g, name, "groups")};
    read_pair(g, name, "stride", c->conv.stride);
    read_pair(g, name, "padding", c->conv.padding);
    read_pair(g, name, "dilation", c->conv.dilation);
    c->node.op = &op_conv2d;
    c->node.attr = &c->conv;
}

static void read_case(golden *g, const char *name, layer_case *c)
{
    const golden_array x = golden_read(g, "%s/x", name), w = golden_read(g, "%s/W", name);
    const golden_array y = golden_read(g, "%s/y", name), r = golden_read(g, "%s/R_out", name);
    memset(c, 0, sizeof *c);
    read_attributes(g, name, &w, c);
    c->batch = x.dim[0];
    c->in_shape = sample_shape(&x);
    c->n_in = x.count;
    c->n_out = y.count;
    c->x = x.f32;
    c->z = y.f32;
    c->r_out = r.f32;
    c->node.name = name;
    c->node.n_in = 1;
    c->node.out = sample_shape(&y);
    c->node.weight = w.f32;
    c->node.n_weight = w.count;
    if (golden_has(g, "%s/b", name)) {
        const golden_array b = golden_read(g, "%s/b", name);
        c->node.bias = b.f32;
        c->node.n_bias = b.count;
    }
}

static const rule_plan *prepare(const layer_case *c, const rule_def *rule, const double parameters[])
{
    const rule_plan *plan;
    conv_shape s;
    c->node.op->product(&c->node, &c->in_shape, &s);
    assert_ok(rule_build(memory, rule, parameters, &c->node, test_backend(), &s, c->batch, true, &plan));
    return plan;
}

static const float *stored(size_t batch, shape s, const float *plain)
{
    float *x = floats(batch * images_floats(s, test_backend()->block()));
    images_store(batch, s, test_backend()->block(), plain, x);
    return x;
}

static const float *relevance(const layer_case *c, const rule_def *rule, const double parameters[], const float *r_out)
{
    const rule_plan *plan = prepare(c, rule, parameters);
    const size_t block = test_backend()->block(), stored_in = c->batch * images_floats(c->in_shape, block);
    float *quotient = floats(stored_in), *r_in = floats(c->n_in);
    memset(quotient, 0xff, stored_in * sizeof *quotient); /* NaN: the driver has to overwrite */
    const rule_call call = {.in = stored(c->batch, c->in_shape, c->x),
                            .out = stored(c->batch, c->node.out, c->z),
                            .r_out = stored(c->batch, c->node.out, r_out),
                            .r_in = quotient,
                            .work = floats(rule_workspace(plan))};
    rule_relevance(plan, &call);
    images_load(c->batch, c->in_shape, block, quotient, r_in);
    for (size_t i = 0; i < c->n_in; i++) {
        r_in[i] *= c->x[i];
    }
    return r_in;
}

static const float *relevance_with(const layer_case *c, const rule_def *rule, double epsilon)
{
    double parameters[MAX_RULE_PARAMETERS] = {0.0};
    parameters[rule->epsilon_field] = epsilon;
    return relevance(c, rule, parameters, c->r_out);
}

/* Relative to the largest expected value, as the golden files state their errors. */
static void assert_close(const char *what, const char *name, size_t n, const float *got, const double *expected,
                         double tolerance)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs((double)got[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
        worst = off > worst || isnan(off) ? off : worst;
    }
    if (!(worst <= tolerance * largest) || largest == 0.0) {
        fail_msg("%s, %s: off by %g, largest value %g", name, what, worst, largest);
    }
}

static void golden_rule(const char *golden_name, const rule_def *rule, double epsilon)
{
    golden *g = golden_open("unit_rules.h5");
    size_t seen = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!golden_has(g, "%s/R_in/%s", cases[i], golden_name)) {
            continue; /* LRP-0 of a layer with outputs that are exactly 0 */
        }
        layer_case c;
        read_case(g, cases[i], &c);
        const golden_array expected = golden_read(g, "%s/R_in/%s", cases[i], golden_name);
        assert_close(golden_name, cases[i], c.n_in, relevance_with(&c, rule, epsilon), expected.real, 1e-5);
        seen++;
    }
    assert_true(seen >= COUNT(cases) - 1);
    golden_close(&g);
    arena_reset(memory);
}

static void epsilon_is_golden(void **state)
{
    (void)state;
    golden_rule("eps1e-6", rule_find("epsilon"), 1e-6);
    golden_rule("eps0.1", rule_find("epsilon"), 0.1);
    golden_rule("lrp0", rule_find("epsilon"), 0.0);
}

static void general_tables_are_golden(void **state)
{
    (void)state;
    golden_rule("zplus", &zplus, 1e-6);
    golden_rule("alpha1beta0", &zplus, 1e-6);
    golden_rule("alpha2beta1", &alpha2beta1, 1e-6);
}

/* Only the single term (x, W, b) with coefficient 1 has the layer's output as its denominator. */
static void only_the_plain_term_uses_the_output(void **state)
{
    (void)state;
    static const rule_term others[] = {
        {.input = PART_POSITIVE, .weights = PART_ALL, .bias = PART_ALL},
        {.input = PART_ALL, .weights = PART_NEGATIVE, .bias = PART_ALL},
        {.input = PART_ALL, .weights = PART_ALL, .bias = PART_NONE},
    };
    static const rule_term two_terms[] = {{PART_ALL, PART_ALL, PART_ALL}, {PART_NEGATIVE, PART_POSITIVE, PART_NONE}};
    for (size_t i = 0; i < COUNT(others); i++) {
        const rule_group group = {.coef = 1.0, .terms = &others[i], .n_terms = 1};
        assert_false(rule_uses_output(&(rule_def){.groups = &group, .n_groups = 1}));
    }
    const rule_group pair = {.coef = 1.0, .terms = two_terms, .n_terms = 2};
    assert_false(rule_uses_output(&(rule_def){.groups = &pair, .n_groups = 1}));
    const rule_group plain[] = {{.coef = 1.0, .terms = everything, .n_terms = 1},
                                {.coef = 1.0, .terms = agreeing, .n_terms = 2}};
    assert_false(rule_uses_output(&(rule_def){.groups = plain, .n_groups = 2}));
    assert_true(rule_uses_output(&(rule_def){.groups = plain, .n_groups = 1}));
    const rule_group twice = {.coef = 2.0, .terms = everything, .n_terms = 1};
    assert_false(rule_uses_output(&(rule_def){.groups = &twice, .n_groups = 1}));
}

static void general_path_agrees_with_the_kept_output(void **state)
{
    (void)state;
    assert_true(rule_uses_output(rule_find("epsilon")));
    assert_false(rule_uses_output(&halved_epsilon));
    golden_rule("eps0.1", &halved_epsilon,
                0.1); /* a smaller one would magnify the rounding of the recomputed outputs */
    golden *g = golden_open("unit_rules.h5");
    layer_case c;
    read_case(g, "conv3x3_s1p1", &c);
    const double parameters[MAX_RULE_PARAMETERS] = {1e-6};
    assert_true(rule_workspace(prepare(&c, rule_find("epsilon"), parameters)) <
                rule_workspace(prepare(&c, &halved_epsilon, parameters)));
    golden_close(&g);
}

static void stabiliser_pushes_away_from_zero(void **state)
{
    (void)state;
    assert_true(stabilise(0.0f, 0.5f) == 0.5f && stabilise(-0.0f, 0.5f) == 0.5f); /* both zeros go up */
    assert_true(stabilise(1.0f, 0.5f) == 1.5f && stabilise(-1.0f, 0.5f) == -1.5f);
}

static void zero_outputs_take_no_relevance_without_stabiliser(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    layer_case c;
    read_case(g, "linear_zero_rows", &c);
    size_t zeros = 0;
    for (size_t i = 0; i < c.n_out; i++) {
        zeros += c.z[i] == 0.0f;
    }
    assert_true(zeros > 0);
    const rule_def *const rules[] = {rule_find("epsilon"), &zplus, &alpha2beta1};
    for (size_t k = 0; k < COUNT(rules); k++) {
        const float *r = relevance_with(&c, rules[k], 0.0);
        for (size_t i = 0; i < c.n_in; i++) {
            assert_true(isfinite(r[i]));
        }
    }
    golden_close(&g);
}

static double total(size_t n, const float *x)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
    }
    return sum;
}

/* Section l: with zero bias and epsilon = 0, LRP-0 and alpha-beta hand on exactly what they get; padding takes nothing. */
static void relevance_is_conserved_without_bias(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    layer_case c;
    read_case(g, "linear_nobias", &c);
    const rule_def *const rules[] = {rule_find("epsilon"), &zplus, &alpha2beta1};
    double size = 0.0;
    for (size_t i = 0; i < c.n_out; i++) {
        size += fabs((double)c.r_out[i]);
    }
    for (size_t k = 0; k < COUNT(rules); k++) {
        const double in = total(c.n_in, relevance_with(&c, rules[k], 0.0)), out = total(c.n_out, c.r_out);
        if (!(fabs(in - out) <= 1e-4 * size)) { /* LRP-0 divides by outputs near 0, which magnifies the rounding of z */
            fail_msg("%s: %.9g comes in, %.9g goes out", rules[k]->name, out, in);
        }
    }
    golden_close(&g);
}

static float *combined(size_t n, float a, const float *x, float b, const float *y)
{
    float *sum = floats(n);
    for (size_t i = 0; i < n; i++) {
        sum[i] = a * x[i] + b * y[i];
    }
    return sum;
}

static void check_linear_in_relevance(const layer_case *c, const rule_def *rule, const double parameters[])
{
    float *other = floats(c->n_out);
    for (size_t i = 0; i < c->n_out; i++) {
        other[i] = (float)rng_uniform(11, RNG_TEST, 0, (uint32_t)i) - 0.5f;
    }
    const float *of_sum = relevance(c, rule, parameters, combined(c->n_out, 2.0f, c->r_out, -3.0f, other));
    const float *a = relevance(c, rule, parameters, c->r_out), *b = relevance(c, rule, parameters, other);
    double *expected = arena_alloc(memory, c->n_in, sizeof *expected);
    assert_non_null(expected);
    for (size_t i = 0; i < c->n_in; i++) {
        expected[i] = 2.0 * (double)a[i] - 3.0 * (double)b[i];
    }
    assert_close("linear in the relevance", rule->name, c->n_in, of_sum, expected, 1e-5);
    const float *again = relevance(c, rule, parameters, c->r_out);
    assert_memory_equal(a, again, c->n_in * sizeof *a);
}

/* What a sample gets does not depend on the sample beside it: rows swapped, results swapped, bit for bit. */
static void check_samples_are_independent(const layer_case *c, const rule_def *rule, const double parameters[])
{
    const size_t in = c->n_in / c->batch, out = c->n_out / c->batch;
    layer_case one = *c;
    const float *all = relevance(c, rule, parameters, c->r_out);
    one.batch = 2;
    one.n_in = 2 * in;
    one.n_out = 2 * out;
    float *x = floats(one.n_in), *z = floats(one.n_out), *r = floats(one.n_out);
    for (size_t i = 0; i < 2; i++) {
        memcpy(x + i * in, c->x + (1 - i) * in, in * sizeof *x);
        memcpy(z + i * out, c->z + (1 - i) * out, out * sizeof *z);
        memcpy(r + i * out, c->r_out + (1 - i) * out, out * sizeof *r);
    }
    one.x = x;
    one.z = z;
    const float *swapped = relevance(&one, rule, parameters, r);
    assert_memory_equal(all, swapped + in, in * sizeof *all);
    assert_memory_equal(all + in, swapped, in * sizeof *all);
}

static void check_laws(const rule_def *rule)
{
    double parameters[MAX_RULE_PARAMETERS] = {0.0};
    assert_true(rule->n_fields <= MAX_RULE_PARAMETERS && rule->epsilon_field < rule->n_fields);
    for (size_t i = 0; i < rule->n_fields; i++) {
        const field *f = &rule->fields[i];
        assert_true(f->name != NULL && f->min <= f->def && f->def <= f->max);
        parameters[i] = f->def;
    }
    golden *g = golden_open("unit_rules.h5");
    for (size_t i = 0; i < COUNT(cases); i++) {
        layer_case c;
        read_case(g, cases[i], &c);
        check_linear_in_relevance(&c, rule, parameters);
        check_samples_are_independent(&c, rule, parameters);
        const float *silent = relevance(&c, rule, parameters, floats(c.n_out));
        for (size_t k = 0; k < c.n_in; k++) {
            assert_true(silent[k] == 0.0f);
        }
        arena_reset(memory);
    }
    golden_close(&g);
}

static void every_rule_keeps_the_laws(void **state)
{
    (void)state;
    assert_true(rule_count > 0);
    for (size_t i = 0; i < rule_count; i++) {
        assert_ptr_equal(rule_find(rule_table[i]->name), rule_table[i]);
        assert_non_null(rule_table[i]->help);
        for (size_t f = 0; f < rule_table[i]->n_fields; f++) {
            assert_non_null(rule_table[i]->fields[f].help);
        }
        check_laws(rule_table[i]);
    }
    assert_null(rule_find("no such rule"));
    check_laws(&zplus);
    check_laws(&alpha2beta1);
}

static void check_places(const graph *g)
{
    const composite_entry entries[] = {
        {.place = PLACE_FIRST, .rule = &zplus},
        {.place = PLACE_LAST, .rule = &alpha2beta1},
        {.type = "avgpool2d", .rule = &zplus},
        {.rule = &halved_epsilon},
    };
    composite c = {.n = 2, .entries = entries + 2};
    const composite_entry *const *of;
    assert_fails(composite_resolve(memory, &c, g, &of), ST_CONFIG, "features.avgpool", "avgpool2d", "not for such layers", NULL);
    c = (composite){.n = 2, .entries = entries};
    assert_fails(composite_resolve(memory, &c, g, &of), ST_CONFIG, "features.4", NULL);
    const composite_entry complete[] = {entries[0], entries[1], entries[3]};
    c = (composite){.n = COUNT(complete), .entries = complete};
    assert_ok(composite_resolve(memory, &c, g, &of));
    assert_ptr_equal(of[1], &complete[0]);
    assert_ptr_equal(of[3], &complete[2]);
    assert_ptr_equal(of[6], &complete[1]);
}

static void first_matching_entry_wins(void **state)
{
    (void)state;
    const node nodes[] = {
        {.op = &op_input, .name = "input"},
        {.op = &op_conv2d, .name = "features.0", .group = GROUP_LOW},
        {.op = &op_relu, .name = "features.0.relu", .group = GROUP_LOW},
        {.op = &op_conv2d, .name = "features.4", .group = GROUP_HIGH},
        {.op = &op_linear, .name = "classifier.0", .group = GROUP_FC},
        {.op = &op_linear, .name = "classifier.3", .group = GROUP_FC},
        {.op = &op_linear, .name = "neck", .group = GROUP_HIGH},
        {.op = &op_avgpool2d, .name = "features.avgpool", .group = GROUP_HIGH},
    };
    const graph g = {.n_nodes = COUNT(nodes), .nodes = nodes};
    const composite_entry entries[] = {
        {.name_pattern = "classifier.[0-2]", .rule = &zplus},
        {.type = "conv2d", .group = GROUP_HIGH, .rule = &alpha2beta1},
        {.group = GROUP_FC, .rule = &halved_epsilon},
        {.type = "conv2d", .rule = rule_find("epsilon")},
        {.name_pattern = "features.*", .rule = &zplus},
        {.type = "avgpool*", .group = GROUP_LOW, .rule = &zplus},
        {.type = "linear", .group = GROUP_HIGH, .rule = &alpha2beta1},
    };
    const composite c = {.n = COUNT(entries), .entries = entries};
    const composite_entry *const *of;
    assert_ok(composite_resolve(memory, &c, &g, &of));
    assert_null(of[0]);
    assert_ptr_equal(of[1], &entries[3]);
    assert_null(of[2]); /* a layer with a rule of its own, though patterns match its name */
    assert_ptr_equal(of[3], &entries[1]);
    assert_ptr_equal(of[4], &entries[0]);
    assert_ptr_equal(of[5], &entries[2]);
    assert_ptr_equal(of[6], &entries[6]);
    assert_null(of[7]); /* linear, but with a rule of its own */
    const composite short_one = {.n = 2, .entries = entries};
    assert_fails(composite_resolve(memory, &short_one, &g, &of), ST_CONFIG, "features.0", "low",
                 "none of its 2 entries", NULL);
    check_places(&g);
    const composite_entry misplaced = {.type = "avgpool2d", .rule = &zplus};
    const composite wrong = {.n = 1, .entries = &misplaced};
    assert_fails(composite_resolve(memory, &wrong, &g, &of), ST_CONFIG, "features.0", NULL); /* of the layer that comes first */
    const composite *everywhere;
    assert_ok(composite_epsilon(memory, 1e-3, &everywhere));
    assert_ok(composite_resolve(memory, everywhere, &g, &of));
    assert_string_equal(of[5]->rule->name, "epsilon");
    assert_true(of[5]->parameters[of[5]->rule->epsilon_field] == 1e-3 && everywhere->epsilon == 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epsilon_is_golden),
        cmocka_unit_test(general_tables_are_golden),
        cmocka_unit_test(only_the_plain_term_uses_the_output),
        cmocka_unit_test(general_path_agrees_with_the_kept_output),
        cmocka_unit_test(stabiliser_pushes_away_from_zero),
        cmocka_unit_test(zero_outputs_take_no_relevance_without_stabiliser),
        cmocka_unit_test(relevance_is_conserved_without_bias),
        cmocka_unit_test(every_rule_keeps_the_laws),
        cmocka_unit_test(first_matching_entry_wins),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, set_up, tear_down);
}
