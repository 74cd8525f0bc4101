/* Laws of section l of docs/attribution.md for every rule of the list, on every way that the driver has for it and with every parameter at its
 * default and near both ends of its range. A new rule is tested without a word here. */
#include "support/naive_rule.h"
#include "support/rule_case.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

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

static double *doubles(size_t n)
{
    double *x = arena_alloc(memory, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static float *floats(size_t n)
{
    float *x = arena_alloc(memory, n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* A rule with parameters, on a layer of the golden file, in one of the driver's ways. */
typedef struct trial {
    const rule_def *rule;
    double parameters[MAX_RULE_PARAMETERS];
    rule_case c;
    rule_layer layer;
} trial;

static bool is_table(const rule_def *rule)
{
    return rule->kind == RULE_TERMS;
}

static bool is_nonnegative(const rule_case *c)
{
    for (size_t i = 0; i < c->n_in; i++) {
        if (c->x[i] < 0.0f) {
            return false;
        }
    }
    return true;
}

/* Term by term, by signs, and by signs of inputs that are not negative. */
enum { WAYS = 3, MAX_CHANNELS = 4 };
static bool set_way(trial *t, size_t way)
{
    static const float mean[MAX_CHANNELS] = {0.4f, 0.5f, 0.6f, 0.3f}, std[MAX_CHANNELS] = {0.2f, 0.25f, 0.3f, 0.5f};
    conv_shape s;
    t->c.node.op->product(&t->c.node, &t->c.in_shape, &s);
    t->layer = (rule_layer){.by_terms = way == 0, .nonnegative = way == 2};
    t->layer.pixels = (rule_pixels){.n_channels = s.in_channels, .mean = mean, .std = std};
    const bool pixels = is_table(t->rule) && t->rule->terms(t->parameters).of_pixels;
    return (way < 2 || is_nonnegative(&t->c)) && (!pixels || s.in_channels <= MAX_CHANNELS);
}

static const float *run(const trial *t, const float *r_out)
{
    return rule_case_relevance(memory, &t->c, t->rule, t->parameters, &t->layer, r_out);
}

static void fail_trial(const trial *t, const char *law, double off, double allowed)
{
    fail_msg("%s, layer %s, %s%s, first parameters %g %g: %s: off by %.3g, %.3g is allowed", t->rule->name, t->c.name,
             t->layer.by_terms ? "term by term" : "by signs", t->layer.nonnegative ? " of inputs >= 0" : "",
             t->parameters[0], t->parameters[1], law, off, allowed);
}

static double largest(size_t n, const double *x)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(x[i]));
    }
    return most;
}

static void assert_near(const trial *t, const char *law, const float *got, const double *expected, double scale,
                        double tolerance)
{
    double worst = 0.0;
    for (size_t i = 0; i < t->c.n_in; i++) {
        const double off = fabs((double)got[i] - expected[i]);
        worst = worst_of(worst, off);
    }
    if (!(worst <= tolerance * scale)) {
        fail_trial(t, law, worst / scale, tolerance);
    }
}

/* The layer in double; z [n_out] its output. */
static naive_layer layer_of(const trial *t, double *z)
{
    const rule_case *c = &t->c;
    naive_layer l = {0};
    c->node.op->product(&c->node, &c->in_shape, &l.shape);
    double *w = doubles(c->node.n_weight), *b = doubles(c->node.n_bias), *x = doubles(c->n_in);
    for (size_t i = 0; i < c->node.n_weight; i++) {
        w[i] = (double)c->node.weight[i];
    }
    for (size_t i = 0; i < c->node.n_bias; i++) {
        b[i] = (double)c->node.bias[i];
    }
    for (size_t i = 0; i < c->n_in; i++) {
        x[i] = (double)c->x[i];
    }
    l.w = w;
    l.b = c->node.n_bias > 0 ? b : NULL;
    for (size_t i = 0; i < c->batch; i++) {
        naive_layer_forward(&l, x + i * (c->n_in / c->batch), z + i * (c->n_out / c->batch));
    }
    return l;
}

/* The golden layers have inputs of more digits than a float; here the output has to be that of the floats. */
static void read_layer(golden *g, const char *name, trial *t)
{
    rule_case_read(g, name, &t->c);
    double *exact = doubles(t->c.n_out);
    float *z = floats(t->c.n_out);
    (void)layer_of(t, exact);
    for (size_t i = 0; i < t->c.n_out; i++) {
        z[i] = (float)exact[i];
    }
    t->c.z = z;
}

/* The float64 twin: R_in [n_in]. */
static const double *twin(const trial *t, const float *r_out, naive_facts *facts)
{
    const rule_case *c = &t->c;
    const rule_terms terms = t->rule->terms(t->parameters);
    const size_t in = c->n_in / c->batch, out = c->n_out / c->batch;
    double *z = doubles(c->n_out), *x = doubles(c->n_in), *r = doubles(c->n_out), *r_in = doubles(c->n_in);
    double low[MAX_CHANNELS] = {0.0}, high[MAX_CHANNELS] = {0.0};
    naive_layer l = layer_of(t, z);
    for (size_t i = 0; i < c->n_in; i++) {
        x[i] = (double)c->x[i];
    }
    for (size_t i = 0; i < c->n_out; i++) {
        r[i] = (double)r_out[i];
    }
    for (size_t i = 0; terms.of_pixels && i < l.shape.in_channels; i++) {
        low[i] = (terms.low - (double)t->layer.pixels.mean[i]) / (double)t->layer.pixels.std[i];
        high[i] = (terms.high - (double)t->layer.pixels.mean[i]) / (double)t->layer.pixels.std[i];
    }
    l.low = terms.of_pixels ? low : NULL;
    l.high = terms.of_pixels ? high : NULL;
    *facts = (naive_facts){.silent = facts->silent};
    for (size_t i = 0; i < c->batch; i++) {
        naive_facts of_sample = {.silent = facts->silent == NULL ? NULL : facts->silent + i * out};
        naive_rule(&l, &terms, t->parameters[t->rule->epsilon_field], x + i * in, z + i * out, r + i * out,
                   r_in + i * in, &of_sample);
        facts->total += of_sample.total;
        facts->condition = fmax(facts->condition, of_sample.condition);
    }
    return r_in;
}

/* The rule is its table; what all its transposed products hand on is what its forward products took: sum R_in = sum coef D s, bias apart. Within
 * 1e-5 as golden values, or, where a denominator nearly cancels (bounds of the z-box that inputs exceed), a float's rounding of it. */
static void check_table(const trial *t)
{
    naive_facts facts = {0};
    double sum = 0.0, size = 0.0;
    if (!is_table(t->rule)) {
        return;
    }
    const double *expected = twin(t, t->c.r_out, &facts);
    for (size_t i = 0; i < t->c.n_in; i++) {
        sum += expected[i];
        size += fabs(expected[i]);
    }
    if (!(fabs(sum - facts.total) <= 1e-12 * size)) {
        fail_trial(t, "the twin's adjoint identity", fabs(sum - facts.total) / size, 1e-12);
    }
    assert_near(t, "its table in double", run(t, t->c.r_out), expected, largest(t->c.n_in, expected),
                fmax(1e-5, 0x1p-23 * facts.condition));
}

static void check_linear(const trial *t)
{
    const size_t n = t->c.n_out;
    float *other = floats(n), *both = floats(n);
    for (size_t i = 0; i < n; i++) {
        other[i] = (float)rng_uniform(11, RNG_TEST, 0, (uint32_t)i) - 0.5f;
        both[i] = 2.0f * t->c.r_out[i] - 3.0f * other[i];
    }
    const float *a = run(t, t->c.r_out), *b = run(t, other), *sum = run(t, both), *none = run(t, floats(n));
    double *expected = doubles(t->c.n_in);
    for (size_t i = 0; i < t->c.n_in; i++) {
        expected[i] = 2.0 * (double)a[i] - 3.0 * (double)b[i];
        if (none[i] != 0.0f) {
            fail_trial(t, "nothing from nothing", fabs((double)none[i]), 0.0);
        }
    }
    assert_near(t, "linear in R", sum, expected, largest(t->c.n_in, expected), 1e-5);
    assert_memory_equal(a, run(t, t->c.r_out), t->c.n_in * sizeof *a);
}

/* The first two samples in the slots of a batch of 19, by turns, beside others: the bits of either are those of the small batch. */
static void check_slots(const trial *t)
{
    enum { SLOTS = 19 };
    const size_t in = t->c.n_in / t->c.batch, out = t->c.n_out / t->c.batch;
    trial many = *t;
    float *x = floats(SLOTS * in), *z = floats(SLOTS * out), *r = floats(SLOTS * out);
    for (size_t i = 0; i < SLOTS; i++) {
        memcpy(x + i * in, t->c.x + i % 2 * in, in * sizeof *x);
        memcpy(z + i * out, t->c.z + i % 2 * out, out * sizeof *z);
        memcpy(r + i * out, t->c.r_out + i % 2 * out, out * sizeof *r);
    }
    many.c.batch = SLOTS;
    many.c.n_in = SLOTS * in;
    many.c.n_out = SLOTS * out;
    many.c.x = x;
    many.c.z = z;
    const float *few = run(t, t->c.r_out), *all = run(&many, r);
    for (size_t i = 0; i < SLOTS; i++) {
        if (memcmp(all + i * in, few + i % 2 * in, in * sizeof *all) != 0) {
            fail_trial(t, "a sample's bits are the same in every slot", (double)i, 0.0);
        }
    }
}

/* R_out is 0 wherever z <= 0, and the output there is a ReLU's: the same numbers, told or not. */
static void check_gate(const trial *t)
{
    trial gated = *t;
    float *r = floats(t->c.n_out), *relu = floats(t->c.n_out);
    double *expected = doubles(t->c.n_in);
    for (size_t i = 0; i < t->c.n_out; i++) {
        r[i] = t->c.z[i] > 0.0f ? t->c.r_out[i] : 0.0f;
        relu[i] = fmaxf(t->c.z[i], 0.0f);
    }
    gated.layer.gated = true;
    gated.c.z = relu;
    const float *open = run(t, r);
    for (size_t i = 0; i < t->c.n_in; i++) {
        expected[i] = (double)open[i];
    }
    assert_near(t, "gated or not", run(&gated, r), expected, largest(t->c.n_in, expected), 1e-5);
}

static void check_laws(trial *t)
{
    for (size_t way = 0; way < WAYS; way++) {
        if (set_way(t, way)) {
            check_table(t);
            check_linear(t);
            check_slots(t);
            check_gate(t);
        }
    }
}

/* A value of a parameter: the default, or a point inside of its range, the ends of which may be degenerate. */
static double value_of(const field *f, size_t point)
{
    const bool choice = f->kind == FIELD_CHOICE || f->kind == FIELD_BOOL || f->kind == FIELD_COUNT;
    const double low = f->scale == SCALE_LOG ? fmax(f->min, 1e-2) : f->min, high = fmin(f->max, 8.0);
    return point == 0   ? f->def
           : choice     ? (point == 1 ? f->min : f->max)
           : point == 1 ? fmax(low, f->min + 1e-2)
                        : fmax(high, f->def);
}

static void check_rule(const rule_def *rule)
{
    golden *g = golden_open("unit_rules.h5");
    for (size_t i = 0; rule_cases[i] != NULL; i++) {
        for (size_t varied = 0; varied <= rule->n_fields; varied++) {
            for (size_t point = varied == 0 ? 0 : 1; point <= (varied == 0 ? 0 : 2); point++) {
                trial t = {.rule = rule};
                read_layer(g, rule_cases[i], &t);
                for (size_t f = 0; f < rule->n_fields; f++) {
                    t.parameters[f] = value_of(&rule->fields[f], f + 1 == varied ? point : 0);
                }
                check_laws(&t);
                arena_reset(memory);
            }
        }
    }
    golden_close(&g);
}

static void every_rule_keeps_the_laws(void **state)
{
    (void)state;
    assert_true(rule_count >= 10);
    for (size_t i = 0; i < rule_count; i++) {
        if (is_table(rule_table[i]) || rule_table[i]->kind == RULE_GRADIENT) {
            check_rule(rule_table[i]);
        }
    }
}

static void every_rule_states_its_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < rule_count; i++) {
        const rule_def *rule = rule_table[i];
        assert_ptr_equal(rule_find(rule->name), rule);
        assert_non_null(rule->help);
        assert_true(rule->n_fields <= MAX_RULE_PARAMETERS);
        assert_true((rule->terms != NULL) == is_table(rule));
        assert_true(!is_table(rule) || rule->epsilon_field < rule->n_fields);
        for (size_t f = 0; f < rule->n_fields; f++) {
            const field *p = &rule->fields[f];
            assert_true(p->name != NULL && p->help != NULL && p->min <= p->def && p->def <= p->max);
        }
    }
    assert_null(rule_find("no such rule"));
}

