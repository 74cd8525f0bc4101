/* The audit of the walk against what the relevance itself says: on the golden networks every share is computed again, in double. */
#include "support/backends.h"
#include "support/golden.h"
#include "support/naive.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "attribution/walk_audit.h"
#include "core/rng.h"
#include "nn/arch.h"
#include "pruning/criterion.h"

enum { BATCH = 6 };
static const double epsilon = 1e-6;
static const char *const files[] = {"vgg_bn_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

/* A golden network, its weights in copies that can be changed, and its images. */
typedef struct net {
    arena *a;
    golden *file;
    graph g;
    node *nodes;
    const float *images;
    size_t target[BATCH];
} net;

static void *get(const net *t, size_t n, size_t size)
{
    void *p = arena_alloc(t->a, n, size);
    assert_non_null(p);
    return p;
}

static const float *copy(const net *t, size_t n, const float *x)
{
    float *y = get(t, n, sizeof *y);
    if (n > 0) {
        memcpy(y, x, n * sizeof *y);
    }
    return x == NULL ? NULL : y;
}

static void open_net(const char *name, net *t)
{
    const graph *g;
    assert_ok(arena_open("audit test", &t->a));
    t->file = golden_open(name);
    assert_ok(graph_build(t->a, golden_tensors(t->file), &g));
    t->nodes = get(t, g->n_nodes, sizeof *t->nodes);
    memcpy(t->nodes, g->nodes, g->n_nodes * sizeof *t->nodes);
    t->g = *g;
    t->g.nodes = t->nodes;
    for (node_id id = 0; id < g->n_nodes; id++) {
        t->nodes[id].weight = copy(t, t->nodes[id].n_weight, t->nodes[id].weight);
        t->nodes[id].bias = copy(t, t->nodes[id].n_bias, t->nodes[id].bias);
    }
    t->images = golden_read(t->file, "inputs").f32;
    const golden_array target = golden_read(t->file, "targets");
    for (size_t b = 0; b < BATCH; b++) {
        t->target[b] = (size_t)target.integer[b];
    }
}

static void close_net(net *t)
{
    golden_close(&t->file);
    arena_close(&t->a);
}

static float *weights(const net *t, node_id id)
{
    return (float *)(uintptr_t)t->nodes[id].weight; /* the copy of open_net() */
}

static node_id named(const net *t, const char *name)
{
    node_id id = 0;
    while (strcmp(t->nodes[id].name, name) != 0) {
        id++;
        assert_true(id < t->g.n_nodes);
    }
    return id;
}

static const composite *everywhere(const net *t, double eps)
{
    const composite *c;
    assert_ok(composite_epsilon(t->a, eps, &c));
    return c;
}

/* The network explained, with every relevance kept, and its audit. */
typedef struct audited {
    const net *t;
    walk *w;
    forward *f;
    size_t n;
    const audit_step *steps;
    float *audit; /* [BATCH, n_nodes, AUDIT_SUMS] */
} audited;

static void explain_by(const net *t, const composite *c, audited *out)
{
    const size_t row = t->g.n_nodes * AUDIT_SUMS;
    *out = (audited){.t = t};
    assert_ok(walk_audit_steps(t->a, &t->g, c, &out->n, &out->steps));
    assert_ok(walk_build_keeping(t->a, &t->g, c, test_backend(), BATCH, &out->w));
    assert_ok(walk_start_audit(t->a, out->w));
    walk_run(out->w, t->images, t->target, get(t, BATCH * WALK_MOMENTS * t->g.n_components, sizeof(float)));
    out->audit = get(t, BATCH * row, sizeof *out->audit);
    for (size_t b = 0; b < BATCH; b++) {
        walk_read_audit(out->w, b, out->audit + b * row);
    }
    assert_ok(forward_build(t->a, &t->g, test_backend(), BATCH, KEEP_ALL, &out->f));
    forward_run(out->f, t->images, NULL);
}

static void explain(const net *t, double eps, audited *out)
{
    explain_by(t, everywhere(t, eps), out);
}

/* One rule with its default parameters, but for the stabiliser, in every convolution and linear layer. */
static const composite *by_rule(const net *t, const char *name, double eps)
{
    composite_entry *e = get(t, 1, sizeof *e);
    composite *c = get(t, 1, sizeof *c);
    e->rule = rule_find(name);
    assert_non_null(e->rule);
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        e->parameters[i] = strcmp(e->rule->fields[i].name, "epsilon") == 0 ? eps : e->rule->fields[i].def;
    }
    *c = (composite){.n = 1, .entries = e, .epsilon = eps};
    return c;
}

