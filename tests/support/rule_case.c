#include "support/rule_case.h"

#include <string.h>

const char *const rule_cases[] = {
    "conv1x1_s2",       "conv3x2_dil2",  "conv3x3_groups2",  "conv3x3_s1p1", "conv3x3_s1p1_nonneg",
    "conv3x3_s2p1_odd", "conv4x4_s4",    "conv7x7_s2p3",     "linear_mixed", "linear_nobias",
    "linear_nonneg",    "linear_tokens", "linear_zero_rows", NULL,
};

static float *floats(arena *a, size_t n)
{
    float *x = arena_alloc(a, n, sizeof *x);
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

static void read_attributes(golden *g, const char *name, const golden_array *w, rule_case *c)
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

void rule_case_read(golden *g, const char *name, rule_case *c)
{
    const golden_array x = golden_read(g, "%s/x", name), w = golden_read(g, "%s/W", name);
    const golden_array y = golden_read(g, "%s/y", name), r = golden_read(g, "%s/R_out", name);
    memset(c, 0, sizeof *c);
    read_attributes(g, name, &w, c);
    c->name = name;
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

static void set_parameter(const rule_def *rule, const char *name, double value, double parameters[])
{
    for (size_t i = 0; i < rule->n_fields; i++) {
        if (strcmp(rule->fields[i].name, name) == 0) {
            assert_true(value >= rule->fields[i].min && value <= rule->fields[i].max);
            parameters[i] = value;
            return;
        }
    }
    fail_msg("rule '%s' has no parameter '%s'", rule->name, name);
}

const rule_def *rule_choice_read(const rule_choice *r, double parameters[MAX_RULE_PARAMETERS])
{
    const rule_def *rule = rule_find(r->rule);
    if (rule == NULL) {
        fail_msg("no rule '%s'", r->rule);
        return NULL;
    }
    memset(parameters, 0, MAX_RULE_PARAMETERS * sizeof *parameters);
    for (size_t i = 0; i < rule->n_fields; i++) {
        parameters[i] = rule->fields[i].def;
    }
    for (size_t i = 0; i < COUNT(r->set) && r->set[i].name != NULL; i++) {
        set_parameter(rule, r->set[i].name, r->set[i].value, parameters);
    }
    return rule;
}

const rule_plan *rule_case_plan(arena *a, const rule_case *c, const rule_def *rule, const double parameters[],
                                const rule_layer *layer)
{
    const rule_plan *plan;
    conv_shape s;
    rule_layer l = layer == NULL ? (rule_layer){0} : *layer;
    c->node.op->product(&c->node, &c->in_shape, &s);
    l.n = &c->node;
    l.backend = test_backend();
    l.shape = &s;
    l.batch = c->batch;
    assert_ok(rule_build(a, rule, parameters, &l, true, &plan));
    return plan;
}

static float *stored(arena *a, size_t batch, shape s, const float *plain)
{
    float *x = floats(a, batch * images_floats(s, test_backend()->block()));
    images_store(batch, s, test_backend()->block(), plain, x);
    return x;
}

static float *spoiled(arena *a, size_t n)
{
    float *x = floats(a, n);
    memset(x, 0xff, n * sizeof *x);
    return x;
}

const float *rule_case_relevance(arena *a, const rule_case *c, const rule_def *rule, const double parameters[],
                                 const rule_layer *layer, const float *r_out)
{
    const rule_plan *plan = rule_case_plan(a, c, rule, parameters, layer);
    const size_t block = test_backend()->block();
    const bool whole = rule->kind == RULE_GRADIENT || rule_is_whole(rule, parameters);
    float *r_in = floats(a, c->n_in);
    const rule_call call = {.in = stored(a, c->batch, c->in_shape, c->x),
                            .out = stored(a, c->batch, c->node.out, c->z),
                            .r_out = stored(a, c->batch, c->node.out, r_out),
                            .r_in = spoiled(a, c->batch * images_floats(c->in_shape, block)),
                            .work = spoiled(a, rule_workspace(plan))};
    rule_relevance(plan, &call);
    images_load(c->batch, c->in_shape, block, call.r_in, r_in);
    for (size_t i = 0; i < c->n_in && !whole; i++) {
        r_in[i] *= c->x[i];
    }
    return r_in;
}