static void set(trial *t, const rule_choice *choice)
{
    t->rule = rule_choice_read(choice, t->parameters);
}

static double sum_of(size_t n, const float *x)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
    }
    return sum;
}

/* Defaults, and parameters between them and an end of their range; bounds of the input are those of a layer's input. */
enum { DRAWS = 3 };

static void without_stabiliser(trial *t, size_t draw)
{
    for (size_t f = 0; f < t->rule->n_fields; f++) {
        const field *p = &t->rule->fields[f];
        const double end = p->max < p->def + 2.0 ? p->max : p->def + 2.0, share = (double)draw / (DRAWS - 1);
        t->parameters[f] = f == t->rule->epsilon_field  ? 0.0
                           : p->kind == FIELD_CHOICE    ? p->max
                           : strcmp(p->name, "low") == 0 ? -2.0
                                                        : p->def + share * (end - p->def);
    }
}

/* The layer as it is in the file, without its bias. */
static void read_without_bias(golden *g, const char *name, trial *t)
{
    read_layer(g, name, t);
    if (t->c.node.n_bias > 0) {
        double *exact = doubles(t->c.n_out);
        float *z = floats(t->c.n_out);
        t->c.node.bias = NULL;
        t->c.node.n_bias = 0;
        (void)layer_of(t, exact);
        for (size_t i = 0; i < t->c.n_out; i++) {
            z[i] = (float)exact[i];
        }
        t->c.z = z;
    }
}