static const float *audit_of(const audited *x, size_t sample, node_id id)
{
    return x->audit + (sample * x->t->g.n_nodes + id) * AUDIT_SUMS;
}

/* ---- shares, computed again ---- */

static float *output(const audited *x, node_id id)
{
    float *y = get(x->t, BATCH * shape_count(x->t->nodes[id].out), sizeof *y);
    forward_read(x->f, id, y);
    return y;
}

static double *relevance(const audited *x, node_id id)
{
    const size_t n = BATCH * shape_count(x->t->nodes[id].out);
    float *r = get(x->t, n, sizeof *r);
    double *wide = get(x->t, n, sizeof *wide);
    assert_true(walk_read_relevance(x->w, id, r));
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)r[i];
    }
    return wide;
}

static bool is_walked(const audited *x, node_id id)
{
    float *r = get(x->t, BATCH * shape_count(x->t->nodes[id].out), sizeof *r);
    return walk_read_relevance(x->w, id, r);
}

static size_t readers(const audited *x, node_id of)
{
    size_t n = 0;
    for (node_id id = of + 1; id < x->t->g.n_nodes; id++) {
        for (size_t i = 0; i < x->t->nodes[id].n_in && is_walked(x, id); i++) {
            n += x->t->nodes[id].in[i] == of;
        }
    }
    return n;
}

/* R_a = a R / st(a + b) */
static void naive_add_share(const audited *x, node_id id, size_t input, double *out)
{
    const node *n = &x->t->nodes[id];
    const float *a = output(x, n->in[0]), *b = output(x, n->in[1]);
    const double *r = relevance(x, id);
    for (size_t i = 0; i < BATCH * shape_count(n->out); i++) {
        out[i] = (double)(input == 0 ? a : b)[i] * r[i] / naive_stabilise((double)a[i] + (double)b[i], epsilon);
    }
}

/* R_in = x . (W' s), s = R / st(z), on the last axis */
static void naive_linear_share(const audited *x, node_id id, double *out)
{
    const node *n = &x->t->nodes[id];
    const size_t n_out = n->out.dim[n->out.rank - 1], n_in = n->n_weight / n_out, rows = BATCH * shape_count(n->out) / n_out;
    const float *in = output(x, n->in[0]);
    const double *r = relevance(x, id);
    double *z = get(x->t, rows * n_out, sizeof *z);
    naive_linear(rows, n_in, n_out, n->weight, n->bias, in, z);
    for (size_t k = 0; k < rows * n_in; k++) {
        double sum = 0.0;
        for (size_t o = 0; o < n_out; o++) {
            const size_t at = k / n_in * n_out + o;
            sum += (double)n->weight[o * n_in + k % n_in] * r[at] / naive_stabilise(z[at], epsilon);
        }
        out[k] = (double)in[k] * sum;
    }
}

