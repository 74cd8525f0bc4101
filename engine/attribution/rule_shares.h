#ifndef ATTRIBUTION_RULE_SHARES_H
#define ATTRIBUTION_RULE_SHARES_H
/* The elementwise middle of a rule of the signed form: from output, sums and relevance to the shares that go back. */
#include <stdbool.h>
#include <stddef.h>

enum { SHARE_CHUNK = 256, MAX_SHARE_GROUPS = 2 };

/* An element whose |agree A| + |oppose O| (or, with `extra`, whose denominator) is less than 1/16 of what was added up for it is computed again:
 * what is left then has at least the last four bits of rounding error that the direct sum has. */
#define SHARE_LIMIT 0.0625f

typedef struct share_group {
    float agree, oppose, limit; /* limit: SHARE_LIMIT times the larger of both, without signs */
    float of_z,
        of_sums; /* the denominator agree A + oppose O by what is at hand: neither rounds what the other does not need */
    float above, below; /* z is let through unless z <= above or z >= below */
    float to[2];        /* of s in each share */
    const float *extra; /* [row] for the denominator, or NULL */
} share_group;

typedef struct share_rule {
    bool absolute; /* the sums are V and not A */
    bool with_sums, with_extra;
    size_t n_groups, n_shares;
    float epsilon;
    share_group group[MAX_SHARE_GROUPS];
} share_rule;

/* Elements [at, at + n) of a row, n <= SHARE_CHUNK: z, q [n] the output and the sums (or NULL), R = t f (f NULL: t); share[k] [n]. Returns
 * whether an element has to be computed again. q is distinct from the shares. */
bool share_chunk(const share_rule *rule, size_t at, size_t n, const float *z, const float *q, const float *t,
                 const float *f, float *const share[2]);
/* Whether it is this one, element i of the chunk. */
bool share_cancels(const share_rule *rule, size_t at, float z, float q, float r);
/* Its shares from exact sums; z only opens the gates. */
void share_exactly(const share_rule *rule, size_t at, float z, double agreeing, double opposing, float r,
                   double share[2]);

#endif