/* Of relevance that comes in where no denominator is exactly 0. */
static void check_conservation(const trial *t)
{
    const size_t n = t->c.n_out;
    naive_facts facts = {.silent = arena_alloc(memory, n, sizeof(bool))};
    float *r_out = floats(n);
    double size = 0.0;
    assert_non_null(facts.silent);
    (void)twin(t, t->c.r_out, &facts);
    for (size_t i = 0; i < n; i++) {
        r_out[i] = facts.silent[i] || t->c.z[i] == 0.0f ? 0.0f : t->c.r_out[i];
        size += fabs((double)r_out[i]);
    }
    assert_true(size > 0.0);
    const double off = fabs(sum_of(t->c.n_in, run(t, r_out)) - sum_of(n, r_out)) / size;
    if (!(off <= 1e-6)) {
        fail_trial(t, "conservation", off, 1e-6);
    }
}

/* Without bias and stabiliser what comes in goes out, for every rule of the list that says so, on every layer of the file: kernels, strides, padding,
 * dilation, groups, tokens. */
static void relevance_is_conserved_without_bias(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    for (size_t i = 0; rule_cases[i] != NULL; i++) {
        for (size_t k = 0; k < rule_count * DRAWS; k++) {
            for (size_t way = 0; rule_table[k / DRAWS]->conserves && way < WAYS; way++) {
                trial t = {.rule = rule_table[k / DRAWS]};
                without_stabiliser(&t, k % DRAWS);
                read_without_bias(g, rule_cases[i], &t);
                if (set_way(&t, way)) {
                    check_conservation(&t);
                }
            }
            arena_reset(memory);
        }
    }
    golden_close(&g);
}

