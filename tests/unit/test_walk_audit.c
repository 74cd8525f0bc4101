/* The audit of the walk against what the relevance itself says: on the golden networks every share is computed again, in double. */
#include "support/audited.h"
#include "support/naive.h"
#include "support/parameters.h"

#include <math.h>
#include <string.h>

#include "pruning/criterion.h"

/* ---- shares, computed again ---- */

static float *output(const audited *x, node_id id)
{
    float *y = audited_get(x->t, AUDITED_BATCH * shape_count(x->t->nodes[id].out), sizeof *y);
    forward_read(x->f, id, y);
    return y;
}

static double *relevance(const audited *x, node_id id)
{
    const size_t n = AUDITED_BATCH * shape_count(x->t->nodes[id].out);
    float *r = audited_get(x->t, n, sizeof *r);
    double *wide = audited_get(x->t, n, sizeof *wide);
    assert_true(walk_read_relevance(x->w, id, r));
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)r[i];
    }
    return wide;
}

static bool is_walked(const audited *x, node_id id)
{
    float *r = audited_get(x->t, AUDITED_BATCH * shape_count(x->t->nodes[id].out), sizeof *r);
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
    for (size_t i = 0; i < AUDITED_BATCH * shape_count(n->out); i++) {
        out[i] = (double)(input == 0 ? a : b)[i] * r[i] / naive_stabilise((double)a[i] + (double)b[i], AUDITED_EPSILON);
    }
}

/* R_in = x . (W' s), s = R / st(z), on the last axis */
static void naive_linear_share(const audited *x, node_id id, double *out)
{
    const node *n = &x->t->nodes[id];
    const size_t n_out = n->out.dim[n->out.rank - 1], n_in = n->n_weight / n_out, rows = AUDITED_BATCH * shape_count(n->out) / n_out;
    const float *in = output(x, n->in[0]);
    const double *r = relevance(x, id);
    double *z = audited_get(x->t, rows * n_out, sizeof *z);
    naive_linear(rows, n_in, n_out, n->weight, n->bias, in, z);
    for (size_t k = 0; k < rows * n_in; k++) {
        double sum = 0.0;
        for (size_t o = 0; o < n_out; o++) {
            const size_t at = k / n_in * n_out + o;
            sum += (double)n->weight[o * n_in + k % n_in] * r[at] / naive_stabilise(z[at], AUDITED_EPSILON);
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
    double *z = audited_get(x->t, AUDITED_BATCH * shape_count(n->out), sizeof *z);
    naive_conv(&s, AUDITED_BATCH, n->weight, n->bias, in, z);
    memset(out, 0, AUDITED_BATCH * shape_count(from) * sizeof *out);
    for (size_t i = 0; i < AUDITED_BATCH * shape_count(n->out); i++) {
        const size_t b = i / shape_count(n->out), o = i / plane % n->out.dim[0], y = i % plane / n->out.dim[2], v = i % n->out.dim[2];
        for (size_t k = 0; k < s.in_channels * s.kernel[0] * s.kernel[1]; k++) {
            const size_t c = k / (s.kernel[0] * s.kernel[1]), iy = y * s.stride[0] + k / s.kernel[1] % s.kernel[0] - s.padding[0],
                         ix = v * s.stride[1] + k % s.kernel[1] - s.padding[1];
            if (iy < h && ix < w) { /* outside: below 0 wraps around */
                const size_t at = ((b * s.in_channels + c) * h + iy) * w + ix;
                out[at] += (double)in[at] * (double)n->weight[o * s.in_channels * s.kernel[0] * s.kernel[1] + k] * r[i] /
                           naive_stabilise(z[i], AUDITED_EPSILON);
            }
        }
    }
}

/* What node `id` hands on to an input: [AUDITED_BATCH, input]. *exact: it is the relevance of the input, which has no other reader. */
static double *share(const audited *x, node_id id, size_t input, bool *exact)
{
    const node *n = &x->t->nodes[id];
    const node_id in = n->in[input];
    const size_t count = AUDITED_BATCH * shape_count(x->t->nodes[in].out);
    *exact = readers(x, in) == 1;
    if (*exact) {
        return relevance(x, in);
    }
    double *out = audited_get(x->t, count, sizeof *out);
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
    const float *found = audited_sums(x, sample, id);
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
    double out[AUDITED_BATCH][2] = {{0.0}}, in[AUDITED_BATCH][2] = {{0.0}};
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
        for (size_t b = 0; b < AUDITED_BATCH; b++) {
            add_up(each, of + b * each, in[b]);
        }
    }
    assert_int_equal(s->complete, complete);
    for (size_t b = 0; b < AUDITED_BATCH; b++) {
        add_up(count, r + b * count, out[b]);
        check_sums(x, s->id, b, out[b], in[b], exact);
    }
}

static void sums_are_those_of_the_relevance(void **state)
{
    (void)state;
    for (size_t i = 0; i < AUDITED_FILES; i++) {
        audited_net t;
        audited x;
        size_t shared = 0;
        audited_open(audited_files[i], &t);
        audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &x);
        for (size_t k = 0; k < x.n; k++) {
            check_step(&x, &x.steps[k]);
            for (size_t in = 0; in < t.nodes[x.steps[k].id].n_in; in++) {
                shared += readers(&x, t.nodes[x.steps[k].id].in[in]) > 1;
            }
        }
        assert_true(x.n > 5 && (i == 0 ? shared == 0 : shared > 3));
        audited_close(&t);
    }
}

