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

/* Is what is left of the sums small, where there is relevance and the gate is open? A difference has rounding errors of its operands' size. No
 * branches, or there would be no vectors. */
static inline int cancels(const share_group *g, bool with_extra, element e, float extra, float d, float r)
{
    const float left = fabsf(g->agree) * e.agreeing + fabsf(g->oppose) * e.opposing;
    const int live = (r != 0.0f) & !(e.z <= g->above) & !(e.z >= g->below);
    int small = left < g->limit * e.total;
    if (with_extra) {
        small |= fabsf(d) < SHARE_LIMIT * (left + fabsf(extra));
    }
    return live & small;
}

/* Of two groups one by the sign of z, where their gates leave each element to one of them. */
static inline share_group chosen(const share_group *positive, const share_group *negative, float z)
{
    const bool p = z > 0.0f;
    share_group g = {.agree = p ? positive->agree : negative->agree,
                     .oppose = p ? positive->oppose : negative->oppose,
                     .of_z = p ? positive->of_z : negative->of_z,
                     .of_sums = p ? positive->of_sums : negative->of_sums,
                     .above = 0.0f,
                     .below = 0.0f};
    g.to[0] = p ? positive->to[0] : negative->to[0];
    g.to[1] = p ? positive->to[1] : negative->to[1];
    return g;
}

/* Which groups an element has: one, both, or one of two by the sign of z. */
typedef enum share_kind { ONE_GROUP, BOTH_GROUPS, EITHER_GROUP, SHARE_KINDS } share_kind;

/* Everything but the arrays is a constant where these two are inlined. */
static inline void shares(bool with_sums, bool absolute, bool with_extra, bool factor, share_kind kind,
                          const share_rule *rule, size_t at, size_t n, const float *restrict z, const float *restrict q,
                          const float *restrict t, const float *restrict f, float *restrict first,
                          float *restrict second)
{
    const share_group a = rule->group[0], b = rule->group[1];
    const float epsilon = rule->epsilon;
    const float *restrict extra_a = with_extra ? a.extra + at : z;
    const float *restrict extra_b = with_extra && kind != ONE_GROUP ? b.extra + at : z;
    for (size_t i = 0; i < n; i++) {
        const float r = factor ? t[i] * f[i] : t[i];
        const element e = element_of(with_sums, absolute, z[i], with_sums ? q[i] : 0.0f);
        const share_group g = kind == EITHER_GROUP ? chosen(&a, &b, z[i]) : a;
        const float rg = kind == EITHER_GROUP ? (z[i] == 0.0f ? 0.0f : r) : let_through(&g, z[i], r);
        const float extra = !with_extra ? 0.0f : kind == EITHER_GROUP && !(z[i] > 0.0f) ? extra_b[i] : extra_a[i];
        const float sg = rg / stabilise(denominator(with_sums, &g, e, extra), epsilon);
        float one = g.to[0] * sg, two = g.to[1] * sg;
        if (kind == BOTH_GROUPS) {
            const float d = denominator(with_sums, &b, e, with_extra ? extra_b[i] : 0.0f);
            const float sb = let_through(&b, z[i], r) / stabilise(d, epsilon);
            one += b.to[0] * sb;
            two += b.to[1] * sb;
        }
        first[i] = one;
        if (with_sums && kind != ONE_GROUP) {
            second[i] = two;
        }
    }
}

/* Whether an element of a group has to be computed again. A loop of its own, since the compiler makes no vectors of both in one; everything is
 * still in the nearest cache. */
static inline int look(bool with_sums, bool absolute, bool with_extra, bool factor, const share_group *group, size_t at,
                       size_t n, const float *restrict z, const float *restrict q, const float *restrict t,
                       const float *restrict f)
{
    const share_group g = *group;
    const float *restrict extra = with_extra ? g.extra + at : z;
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        const float r = factor ? t[i] * f[i] : t[i], x = with_extra ? extra[i] : 0.0f;
        const element e = element_of(with_sums, absolute, z[i], with_sums ? q[i] : 0.0f);
        bad |= cancels(&g, with_extra, e, x, denominator(with_sums, &g, e, x), r);
    }
    return bad;
}