/* Two rules on the same layer; `mask`: only outputs above 0 have relevance. Relative to the largest value of the first. */
static double distance(const trial *t, const rule_choice *a, const rule_choice *b, bool mask)
{
    trial first = *t, second = *t;
    float *r = floats(t->c.n_out);
    double worst = 0.0, most = 0.0;
    for (size_t i = 0; i < t->c.n_out; i++) {
        r[i] = !mask || t->c.z[i] > 0.0f ? t->c.r_out[i] : 0.0f;
    }
    set(&first, a);
    set(&second, b);
    const float *x = run(&first, r), *y = run(&second, r);
    for (size_t i = 0; i < t->c.n_in; i++) {
        worst = worst_of(worst, fabs((double)x[i] - (double)y[i]));
        most = fmax(most, fabs((double)x[i]));
    }
    return worst / most;
}

static void for_every_way(void (*check)(const trial *t))
{
    golden *g = golden_open("unit_rules.h5");
    for (size_t i = 0; rule_cases[i] != NULL; i++) {
        for (size_t way = 0; way < WAYS; way++) {
            trial t = {.rule = rule_find("epsilon")};
            read_layer(g, rule_cases[i], &t);
            if (set_way(&t, way)) {
                check(&t);
            }
            arena_reset(memory);
        }
    }
    golden_close(&g);
}

