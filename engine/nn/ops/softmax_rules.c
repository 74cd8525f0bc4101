#include "nn/ops/softmax_rules.h"

#include "core/vector.h"
#include "nn/lanes.h"
#include "nn/op.h"

/* A row of A sums to 1 up to its rounding to fp32. Where one key has nearly all attention, 1 - A of that key is no larger than that rounding;
 * with the sum of the stored A in place of 1 it is the sum of the others, with all their digits. */

/* Input times gradient:  R_S = S (R_A - A sum(R_A)). Not conservative. */
VECTOR_KERNEL
static void epsilon_row(size_t n, double epsilon, const float *restrict s, const float *restrict a, float *restrict r)
{
    (void)epsilon; /* nothing is divided by */
    const double sum = lanes_sum(n, r) / lanes_sum(n, a);
    for (size_t i = 0; i < n; i++) {
        r[i] = (float)((double)s[i] * ((double)r[i] - (double)a[i] * sum));
    }
}

/* With M_ab = S_a dA_b/dS_a = S_a A_a (delta_ab - A_b) the positive ones share:  R_S[a] = sum_b M+_ab R_A[b]/st(D_b), D_b = sum_a M+_ab, to
 * which the virtual bias adds what is positive in A_b and no logit's, (A_b - sum_a M_ab)+. M+_ab is m_a A_b off the diagonal, where
 * m_a = -A_a S-_a >= 0, and A_b (1 - A_b) S+_b on it: so all of it is sums over the row. */
typedef struct row_sums {
    double attention, m, mean; /* A, m, A S */
} row_sums;

static inline double negative_share(float s, float a)
{
    return s < 0.0f ? -(double)a * (double)s : 0.0;
}

static inline row_sums sums_of(size_t n, const float *restrict s, const float *restrict a)
{
    double attention[LANES] = {0.0}, m[LANES] = {0.0}, mean[LANES] = {0.0};
    row_sums rest = {0.0, 0.0, 0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            attention[k] += (double)a[i + k];
            m[k] += negative_share(s[i + k], a[i + k]);
            mean[k] += (double)a[i + k] * (double)s[i + k];
        }
    }
    for (; i < n; i++) {
        rest.attention += (double)a[i];
        rest.m += negative_share(s[i], a[i]);
        rest.mean += (double)a[i] * (double)s[i];
    }
    return (row_sums){lanes_total(attention) + rest.attention, lanes_total(m) + rest.m, lanes_total(mean) + rest.mean};
}

static inline double own_share(row_sums sum, float s, float a)
{
    return s > 0.0f ? (double)a * (sum.attention - (double)a) * (double)s : 0.0;
}

/* D is a sum of what is not negative; a negative one is rounding. */
static inline double denominator(row_sums sum, bool bias, float s, float a)
{
    const double others = sum.m - negative_share(s, a), virtual = (double)a * (1.0 - ((double)s - sum.mean));
    const double d = (double)a * (others > 0.0 ? others : 0.0) + own_share(sum, s, a);
    return bias && virtual > 0.0 ? d + virtual : d;
}

static inline void positive_row(size_t n, double epsilon, bool bias, const float *restrict s, const float *restrict a,
                                float *restrict r)
{
    const row_sums sum = sums_of(n, s, a);
    for (size_t i = 0; i < n; i++) {
        const double d = denominator(sum, bias, s[i], a[i]) + epsilon;
        r[i] = d != 0.0 ? (float)((double)r[i] / d) : 0.0f;
    }
    const double total = lanes_dot(n, a, r);
    for (size_t i = 0; i < n; i++) {
        const double others = total - (double)a[i] * (double)r[i];
        r[i] = (float)(negative_share(s[i], a[i]) * others + own_share(sum, s[i], a[i]) * (double)r[i]);
    }
}

VECTOR_KERNEL
static void z_plus_row(size_t n, double epsilon, const float *restrict s, const float *restrict a, float *restrict r)
{
    positive_row(n, epsilon, false, s, a, r);
}

VECTOR_KERNEL
static void z_plus_bias_row(size_t n, double epsilon, const float *restrict s, const float *restrict a,
                            float *restrict r)
{
    positive_row(n, epsilon, true, s, a, r);
}

enum { EPSILON, Z_PLUS, Z_PLUS_BIAS, CP, RULES };

const softmax_rule softmax_rules[RULES] = {
    [EPSILON] = {.row = epsilon_row, .shares = 2.0f},
    [Z_PLUS] = {.row = z_plus_row, .shares = 2.0f},
    [Z_PLUS_BIAS] = {.row = z_plus_bias_row, .shares = 2.0f},
    [CP] = {.row = NULL, .shares = 1.0f},
};
const char *const softmax_rule_names[RULES + 1] = {
    [EPSILON] = "epsilon",
    [Z_PLUS] = "z-plus",
    [Z_PLUS_BIAS] = "z-plus-bias",
    [CP] = "cp",
};
const char softmax_rule_help[] = "relevance at the softmax of attention: epsilon = input times gradient; z-plus = "
                                 "shared by the positive terms of the gradient; z-plus-bias = "
                                 "the same with a virtual bias that takes what belongs to no logit; cp = none to "
                                 "queries and keys, all of it to the values";