/* The same for a convolution without groups: every output gives to the window that it has read. */
static void naive_conv_share(const audited *x, node_id id, double *out)
{
    const node *n = &x->t->nodes[id];
    const shape from = x->t->nodes[n->in[0]].out;
    const size_t h = from.dim[1], w = from.dim[2], plane = n->out.dim[1] * n->out.dim[2];
    const float *in = output(x, n->in[0]);
    const double *r = relevance(x, id);
    conv_shape s;
    forward_product_shape(&x->t->g, id, &s);
    double *z = get(x->t, BATCH * shape_count(n->out), sizeof *z);
    naive_conv(&s, BATCH, n->weight, n->bias, in, z);
    memset(out, 0, BATCH * shape_count(from) * sizeof *out);
    for (size_t i = 0; i < BATCH * shape_count(n->out); i++) {
        const size_t b = i / shape_count(n->out), o = i / plane % n->out.dim[0], y = i % plane / n->out.dim[2], v = i % n->out.dim[2];
        for (size_t k = 0; k < s.in_channels * s.kernel[0] * s.kernel[1]; k++) {
            const size_t c = k / (s.kernel[0] * s.kernel[1]), iy = y * s.stride[0] + k / s.kernel[1] % s.kernel[0] - s.padding[0],
                         ix = v * s.stride[1] + k % s.kernel[1] - s.padding[1];
            if (iy < h && ix < w) { /* outside: below 0 wraps around */
                const size_t at = ((b * s.in_channels + c) * h + iy) * w + ix;
                out[at] += (double)in[at] * (double)n->weight[o * s.in_channels * s.kernel[0] * s.kernel[1] + k] * r[i] /
                           naive_stabilise(z[i], epsilon);
            }
        }
    }
}

/* What node `id` hands on to an input: [BATCH, input]. *exact: it is the relevance of the input, which has no other reader. */
static double *share(const audited *x, node_id id, size_t input, bool *exact)
{
    const node *n = &x->t->nodes[id];
    const node_id in = n->in[input];
    const size_t count = BATCH * shape_count(x->t->nodes[in].out);
    *exact = readers(x, in) == 1;
    if (*exact) {
        return relevance(x, in);
    }
    double *out = get(x->t, count, sizeof *out);
    if (n->op == &op_add) {
        naive_add_share(x, id, input, out);
    } else if (n->op == &op_linear) {
        naive_linear_share(x, id, out);
    } else if (n->op == &op_conv2d) {
        naive_conv_share(x, id, out);
    } else { /* what the others leave */
        memcpy(out, relevance(x, in), count * sizeof *out);
        for (node_id other = in + 1; other < x->t->g.n_nodes; other++) {
            for (size_t i = 0; i < x->t->nodes[other].n_in && other != id && is_walked(x, other); i++) {
                bool unused;
                assert_true(x->t->nodes[other].in[i] != in || x->t->nodes[other].op == &op_add);
                const double *theirs = x->t->nodes[other].in[i] == in ? share(x, other, i, &unused) : NULL;
                for (size_t k = 0; k < count && theirs != NULL; k++) {
                    out[k] -= theirs[k];
                }
            }
        }
    }
    return out;
}

static void add_up(size_t n, const double *x, double total[2])
{
    for (size_t i = 0; i < n; i++) {
        total[0] += x[i];
        total[1] += fabs(x[i]);
    }
}

/* Of the sums of absolute values: 1e-6 where the audit reads what the test reads (rounding to float32 alone); 5e-4 where the share
 * is computed again: float32 walks through quotients with small denominators, see the tolerances of docs/attribution.md. */
static void check_sums(const audited *x, node_id id, size_t sample, const double out[2], const double in[2], bool exact)
{
    const float *found = audit_of(x, sample, id);
    const double rounding = 1e-6, tolerance = exact ? rounding : 5e-4;
    if (!(fabs((double)found[AUDIT_OUT] - out[0]) <= rounding * out[1] && fabs((double)found[AUDIT_ABS_OUT] - out[1]) <= rounding * out[1] &&
          fabs((double)found[AUDIT_IN] - in[0]) <= tolerance * in[1] && fabs((double)found[AUDIT_ABS_IN] - in[1]) <= tolerance * in[1])) {
        fail_msg("%s, sample %zu: out %.9g %.9g in %.9g %.9g, expected out %.9g %.9g in %.9g %.9g", x->t->nodes[id].name, sample,
                 (double)found[AUDIT_OUT], (double)found[AUDIT_ABS_OUT], (double)found[AUDIT_IN], (double)found[AUDIT_ABS_IN], out[0],
                 out[1], in[0], in[1]);
    }
}