/* A rule that a composite can give every layer; bounds in pixels are for the first one. */
static bool is_for_all(const rule_def *rule)
{
    double parameters[MAX_RULE_PARAMETERS] = {0.0};
    return rule->kind == RULE_GRADIENT || (rule->kind == RULE_TERMS && !rule->terms(parameters).of_pixels);
}

/* On networks without a second reader the share is the relevance of the input, whatever the rule: also of rules without the factor x,
 * which hand on no quotient. */
static void every_rule_is_audited(void **state)
{
    (void)state;
    for (size_t i = 0; i < rule_count; i++) {
        audited_net t;
        audited x;
        if (!is_for_all(rule_table[i])) {
            continue;
        }
        audited_open("vgg_bn_tiny.h5", &t);
        audited_explain(&t, audited_rule(&t, rule_table[i]->name, AUDITED_EPSILON), &x);
        for (size_t k = 0; k < x.n; k++) {
            check_step(&x, &x.steps[k]);
            assert_true(!composite_takes_rule(&t.nodes[x.steps[k].id]) || x.steps[k].rule->rule == rule_table[i]);
        }
        assert_true(x.n > 5);
        audited_close(&t);
    }
}

/* Every step that has an input where the walk goes is audited, in the order of the walk; the others have zeros. */
static void what_runs_no_rule_has_no_sums(void **state)
{
    (void)state;
    audited_net t;
    audited x;
    audited_open("vit_tiny.h5", &t);
    audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &x);
    size_t next = 0, partial = 0;
    for (node_id id = t.g.n_nodes; id-- > 0;) {
        const bool expected = next < x.n && x.steps[next].id == id;
        for (size_t b = 0; b < AUDITED_BATCH; b++) {
            assert_int_equal(audited_sums(&x, b, id)[AUDIT_ABS_OUT] != 0.0f, expected);
        }
        partial += expected && !x.steps[next].complete;
        next += expected;
    }
    assert_int_equal(next, x.n);
    assert_int_equal(partial, 1); /* the first residual sum of block 0: nothing below its shortcut can be pruned */
    audited_close(&t);
}

/* ---- laws ---- */

static bool is_audited(const audited *x, const op_def *op)
{
    bool found = false;
    for (size_t k = 0; k < x->n; k++) {
        found = found || (x->t->nodes[x->steps[k].id].op == op && x->steps[k].complete);
    }
    return found;
}

/* The walk ends at the input; what passes relevance is no step of it; tokens are made below the lowest component; shortcuts without a convolution
 * are of networks for small images. tests/unit/test_op_conservation.c has these layers alone. */
static bool is_elsewhere(const op_def *op)
{
    return op == &op_input || op->way == RELEVANCE_PASSES || op == &op_tokens || op == &op_subsample;
}

static double worst_residual(const audited *x, const op_def *op)
{
    double worst = 0.0;
    for (size_t k = 0; k < x->n; k++) {
        for (size_t b = 0; b < AUDITED_BATCH && x->t->nodes[x->steps[k].id].op == op && x->steps[k].complete; b++) {
            const float *f = audited_sums(x, b, x->steps[k].id);
            const double sums[AUDIT_SUMS] = {(double)f[0], (double)f[1], (double)f[2], (double)f[3]};
            const double off = fabs(audit_residual(sums));
            worst = worst_of(worst, off);
        }
    }
    return worst;
}

/* docs/audit.md: without biases and with epsilon = 0 every layer conserves relevance, but for attention, whose softmax decides. Float32: the
 * quotient by a small output is exact to 6e-8 of itself, and the shares that cancel are about 1e3 times what remains. */
