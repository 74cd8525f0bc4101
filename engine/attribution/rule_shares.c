#include "attribution/rule_shares.h"

#include <math.h>

#include "core/vector.h"
#include "nn/stabilise.h"

typedef struct element {
    float z, q;                      /* output, sums */
    float agreeing, opposing, total; /* |A|, |O|, both */
} element;

/* Without sums agree = oppose, so that all that counts is A + O = z. */
static inline element element_of(bool with_sums, bool absolute, float z, float q)
{
    element e = {.z = z, .q = q, .agreeing = fabsf(z)};
    if (with_sums) {
        e.agreeing = fabsf(absolute ? 0.5f * (z + q) : q);
        e.opposing = fabsf(absolute ? 0.5f * (z - q) : z - q);
        e.total = e.agreeing + e.opposing;
    }
    return e;
}

static inline float let_through(const share_group *g, float z, float r)
{
    return z <= g->above || z >= g->below ? 0.0f : r;
}

static inline float denominator(bool with_sums, const share_group *g, element e, float extra)
{
    return (with_sums ? g->of_z * e.z + g->of_sums * e.q : g->of_z * e.z) + extra;
}

/* Is what is left of the sums small? A difference has rounding errors of its operands' size. */
static inline int cancels(const share_group *g, bool with_extra, element e, float extra, float d, float r)
{
    const float left = fabsf(g->agree) * e.agreeing + fabsf(g->oppose) * e.opposing;
    const float most = fmaxf(fabsf(g->agree), fabsf(g->oppose)) * SHARE_LIMIT;
    const int sums = left < most * e.total, sum = with_extra && fabsf(d) < SHARE_LIMIT * (left + fabsf(extra));
    return (r != 0.0f) & (sums | sum);
}

/* Everything but the arrays is a constant where this is inlined. */
static inline int shares(bool with_sums, bool absolute, bool with_extra, bool factor, size_t n_groups, size_t n_shares,
                         const share_rule *rule, size_t at, size_t n, const float *restrict z, const float *restrict q,
                         const float *restrict t, const float *restrict f, float *restrict first,
                         float *restrict second)
{
    const share_group a = rule->group[0], b = rule->group[1];
    const float epsilon = rule->epsilon;
    const float *restrict extra_a = with_extra ? a.extra + at : z;
    const float *restrict extra_b = with_extra && n_groups == 2 ? b.extra + at : z;
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        const float r = factor ? t[i] * f[i] : t[i];
        const element e = element_of(with_sums, absolute, z[i], with_sums ? q[i] : 0.0f);
        const float ra = let_through(&a, z[i], r), ea = with_extra ? extra_a[i] : 0.0f,
                    da = denominator(with_sums, &a, e, ea);
        const float sa = ra / stabilise(da, epsilon);
        float one = a.to[0] * sa, two = a.to[1] * sa;
        bad |= with_sums || with_extra ? cancels(&a, with_extra, e, ea, da, ra) : 0;
        if (n_groups == 2) {
            const float rb = let_through(&b, z[i], r), eb = with_extra ? extra_b[i] : 0.0f,
                        db = denominator(with_sums, &b, e, eb);
            const float sb = rb / stabilise(db, epsilon);
            one += b.to[0] * sb;
            two += b.to[1] * sb;
            bad |= with_sums || with_extra ? cancels(&b, with_extra, e, eb, db, rb) : 0;
        }
        first[i] = one;
        if (n_shares == 2) {
            second[i] = two;
        }
    }
    return bad;
}

#define ARGUMENTS                                                                                                      \
    const share_rule *rule, size_t at, size_t n, const float *restrict z, const float *restrict q,                     \
        const float *restrict t, const float *restrict f, float *restrict first, float *restrict second

/* One function for what a loop should not ask for every element. */
#define SHARES(name, with_sums, absolute, with_extra, n_groups, n_shares)                                              \
    VECTOR_KERNEL                                                                                                      \
    static int name(ARGUMENTS)                                                                                         \
    {                                                                                                                  \
        return f == NULL ? shares(with_sums, absolute, with_extra, false, n_groups, n_shares, rule, at, n, z, q, t, z, \
                                  first, second)                                                                       \
                         : shares(with_sums, absolute, with_extra, true, n_groups, n_shares, rule, at, n, z, q, t, f,  \
                                  first, second);                                                                      \
    }

SHARES(of_output, false, false, false, 1, 1)
SHARES(of_output_twice, false, false, false, 2, 1)
SHARES(of_parts, true, false, false, 1, 1)
SHARES(of_parts_twice, true, false, false, 2, 2)
SHARES(of_absolute, true, true, false, 1, 1)
SHARES(of_absolute_twice, true, true, false, 2, 2)
SHARES(extra_output, false, false, true, 1, 1)
SHARES(extra_output_twice, false, false, true, 2, 1)
SHARES(extra_parts, true, false, true, 1, 1)
SHARES(extra_parts_twice, true, false, true, 2, 2)
SHARES(extra_absolute, true, true, true, 1, 1)
SHARES(extra_absolute_twice, true, true, true, 2, 2)

bool share_chunk(const share_rule *rule, size_t at, size_t n, const float *z, const float *q, const float *t,
                 const float *f, float *const share[2])
{
    static int (*const kernels[2][3][2])(ARGUMENTS) = {
        {{of_output, of_output_twice}, {of_parts, of_parts_twice}, {of_absolute, of_absolute_twice}},
        {{extra_output, extra_output_twice}, {extra_parts, extra_parts_twice}, {extra_absolute, extra_absolute_twice}},
    };
    const size_t sums = rule->with_sums ? rule->absolute ? 2 : 1 : 0;
    return kernels[rule->with_extra][sums][rule->n_groups - 1](rule, at, n, z, q == NULL ? z : q, t, f, share[0],
                                                               share[1]) != 0;
}

bool share_cancels(const share_rule *rule, size_t at, float z, float q, float r)
{
    const element e = element_of(rule->with_sums, rule->absolute, z, q);
    int bad = 0;
    for (size_t g = 0; g < rule->n_groups; g++) {
        const share_group *group = &rule->group[g];
        const float extra = rule->with_extra ? group->extra[at] : 0.0f;
        bad |= cancels(group, rule->with_extra, e, extra, denominator(rule->with_sums, group, e, extra),
                       let_through(group, z, r));
    }
    return bad != 0;
}

static double stabilised(double z, double epsilon)
{
    const double d = z + (z >= 0.0 ? epsilon : -epsilon);
    return d != 0.0 ? d : (double)INFINITY;
}

void share_exactly(const share_rule *rule, size_t at, float z, double agreeing, double opposing, float r,
                   double share[2])
{
    share[0] = share[1] = 0.0;
    for (size_t g = 0; g < rule->n_groups; g++) {
        const share_group *group = &rule->group[g];
        const double extra = rule->with_extra ? (double)group->extra[at] : 0.0;
        const double d = (double)group->agree * agreeing + (double)group->oppose * opposing + extra;
        const double s = (double)let_through(group, z, r) / stabilised(d, (double)rule->epsilon);
        share[0] += (double)group->to[0] * s;
        share[1] += (double)group->to[1] * s;
    }
}