static void is_z_plus(const trial *t)
{
    static const rule_choice alpha1 = {"alpha-beta", {{"alpha", 1.0}}, false},
                             z_plus = {"z-plus", {{NULL, 0.0}}, false};
    assert_true(distance(t, &z_plus, &alpha1, false) == 0.0);
}

static void alpha_1_is_z_plus_to_the_bit(void **state)
{
    (void)state;
    for_every_way(is_z_plus);
}

/* Relevance of outputs with the sign + only; the distance is about 1/gamma. */
static void tends_to_z_plus(const trial *t)
{
    static const rule_choice large = {"gamma", {{"gamma", 1e4}}, false}, larger = {"gamma", {{"gamma", 1e6}}, false};
    static const rule_choice z_plus = {"z-plus", {{NULL, 0.0}}, false};
    const double near = distance(t, &z_plus, &larger, true), far = distance(t, &z_plus, &large, true);
    if (!(near < 2e-5 && far < 2e-3)) {
        fail_trial(t, "gamma 1e6 (1e4) near z+", near, 2e-5);
    }
}

static void a_large_gamma_tends_to_z_plus(void **state)
{
    (void)state;
    for_every_way(tends_to_z_plus);
}

/* The stabiliser keeps denominators that are summed again from magnifying their rounding. */
static void is_epsilon(const trial *t)
{
    static const rule_choice none = {"gamma", {{"gamma", 0.0}, {"epsilon", 0.1}}, false},
                             epsilon = {"epsilon", {{"epsilon", 0.1}}, false};
    const double off = distance(t, &epsilon, &none, false);
    if (!(off < 1e-5)) {
        fail_trial(t, "gamma 0 is epsilon", off, 1e-5);
    }
}

static void gamma_0_is_epsilon(void **state)
{
    (void)state;
    for_every_way(is_epsilon);
}