static void check_step(const audited *x, const audit_step *s)
{
    const node *n = &x->t->nodes[s->id];
    const size_t count = shape_count(n->out);
    const double *r = relevance(x, s->id);
    double out[BATCH][2] = {{0.0}}, in[BATCH][2] = {{0.0}};
    bool exact = true, complete = true;
    for (size_t i = 0; i < n->n_in; i++) {
        const size_t each = shape_count(x->t->nodes[n->in[i]].out);
        bool one;
        if (!is_walked(x, n->in[i])) {
            complete = false;
            continue;
        }
        const double *of = share(x, s->id, i, &one);
        exact = exact && one;
        for (size_t b = 0; b < BATCH; b++) {
            add_up(each, of + b * each, in[b]);
        }
    }
    assert_int_equal(s->complete, complete);
    for (size_t b = 0; b < BATCH; b++) {
        add_up(count, r + b * count, out[b]);
        check_sums(x, s->id, b, out[b], in[b], exact);
    }
}

static void sums_are_those_of_the_relevance(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        net t;
        audited x;
        size_t shared = 0;
        open_net(files[i], &t);
        explain(&t, epsilon, &x);
        for (size_t k = 0; k < x.n; k++) {
            check_step(&x, &x.steps[k]);
            for (size_t in = 0; in < t.nodes[x.steps[k].id].n_in; in++) {
                shared += readers(&x, t.nodes[x.steps[k].id].in[in]) > 1;
            }
        }
        assert_true(x.n > 5 && (i == 0 ? shared == 0 : shared > 3));
        close_net(&t);
    }
}

/* On networks without a second reader the share is the relevance of the input, whatever the rule: also of rules without the factor x,
 * which hand on no quotient. */
static void every_rule_is_audited(void **state)
{
    (void)state;
    static const char *const rules[] = {"epsilon", "z-plus", "gamma", "alpha-beta", "flat", "w-square", "gradient"};
    for (size_t i = 0; i < COUNT(rules); i++) {
        net t;
        audited x;
        open_net("vgg_bn_tiny.h5", &t);
        explain_by(&t, by_rule(&t, rules[i], epsilon), &x);
        for (size_t k = 0; k < x.n; k++) {
            check_step(&x, &x.steps[k]);
            assert_true(!composite_takes_rule(&t.nodes[x.steps[k].id]) || strcmp(x.steps[k].rule->rule->name, rules[i]) == 0);
        }
        assert_true(x.n > 5);
        close_net(&t);
    }
}

/* Every step that has an input where the walk goes is audited, in the order of the walk; the others have zeros. */
static void what_runs_no_rule_has_no_sums(void **state)
{
    (void)state;
    net t;
    audited x;
    open_net("vit_tiny.h5", &t);
    explain(&t, epsilon, &x);
    size_t next = 0, partial = 0;
    for (node_id id = t.g.n_nodes; id-- > 0;) {
        const bool expected = next < x.n && x.steps[next].id == id;
        for (size_t b = 0; b < BATCH; b++) {
            assert_int_equal(audit_of(&x, b, id)[AUDIT_ABS_OUT] != 0.0f, expected);
        }
        partial += expected && !x.steps[next].complete;
        next += expected;
    }
    assert_int_equal(next, x.n);
    assert_int_equal(partial, 1); /* the first residual sum of block 0: nothing below its shortcut can be pruned */
    close_net(&t);
}

/* ---- laws ---- */

static double worst_residual(const audited *x, const op_def *op)
{
    double worst = 0.0;
    for (size_t k = 0; k < x->n; k++) {
        for (size_t b = 0; b < BATCH && x->t->nodes[x->steps[k].id].op == op && x->steps[k].complete; b++) {
            const float *f = audit_of(x, b, x->steps[k].id);
            const double sums[AUDIT_SUMS] = {(double)f[0], (double)f[1], (double)f[2], (double)f[3]};
            worst = fmax(worst, fabs(audit_residual(sums)));
        }
    }
    return worst;
}

/* docs/audit.md: without biases and with epsilon = 0 these layers conserve relevance. Float32: the quotient by a small
 * output is exact to 6e-8 of itself, and the shares that cancel are about 1e3 times what remains. */