static void layers_conserve_without_bias_and_epsilon(void **state)
{
    (void)state;
    bool seen[64] = {false};
    assert_true(op_count <= COUNT(seen));
    for (size_t i = 0; i < AUDITED_FILES; i++) {
        audited_net t;
        audited with, without;
        audited_open(audited_files[i], &t);
        audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &with);
        audited_without_biases(&t);
        audited_explain(&t, audited_rule(&t, "epsilon", 0.0), &without);
        for (size_t k = 0; k < op_count; k++) {
            const double worst = worst_residual(&without, op_table[k]);
            seen[k] = seen[k] || is_audited(&without, op_table[k]);
            if (op_table[k] != &op_attention && !(worst < 1e-4)) {
                fail_msg("%s, %s: residual %.3g", audited_files[i], op_table[k]->name, worst);
            }
        }
        assert_true(worst_residual(&with, &op_conv2d) + worst_residual(&with, &op_linear) > 1e-2); /* biases absorb */
        if (i + 1 == AUDITED_FILES) { /* the softmax rule does not conserve */
            assert_true(worst_residual(&without, &op_attention) > 1e-2);
        }
        audited_close(&t);
    }
    for (size_t k = 0; k < op_count; k++) {
        if (!seen[k] && !is_elsewhere(op_table[k])) {
            fail_msg("no network has a %s layer that is audited", op_table[k]->name);
        }
    }
}

/* Attention with each rule of its softmax: input times gradient adds up to nothing in particular, z-plus conserves, a virtual bias takes its
 * share, and cp sends everything to v. In z-plus float32 divides by logits q k' near 0, whose shares cancel: 7e-4 is left. */
static void attention_conserves_by_its_softmax(void **state)
{
    (void)state;
    static const struct expectation {
        const char *softmax;
        double least, most; /* of the largest residual */
    } expected[] = {{"epsilon", 1e-2, INFINITY}, {"z-plus", 0.0, 2e-3}, {"z-plus-bias", 1e-2, 1.0}, {"cp", 0.0, 1e-4}};
    for (int rule = 0; softmax_rule_names[rule] != NULL; rule++) {
        audited_net t;
        audited x;
        size_t i = 0;
        while (strcmp(softmax_rule_names[rule], expected[i].softmax) != 0) {
            i++;
            assert_true(i < COUNT(expected)); /* what is expected of a new one has to be said */
        }
        audited_open("vit_tiny.h5", &t);
        composite c = *audited_rule(&t, "epsilon", 0.0);
        c.softmax_rule = rule;
        audited_explain(&t, &c, &x);
        const double worst = worst_residual(&x, &op_attention);
        if (!(worst >= expected[i].least && worst <= expected[i].most)) {
            fail_msg("softmax %s: residual %.3g", expected[i].softmax, worst);
        }
        audited_close(&t);
    }
}

/* What a layer can hand on at most, of what it has: where every denominator adds up numbers of one sign a group's shares are those of its
 * coefficient. INFINITY where shares of both signs cancel. */
static double greatest_gain(const rule_def *rule, const double parameters[])
{
    const rule_terms t = rule->terms(parameters);
    double gain = 0.0;
    for (size_t g = 0; g < t.n_groups; g++) {
        const rule_group *group = &t.group[g];
        for (size_t k = 0; k < group->n_terms; k++) {
            const rule_map *w = &group->term[k].weights;
            const bool signs = (group->term[k].input == INPUT_POSITIVE || group->term[k].input == INPUT_NEGATIVE) &&
                               w->all == 0.0 && (w->positive == 0.0 || w->negative == 0.0);
            const bool sizes = group->term[k].input == INPUT_ONE && w->all == 0.0 && w->positive == 0.0 && w->negative == 0.0;
            gain = signs || sizes ? gain : (double)INFINITY;
        }
        gain += fabs(group->coef);
    }
    return gain;
}

/* Rules that say so conserve in every convolution and linear layer of a network, and those that only follow what agrees in sign stay in bounds. */
static void rules_conserve_and_stay_in_bounds(void **state)
{
    (void)state;
    size_t bounded = 0;
    for (size_t i = 0; i < rule_count; i++) {
        audited_net t;
        audited x;
        if (!rule_table[i]->conserves || !is_for_all(rule_table[i])) {
            continue;
        }
        audited_open("vgg_bn_tiny.h5", &t);
        audited_without_biases(&t);
        const composite *c = audited_rule(&t, rule_table[i]->name, 1e-9);
        const double most = greatest_gain(rule_table[i], c->entries[0].parameters);
        audited_explain(&t, c, &x);
        for (size_t k = 0; k < x.n; k++) {
            const float *f = audited_sums(&x, 0, x.steps[k].id);
            if (!composite_takes_rule(&t.nodes[x.steps[k].id])) {
                continue; /* norm loses what flat leaves at positions that are 0 */
            }
            const double sums[AUDIT_SUMS] = {(double)f[0], (double)f[1], (double)f[2], (double)f[3]};
            if (!(fabs(audit_residual(sums)) < 1e-4 && audit_gain(sums) < most + 1e-4)) {
                fail_msg("%s, %s: residual %.3g, gain %.3g of at most %.3g", rule_table[i]->name,
                         t.nodes[x.steps[k].id].name, audit_residual(sums), audit_gain(sums), most);
            }
        }
        bounded += isfinite(most);
        audited_close(&t);
    }
    assert_true(bounded >= 4); /* z-plus, alpha-beta, flat, w-square */
}

