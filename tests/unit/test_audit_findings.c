/* What audits say: sums and verdicts by hand, networks that are fine, and some that explode. */
#include "support/audited.h"

#include <math.h>
#include <string.h>

static double largest_growth(const audited *x, node_id *at)
{
    double most = 0.0;
    for (size_t k = 0; k < x->n; k++) {
        double start = 0.0, in = 0.0;
        for (size_t b = 0; b < AUDITED_BATCH; b++) {
            start += (double)audited_sums(x, b, x->steps[0].id)[AUDIT_ABS_OUT];
            in += (double)audited_sums(x, b, x->steps[k].id)[AUDIT_ABS_IN];
        }
        *at = in / start > most ? x->steps[k].id : *at;
        most = fmax(most, in / start);
    }
    return most;
}

/* Prints how far relevance grows under each rule (docs/audit.md); those that keep it in bounds do not explode. */
static void rules_in_bounds_do_not_explode(void **state)
{
    (void)state;
    static const char *const rules[] = {"epsilon", "z-plus", "gamma", "alpha-beta", "flat", "w-square", "gradient"};
    enum { IN_BOUNDS = 4 };
    for (size_t i = 0; i < AUDITED_FILES * COUNT(rules); i++) {
        const char *file = audited_files[i / COUNT(rules)], *rule = rules[i % COUNT(rules)];
        audited_net t;
        audited x;
        node_id at = 0;
        audited_open(file, &t);
        audited_explain(&t, audited_rule(&t, rule, AUDITED_EPSILON), &x);
        const audit_verdict v = audited_verdict(&x);
        const double growth = largest_growth(&x, &at);
        print_message("%s, %s: grows %.3g times, at %s%s\n", file, rule, growth, t.nodes[at].name,
                      v.finding == AUDIT_FINE ? "" : ": explodes");
        if (i % COUNT(rules) < IN_BOUNDS && (v.finding != AUDIT_FINE || !(growth < AUDIT_GROWTH / 30.0))) {
            fail_msg("%s, %s: finding at %s, growth %.3g", file, rule, t.nodes[x.steps[v.step].id].name, growth);
        }
        audited_close(&t);
    }
}

/* The plain derivative is no share of anything: it grows from block to block, by less than ten times in each layer. */
static void gradients_explode(void **state)
{
    (void)state;
    for (size_t i = 1; i < AUDITED_FILES; i++) {
        audited_net t;
        audited x;
        audited_open(audited_files[i], &t);
        audited_explain(&t, audited_rule(&t, "gradient", AUDITED_EPSILON), &x);
        const audit_verdict v = audited_verdict(&x);
        print_message("%s, gradient: from %s on %.3g times the start\n", audited_files[i], t.nodes[x.steps[v.step].id].name, v.growth);
        assert_true(v.finding == AUDIT_EXPLODES && v.gain < 10.0);
        audited_close(&t);
    }
}

/* Two neurons made alike, which the next layer counts with opposite weights: outputs stay what they are but for rounding, and what is
 * handed to the two is large, with both signs. */
static void cancelling_weights_explode(void **state)
{
    (void)state;
    audited_net t;
    audited x;
    audited_open("vgg_bn_tiny.h5", &t);
    const node_id here = audited_named(&t, "classifier.3"), before = audited_named(&t, "classifier.0");
    const size_t n = t.nodes[here].n_weight / t.nodes[here].n_bias, row = t.nodes[before].n_weight / n;
    for (size_t k = 0; k < 2; k++) {
        audited_biases(&t, before)[k] = 1.0f;
        memset(audited_weights(&t, before) + k * row, 0, row * sizeof(float));
    }
    for (size_t o = 0; o < t.nodes[here].n_bias; o++) {
        audited_weights(&t, here)[o * n] = 0x1p20f;
        audited_weights(&t, here)[o * n + 1] = -0x1p20f;
    }
    audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &x);
    const audit_verdict v = audited_verdict(&x);
    assert_int_equal(v.finding, AUDIT_EXPLODES);
    assert_int_equal(x.steps[v.step].id, here);
    assert_true(v.gain > 1e5 && v.growth > v.gain);
    audited_close(&t);
}

/* LRP-0 and a logit so small that the quotient by it overflows. */
static void tiny_outputs_without_epsilon_are_not_finite(void **state)
{
    (void)state;
    audited_net t;
    audited x;
    audited_open("resnet_basic_tiny.h5", &t);
    const node_id last = audited_named(&t, "fc");
    for (size_t k = 0; k < t.nodes[last].n_weight; k++) {
        audited_weights(&t, last)[k] *= 0x1p-135f;
    }
    t.nodes[last].bias = audited_get(&t, t.nodes[last].n_bias, sizeof(float));
    audited_explain(&t, audited_rule(&t, "epsilon", 0.0), &x);
    const audit_verdict v = audited_verdict(&x);
    assert_int_equal(v.finding, AUDIT_NOT_FINITE);
    assert_int_equal(x.steps[v.step].id, last);
    audited_explain(&t, audited_rule(&t, "epsilon", AUDITED_EPSILON), &x);
    assert_int_equal(audited_verdict(&x).finding, AUDIT_FINE);
    audited_close(&t);
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
        cmocka_unit_test(rules_in_bounds_do_not_explode),
        cmocka_unit_test(gradients_explode),
        cmocka_unit_test(cancelling_weights_explode),
        cmocka_unit_test(tiny_outputs_without_epsilon_are_not_finite),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