static void layers_conserve_without_bias_and_epsilon(void **state)
{
    (void)state;
    static const op_def *const ops[] = {&op_conv2d, &op_linear, &op_add, &op_maxpool2d, &op_avgpool2d, &op_layernorm, &op_flatten};
    for (size_t i = 0; i < COUNT(files); i++) {
        net t;
        audited with, without;
        open_net(files[i], &t);
        explain(&t, epsilon, &with);
        for (node_id id = 0; id < t.g.n_nodes; id++) {
            t.nodes[id].bias = get(&t, t.nodes[id].n_bias + 1, sizeof(float));
        }
        explain(&t, 0.0, &without);
        for (size_t k = 0; k < COUNT(ops); k++) {
            const double worst = worst_residual(&without, ops[k]);
            if (!(worst < 1e-4)) {
                fail_msg("%s, %s: residual %.3g", files[i], ops[k]->name, worst);
            }
        }
        assert_true(worst_residual(&with, &op_conv2d) + worst_residual(&with, &op_linear) > 1e-2); /* biases absorb */
        if (i + 1 == COUNT(files)) { /* the softmax rule does not conserve */
            assert_true(worst_residual(&without, &op_attention) > 1e-2);
        }
        close_net(&t);
    }
}

/* Rules that only follow what agrees in sign conserve too, and stay in bounds: alpha-beta hands on at most alpha + beta = 3 times. */
static void rules_of_one_sign_conserve(void **state)
{
    (void)state;
    static const char *const rules[] = {"z-plus", "alpha-beta", "flat", "w-square"};
    for (size_t i = 0; i < COUNT(rules); i++) {
        net t;
        audited x;
        open_net("vgg_bn_tiny.h5", &t);
        for (node_id id = 0; id < t.g.n_nodes; id++) {
            t.nodes[id].bias = get(&t, t.nodes[id].n_bias + 1, sizeof(float));
        }
        explain_by(&t, by_rule(&t, rules[i], 1e-9), &x);
        for (size_t k = 0; k < x.n; k++) {
            const float *f = audit_of(&x, 0, x.steps[k].id);
            if (!composite_takes_rule(&t.nodes[x.steps[k].id])) {
                continue; /* norm loses what flat leaves at positions that are 0 */
            }
            const double sums[AUDIT_SUMS] = {(double)f[0], (double)f[1], (double)f[2], (double)f[3]};
            const double residual = audit_residual(sums), most = strcmp(rules[i], "alpha-beta") == 0 ? 3.0 : 1.0;
            if (!(fabs(residual) < 1e-4 && audit_gain(sums) < most + 1e-4)) {
                fail_msg("%s, %s: residual %.3g, gain %.3g", rules[i], t.nodes[x.steps[k].id].name, residual, audit_gain(sums));
            }
        }
        close_net(&t);
    }
}

static void an_audit_changes_no_row_and_knows_no_neighbours(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        net t;
        audited x;
        walk *plain, *other;
        open_net(files[i], &t);
        explain(&t, epsilon, &x);
        const size_t n = BATCH * WALK_MOMENTS * t.g.n_components, pixels = shape_count(t.g.input), row = t.g.n_nodes * AUDIT_SUMS;
        float *expected = get(&t, n, sizeof *expected), *rows = get(&t, n, sizeof *rows), *one = get(&t, row, sizeof *one);
        float *images = get(&t, BATCH * pixels, sizeof *images);
        assert_ok(walk_build(t.a, &t.g, everywhere(&t, epsilon), test_backend(), BATCH, &plain));
        walk_run(plain, t.images, t.target, expected);
        assert_ok(walk_build(t.a, &t.g, everywhere(&t, epsilon), test_backend(), BATCH, &other));
        assert_ok(walk_start_audit(t.a, other));
        walk_run(other, t.images, t.target, rows);
        assert_memory_equal(rows, expected, n * sizeof *rows);
        for (size_t b = 0; b < BATCH; b++) {
            const size_t target[BATCH] = {[0] = t.target[b]};
            memset(images, 0, BATCH * pixels * sizeof *images);
            memcpy(images, t.images + b * pixels, pixels * sizeof *images);
            walk_run(other, images, target, rows);
            walk_read_audit(other, 0, one);
            assert_memory_equal(one, audit_of(&x, b, 0), row * sizeof *one); /* buffers shared by the plan, another slot: the same bits */
        }
        close_net(&t);
    }
}