static void an_audit_changes_no_row_and_knows_no_neighbours(void **state)
{
    (void)state;
    for (size_t i = 0; i < AUDITED_FILES; i++) {
        audited_net t;
        audited x;
        walk *plain, *other;
        audited_open(audited_files[i], &t);
        audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &x);
        const size_t n = AUDITED_BATCH * WALK_MOMENTS * t.g.n_components, pixels = shape_count(t.g.input), row = t.g.n_nodes * AUDIT_SUMS;
        float *expected = audited_get(&t, n, sizeof *expected), *rows = audited_get(&t, n, sizeof *rows), *one = audited_get(&t, row, sizeof *one);
        float *images = audited_get(&t, AUDITED_BATCH * pixels, sizeof *images);
        assert_ok(walk_build(t.a, &t.g, audited_rule(&t, "epsilon", AUDITED_EPSILON), test_backend(), AUDITED_BATCH, &plain));
        walk_run(plain, t.images, t.target, expected);
        assert_ok(walk_build(t.a, &t.g, audited_rule(&t, "epsilon", AUDITED_EPSILON), test_backend(), AUDITED_BATCH, &other));
        assert_ok(walk_start_audit(t.a, other));
        walk_run(other, t.images, t.target, rows);
        assert_memory_equal(rows, expected, n * sizeof *rows);
        for (size_t b = 0; b < AUDITED_BATCH; b++) {
            const size_t target[AUDITED_BATCH] = {[0] = t.target[b]};
            memset(images, 0, AUDITED_BATCH * pixels * sizeof *images);
            memcpy(images, t.images + b * pixels, pixels * sizeof *images);
            walk_run(other, images, target, rows);
            walk_read_audit(other, 0, one);
            assert_memory_equal(one, audited_sums(&x, b, 0), row * sizeof *one); /* buffers shared by the plan, another slot: the same bits */
        }
        audited_close(&t);
    }
}

static void rows_of_lrp_end_with_the_audit(void **state)
{
    (void)state;
    const criterion_def *lrp = criterion_find("lrp");
    audited_net t;
    audited x;
    audited_open("resnet_basic_tiny.h5", &t);
    audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &x);
    const uint64_t sample[AUDITED_BATCH] = {0, 1, 2, 3, 4, 5};
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
        const criterion_setup setup = {.graph = &t.g, .backend = test_backend(), .batch = AUDITED_BATCH, .parameters = parameters};
        float *rows = audited_get(&t, AUDITED_BATCH * criterion_row(lrp, &setup), sizeof *rows);
        assert_int_equal(criterion_row(lrp, &setup), lrp->n_moments * t.g.n_components + on * t.g.n_nodes * AUDIT_SUMS);
        assert_ok(lrp->open(t.a, &setup, &method));
        lrp->rows(method, &batch, rows);
        assert_ok(lrp->audit(t.a, &setup, &n, &steps));
        assert_int_equal(n, on * x.n);
        for (size_t b = 0; b < AUDITED_BATCH && on == 1; b++) {
            assert_memory_equal(rows + b * criterion_row(lrp, &setup) + criterion_audit(lrp, &setup), audited_sums(&x, b, 0),
                                t.g.n_nodes * AUDIT_SUMS * sizeof *rows);
            assert_memory_equal(rows + b * criterion_row(lrp, &setup), row[0] + b * lrp->n_moments * t.g.n_components,
                                lrp->n_moments * t.g.n_components * sizeof *rows);
        }
        row[on] = rows;
    }
    audited_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_relevance),
        cmocka_unit_test(every_rule_is_audited),
        cmocka_unit_test(what_runs_no_rule_has_no_sums),
        cmocka_unit_test(layers_conserve_without_bias_and_epsilon),
        cmocka_unit_test(attention_conserves_by_its_softmax),
        cmocka_unit_test(rules_conserve_and_stay_in_bounds),
        cmocka_unit_test(an_audit_changes_no_row_and_knows_no_neighbours),
        cmocka_unit_test(rows_of_lrp_end_with_the_audit),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