#define ARGUMENTS                                                                                                      \
    const share_rule *rule, size_t at, size_t n, const float *restrict z, const float *restrict q,                     \
        const float *restrict t, const float *restrict f, float *restrict first, float *restrict second

/* One function for what a loop should not ask for every element. */
#define SHARES(name, with_sums, absolute, with_extra, kind)                                                            \
    VECTOR_KERNEL                                                                                                      \
    static void name(ARGUMENTS)                                                                                        \
    {                                                                                                                  \
        if (f == NULL) {                                                                                               \
            shares(with_sums, absolute, with_extra, false, kind, rule, at, n, z, q, t, z, first, second);              \
        } else {                                                                                                       \
            shares(with_sums, absolute, with_extra, true, kind, rule, at, n, z, q, t, f, first, second);               \
        }                                                                                                              \
    }
#define LOOK(name, with_sums, absolute, with_extra)                                                                    \
    VECTOR_KERNEL                                                                                                      \
    static int name(const share_group *group, size_t at, size_t n, const float *restrict z, const float *restrict q,   \
                    const float *restrict t, const float *restrict f)                                                  \
    {                                                                                                                  \
        return f == NULL ? look(with_sums, absolute, with_extra, false, group, at, n, z, q, t, z)                      \
                         : look(with_sums, absolute, with_extra, true, group, at, n, z, q, t, f);                      \
    }
#define KERNELS(name, with_sums, absolute, with_extra)                                                                 \
    SHARES(name##_one, with_sums, absolute, with_extra, ONE_GROUP)                                                     \
    SHARES(name##_both, with_sums, absolute, with_extra, BOTH_GROUPS)                                                  \
    SHARES(name##_either, with_sums, absolute, with_extra, EITHER_GROUP)                                               \
    LOOK(name##_look, with_sums, absolute, with_extra)

KERNELS(of_output, false, false, false)
KERNELS(of_parts, true, false, false)
KERNELS(of_absolute, true, true, false)
KERNELS(extra_output, false, false, true)
KERNELS(extra_parts, true, false, true)
KERNELS(extra_absolute, true, true, true)

static share_kind kind_of(const share_rule *rule)
{
    const bool either = rule->n_groups == 2 && rule->group[0].above == 0.0f && rule->group[1].below == 0.0f;
    return rule->n_groups == 1 ? ONE_GROUP : either ? EITHER_GROUP : BOTH_GROUPS;
}

bool share_chunk(const share_rule *rule, size_t at, size_t n, const float *z, const float *q, const float *t,
                 const float *f, float *const share[2])
{
    typedef struct kernels {
        void (*shares[SHARE_KINDS])(ARGUMENTS);
        int (*look)(const share_group *, size_t, size_t, const float *, const float *, const float *, const float *);
    } kernels;
#define KERNELS_OF(name)                                                                                               \
    {                                                                                                                  \
        {name##_one, name##_both, name##_either}, name##_look                                                          \
    }
    static const kernels of[2][3] = {
        {KERNELS_OF(of_output), KERNELS_OF(of_parts), KERNELS_OF(of_absolute)},
        {KERNELS_OF(extra_output), KERNELS_OF(extra_parts), KERNELS_OF(extra_absolute)},
    };
#undef KERNELS_OF
    const kernels *k = &of[rule->with_extra][rule->with_sums ? rule->absolute ? 2 : 1 : 0];
    const float *sums = q == NULL ? z : q;
    int bad = 0;
    for (size_t g = 0; (rule->with_sums || rule->with_extra) && g < rule->n_groups; g++) {
        bad |= k->look(&rule->group[g], at, n, z, sums, t, f);
    }
    k->shares[kind_of(rule)](rule, at, n, z, sums, t, f, share[0], share[1]);
    return bad != 0;
}

bool share_cancels(const share_rule *rule, size_t at, float z, float q, float r)
{
    const element e = element_of(rule->with_sums, rule->absolute, z, q);
    int bad = 0;
    for (size_t g = 0; g < rule->n_groups; g++) {
        const share_group *group = &rule->group[g];
        const float extra = rule->with_extra ? group->extra[at] : 0.0f;
        bad |= cancels(group, rule->with_extra, e, extra, denominator(rule->with_sums, group, e, extra), r);
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