static void rows_of_lrp_end_with_the_audit(void **state)
{
    (void)state;
    const criterion_def *lrp = criterion_find("lrp");
    net t;
    audited x;
    open_net("resnet_basic_tiny.h5", &t);
    explain(&t, epsilon, &x);
    const uint64_t sample[BATCH] = {0, 1, 2, 3, 4, 5};
    const criterion_batch batch = {t.images, t.target, sample};
    const float *row[2];
    for (size_t on = 0; on < 2; on++) {
        double parameters[MAX_CRITERION_PARAMETERS];
        void *method;
        size_t n = 0;
        const audit_step *steps;
        for (size_t k = 0; k < lrp->n_fields; k++) {
            parameters[k] = strcmp(lrp->fields[k].name, "audit") == 0 ? (double)on : lrp->fields[k].def;
        }
        const criterion_setup setup = {.graph = &t.g, .backend = test_backend(), .batch = BATCH, .parameters = parameters};
        float *rows = get(&t, BATCH * criterion_row(lrp, &setup), sizeof *rows);
        assert_int_equal(criterion_row(lrp, &setup), lrp->n_moments * t.g.n_components + on * t.g.n_nodes * AUDIT_SUMS);
        assert_ok(lrp->open(t.a, &setup, &method));
        lrp->rows(method, &batch, rows);
        assert_ok(lrp->audit(t.a, &setup, &n, &steps));
        assert_int_equal(n, on * x.n);
        for (size_t b = 0; b < BATCH && on == 1; b++) {
            assert_memory_equal(rows + b * criterion_row(lrp, &setup) + criterion_audit(lrp, &setup), audit_of(&x, b, 0),
                                t.g.n_nodes * AUDIT_SUMS * sizeof *rows);
            assert_memory_equal(rows + b * criterion_row(lrp, &setup), row[0] + b * lrp->n_moments * t.g.n_components,
                                lrp->n_moments * t.g.n_components * sizeof *rows);
        }
        row[on] = rows;
    }
    close_net(&t);
}

/* ---- explosions ---- */

static audit_verdict verdict(const audited *x)
{
    const size_t row = x->t->g.n_nodes * AUDIT_SUMS;
    double *all = get(x->t, row, sizeof *all), *sums = get(x->t, x->n * AUDIT_SUMS, sizeof *sums);
    for (size_t i = 0; i < BATCH * row; i++) {
        all[i % row] += (double)x->audit[i];
    }
    audit_select(x->n, x->steps, all, sums);
    return audit_judge(x->n, sums);
}

static void healthy_networks_do_not_explode(void **state)
{
    (void)state;
    static const char *const rules[] = {"epsilon", "z-plus", "gamma", "alpha-beta"};
    for (size_t i = 0; i < COUNT(files) * COUNT(rules); i++) {
        net t;
        audited x;
        open_net(files[i / COUNT(rules)], &t);
        explain_by(&t, by_rule(&t, rules[i % COUNT(rules)], epsilon), &x);
        const audit_verdict v = verdict(&x);
        if (v.finding != AUDIT_FINE) {
            fail_msg("%s, %s: finding at %s, growth %.3g", files[i / COUNT(rules)], rules[i % COUNT(rules)],
                     t.nodes[x.steps[v.step].id].name, v.growth);
        }
        close_net(&t);
    }
}

/* The plain derivative is no share of anything: it grows from block to block, by less than ten times in each layer. */
static void gradients_explode(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT(files); i++) {
        net t;
        audited x;
        open_net(files[i], &t);
        explain_by(&t, by_rule(&t, "gradient", epsilon), &x);
        const audit_verdict v = verdict(&x);
        print_message("%s, gradient: from %s on %.3g times the start\n", files[i], t.nodes[x.steps[v.step].id].name, v.growth);
        assert_true(v.finding == AUDIT_EXPLODES && v.gain < 10.0);
        close_net(&t);
    }
}

/* Two neurons made alike, which the next layer counts with opposite weights: outputs stay what they are but for rounding, and what is
 * handed to the two is large, with both signs. */