static void zero_outputs_take_no_relevance_without_stabiliser(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    for (size_t k = 0; k < rule_count; k++) {
        for (size_t way = 0; way < WAYS; way++) {
            trial t = {.rule = rule_table[k]};
            if (!is_table(t.rule)) {
                continue;
            }
            for (size_t f = 0; f < t.rule->n_fields; f++) {
                t.parameters[f] = f == t.rule->epsilon_field ? 0.0 : t.rule->fields[f].def;
            }
            read_layer(g, "linear_zero_rows", &t);
            size_t zeros = 0;
            for (size_t i = 0; i < t.c.n_out; i++) {
                zeros += t.c.z[i] == 0.0f;
            }
            assert_true(zeros > 0);
            if (set_way(&t, way)) {
                const float *r = run(&t, t.c.r_out);
                for (size_t i = 0; i < t.c.n_in; i++) {
                    assert_true(isfinite(r[i]));
                }
            }
        }
    }
    golden_close(&g);
}

/* 1 - 1 is exactly 0 and has no sign: gamma hands on nothing of what comes in there, epsilon does. The other output, 2, has a sign. */
static void an_output_of_0_has_no_sign(void **state)
{
    (void)state;
    static const rule_choice gamma = {"gamma", {{NULL, 0.0}}, false}, epsilon = {"epsilon", {{"epsilon", 1.0}}, false};
    static const float x[] = {1.0f, 1.0f}, w[] = {1.0f, -1.0f, 1.0f, 1.0f}, z[] = {0.0f, 2.0f}, r_out[] = {1.0f, 0.0f};
    for (size_t way = 0; way < WAYS; way++) {
        trial t = {.c = {.name = "1 - 1", .batch = 1, .n_in = 2, .n_out = 2, .x = x, .z = z, .r_out = r_out}};
        t.c.linear = (linear_attr){.out_features = 2};
        t.c.in_shape = (shape){.rank = 1, .dim = {2}};
        t.c.node = (node){.op = &op_linear, .name = "1 - 1", .attr = &t.c.linear, .n_in = 1, .out = t.c.in_shape};
        t.c.node.weight = w;
        t.c.node.n_weight = 4;
        set(&t, &gamma);
        assert_true(set_way(&t, way));
        const float *none = run(&t, r_out);
        assert_true(none[0] == 0.0f && none[1] == 0.0f);
        set(&t, &epsilon);
        const float *some = run(&t, r_out);
        assert_true(some[0] == 1.0f && some[1] == -1.0f);
    }
    arena_reset(memory);
}

static void pixels_need_the_image(void **state)
{
    (void)state;
    golden *g = golden_open("unit_rules.h5");
    static const rule_choice z_box = {"z-box", {{NULL, 0.0}}, false};
    trial t = {0};
    const rule_plan *plan;
    conv_shape s;
    set(&t, &z_box);
    rule_case_read(g, "conv1x1_s2", &t.c); /* four channels */
    t.c.node.op->product(&t.c.node, &t.c.in_shape, &s);
    rule_layer l = {
        .n = &t.c.node, .backend = test_backend(), .shape = &s, .batch = t.c.batch, .pixels = {.n_channels = 3}};
    assert_fails(rule_build(memory, t.rule, t.parameters, &l, true, &plan), ST_CONFIG, "conv1x1_s2", "z-box",
                 "3 channels", "found 4", "units: input", NULL);
    l.pixels.n_channels = 0;
    assert_fails(rule_build(memory, t.rule, t.parameters, &l, false, &plan), ST_CONFIG, "conv1x1_s2", "not known",
                 NULL);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_states_its_parameters),
        cmocka_unit_test(every_rule_keeps_the_laws),
        cmocka_unit_test(relevance_is_conserved_without_bias),
        cmocka_unit_test(alpha_1_is_z_plus_to_the_bit),
        cmocka_unit_test(a_large_gamma_tends_to_z_plus),
        cmocka_unit_test(gamma_0_is_epsilon),
        cmocka_unit_test(zero_outputs_take_no_relevance_without_stabiliser),
        cmocka_unit_test(an_output_of_0_has_no_sign),
        cmocka_unit_test(pixels_need_the_image),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, set_up, tear_down);
}