static void cancelling_weights_explode(void **state)
{
    (void)state;
    net t;
    audited x;
    open_net("vgg_bn_tiny.h5", &t);
    const node_id here = named(&t, "classifier.3"), before = named(&t, "classifier.0");
    const size_t n = t.nodes[here].n_weight / t.nodes[here].n_bias, row = t.nodes[before].n_weight / n;
    for (size_t k = 0; k < 2; k++) {
        ((float *)(uintptr_t)t.nodes[before].bias)[k] = 1.0f;
        memset(weights(&t, before) + k * row, 0, row * sizeof(float));
    }
    for (size_t o = 0; o < t.nodes[here].n_bias; o++) {
        weights(&t, here)[o * n] = 0x1p20f;
        weights(&t, here)[o * n + 1] = -0x1p20f;
    }
    explain(&t, epsilon, &x);
    const audit_verdict v = verdict(&x);
    assert_int_equal(v.finding, AUDIT_EXPLODES);
    assert_int_equal(x.steps[v.step].id, here);
    assert_true(v.gain > 1e5 && v.growth > v.gain);
    close_net(&t);
}

/* LRP-0 and a logit so small that the quotient by it overflows. */
static void tiny_outputs_without_epsilon_are_not_finite(void **state)
{
    (void)state;
    net t;
    audited x;
    open_net("resnet_basic_tiny.h5", &t);
    const node_id last = named(&t, "fc");
    for (size_t k = 0; k < t.nodes[last].n_weight; k++) {
        weights(&t, last)[k] *= 0x1p-135f;
    }
    t.nodes[last].bias = get(&t, t.nodes[last].n_bias, sizeof(float));
    explain(&t, 0.0, &x);
    const audit_verdict v = verdict(&x);
    assert_int_equal(v.finding, AUDIT_NOT_FINITE);
    assert_int_equal(x.steps[v.step].id, last);
    explain(&t, epsilon, &x);
    assert_int_equal(verdict(&x).finding, AUDIT_FINE);
    close_net(&t);
}

static void verdicts_by_hand(void **state)
{
    (void)state;
    const double big = 2.0 * AUDIT_GROWTH;
    /* out, abs out, in, abs in */
    const double fine[] = {1, 1, 1, 90, 1, 90, 1, 0.5 * AUDIT_GROWTH, 1, 10, 1, AUDIT_GROWTH};
    const double late[] = {1, 2, 1, 1.5, 1, 1.5, 1, 2.0 * big, 1, 2.0 * big, 1, 20.0 * big};
    const double slow[] = {1, 1, 1, 0.9 * AUDIT_GROWTH, 1, 0.9 * AUDIT_GROWTH, 1, 1.1 * AUDIT_GROWTH};
    const double less[] = {1, 1, 1, 1, 1, 1.5 * big, 1, big}; /* large, but not by this layer */
    const double ends[] = {1, 1, 1, 1, 1, 1, 1, big, 1, big, NAN, INFINITY};
    const double from_nothing[] = {1, 1, 0, 0, 0, 0, 1, big};
    assert_int_equal(audit_judge(3, fine).finding, AUDIT_FINE);
    assert_int_equal(audit_judge(2, less).finding, AUDIT_FINE);
    assert_int_equal(audit_judge(0, NULL).finding, AUDIT_FINE);
    assert_int_equal(audit_judge(2, from_nothing).finding, AUDIT_EXPLODES); /* infinitely more */
    audit_verdict v = audit_judge(2, slow);
    assert_true(v.finding == AUDIT_EXPLODES && v.step == 1 && v.gain < 1.3);
    v = audit_judge(3, late);
    assert_true(v.finding == AUDIT_EXPLODES && v.step == 1 && v.growth == big && v.gain == 2.0 * big / 1.5);
    v = audit_judge(3, ends);
    assert_true(v.finding == AUDIT_NOT_FINITE && v.step == 2);
    const double sums[AUDIT_SUMS] = {-1.0, 4.0, -2.0, 6.0};
    assert_true(audit_residual(sums) == -0.25 && audit_gain(sums) == 1.5);
}

static void totals_by_hand(void **state)
{
    (void)state;
    enum { N = 37 };
    float t[2 * N], f[2 * N], sum[2 * N];
    audit_total total[2], one[1], other[2];
    for (size_t i = 0; i < (size_t)2 * N; i++) {
        t[i] = i % 2 == 0 ? -1.0f : 0.5f;
        f[i] = 2.0f;
    }
    walk_audit_total(2, N, t, NULL, total); /* 19 x -1 + 18 x 0.5, then 18 x -1 + 19 x 0.5 */
    assert_true(total[0][0] == -10.0 && total[0][1] == 28.0 && total[1][0] == -8.5 && total[1][1] == 27.5);
    walk_audit_total(2, N, t, f, total);
    assert_true(total[0][0] == -20.0 && total[0][1] == 56.0 && total[1][0] == -17.0 && total[1][1] == 55.0);
    for (size_t i = 0; i < (size_t)2 * N; i++) {
        f[i] = 2.0f + (float)(i % 3);
        sum[i] = t[i];
    }
    walk_audit_totals(2, N, t, f, t, other, total);
    for (size_t b = 0; b < 2; b++) {
        walk_audit_total(1, N, t + b * N, f + b * N, one);
        assert_true(one[0][0] == other[b][0] && one[0][1] == other[b][1]); /* numbers that are exact in any order */
        walk_audit_total(1, N, t + b * N, t + b * N, one);
        assert_true(one[0][0] == total[b][0] && one[0][1] == one[0][0] && one[0][1] == total[b][1]);
    }
    walk_audit_add(2, N, f, f, sum, other, total);
    for (size_t b = 0; b < 2; b++) {
        walk_audit_total(1, N, t + b * N, f + b * N, one);
        assert_true(one[0][0] == other[b][0] && one[0][1] == other[b][1]);
        walk_audit_total(1, N, sum + b * N, f + b * N, one);
        assert_true(one[0][0] == total[b][0] && one[0][1] == total[b][1] && sum[b * N + 1] == t[b * N + 1] + f[b * N + 1]);
    }
    memcpy(sum, t, sizeof sum);
    walk_audit_add(2, N, f, NULL, sum, other, total);
    walk_audit_total(1, N, t + N, NULL, one);
    assert_true(one[0][0] == other[1][0] && one[0][1] == other[1][1] && sum[2 * N - 1] == t[2 * N - 1] + f[2 * N - 1]);
    walk_audit_total(1, N, sum + N, NULL, one);
    assert_true(one[0][0] == total[1][0] && one[0][1] == total[1][1]);
    const float cancel[] = {1e8f, 1.0f, -1e8f}; /* in float the 1 would be lost */
    walk_audit_total(1, 3, cancel, NULL, one);
    assert_true(one[0][0] == 1.0 && one[0][1] == 200000001.0);
    float far[3 * 16] = {[5] = 1e8f, [21] = 1.0f, [37] = -1e8f}; /* the same for a partial sum */
    walk_audit_total(1, COUNT(far), far, NULL, one);
    assert_true(one[0][0] == 1.0);
    far[7] = NAN;
    walk_audit_total(1, COUNT(far), far, NULL, one);
    assert_true(isnan(one[0][0]) && isnan(one[0][1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_by_hand),
        cmocka_unit_test(verdicts_by_hand),
        cmocka_unit_test(sums_are_those_of_the_relevance),
        cmocka_unit_test(every_rule_is_audited),
        cmocka_unit_test(what_runs_no_rule_has_no_sums),
        cmocka_unit_test(layers_conserve_without_bias_and_epsilon),
        cmocka_unit_test(rules_of_one_sign_conserve),
        cmocka_unit_test(an_audit_changes_no_row_and_knows_no_neighbours),
        cmocka_unit_test(rows_of_lrp_end_with_the_audit),
        cmocka_unit_test(healthy_networks_do_not_explode),
        cmocka_unit_test(gradients_explode),
        cmocka_unit_test(cancelling_weights_explode),
        cmocka_unit_test(tiny_outputs_without_epsilon_are_not_finite),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
